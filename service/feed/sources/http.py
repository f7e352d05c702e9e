"""A web directory as a source, such as DWD's open-data server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from radar.errors import InvalidRequest, UnreadableFile
from service.feed.sources.cut_off import ANSWER_TIMES, AnswerTimes, CutOff
from service.feed.sources.listing import read_index
from service.feed.sources.names import Listed, dated_or_latest, listed, naming_of
from service.feed.sources.source import (
    MOST_FILES,
    Fetched,
    FileGone,
    Others,
    SourceUnavailable,
    largest,
    others_of,
    too_large,
)

TIMEOUT = httpx.Timeout(20.0, connect=10.0)
LARGEST_LISTING = 2 * 2**20


class HttpSource:
    """The files of a product in a directory that a web server lists.

    A request is conditional if the server gave an ETag or a date before. If the server lists nothing, the fixed name of
    the newest file is requested instead. Redirects are not followed, and no address outside the directory is ever
    requested, even if the listing links to one.

    Parameters
    ----------
    url : str
        Address of the directory, http or https.
    product : str
        One of `service.feed.sources.names.NAMINGS`.
    timeout : httpx.Timeout
        For connecting, and for each piece of an answer.
    times : AnswerTimes
        For each answer as a whole: a server that sends a byte now and then keeps within every other time-out.
    """

    def __init__(
        self,
        url: str,
        product: str,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        times: AnswerTimes = ANSWER_TIMES,
    ) -> None:
        self._url = address(url, "--source")
        self.naming = naming_of(product)
        self.others = Others()
        self._largest = largest(product)
        self._times, self._cut_off = times, CutOff(times)
        # Compressed answers could be bombs, and radar files are compressed already.
        headers = {"User-Agent": "raincell-ingest", "Accept-Encoding": "identity"}
        self._client = httpx.Client(timeout=timeout, headers=headers, follow_redirects=False)
        self._index: tuple[str, list[Listed]] = ("", [])

    def files(self) -> list[Listed]:
        """See Source."""
        tag, known = self._index
        try:
            fetched = self._get("", LARGEST_LISTING, tag)
        except FileGone:  # a server without a listing may still have the newest file
            return [Listed(self.naming.latest[0], None, "")]
        except UnreadableFile as error:
            raise SourceUnavailable(expected=error.expected, got=error.got, remedy=error.remedy) from None
        if fetched is None:
            return known
        names = read_index(fetched.data.decode("utf-8", "replace"))
        found = [file for name, after in names if (file := listed(self.naming, name, after))]
        unique = list({file.name: file for file in found}.values())
        self.others = others_of(name for name, _ in names if name not in {file.name for file in unique})
        files = dated_or_latest(self.naming, unique)[-MOST_FILES:]
        self._index = (fetched.tag, files)
        return files

    def fetch(self, file: Listed, tag: str = "") -> Fetched | None:
        """See Source."""
        return self._get(file.name, self._largest, tag)

    def interrupt(self) -> None:
        """See Source."""
        self._cut_off.end()

    def close(self) -> None:
        """See Source."""
        self._client.close()

    def _get(self, name: str, limit: int, tag: str) -> Fetched | None:
        label = name or "the listing"
        asking = self._client.stream(
            "GET", self._url + name, headers=_conditions(tag), extensions={"trace": self._cut_off.trace}
        )
        with self._transport_errors(label), self._cut_off.armed(), asking as answer:
            if answer.status_code == httpx.codes.NOT_MODIFIED and tag:
                return None
            _check_status(answer, label, listing=not name)
            return Fetched(self._content(answer, label, limit), _tag(answer))

    def _content(self, answer: httpx.Response, label: str, limit: int) -> bytes:
        """The body, within a bound of bytes and of time."""
        content = bytearray()
        for piece in answer.iter_raw():
            content += piece
            self._cut_off.count(len(piece))
            if len(content) > limit:
                raise too_large(label, limit)
        if self._cut_off.over:  # a body that ends with its connection ends like that, too
            raise _unavailable(self._times.expected(label), f"{len(content):,} bytes of it")
        return bytes(content)

    @contextmanager
    def _transport_errors(self, label: str) -> Iterator[None]:
        """Raise SourceUnavailable for httpx's errors, without the address, which may hold a password."""
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if self._cut_off.over:
                raise _unavailable(self._times.expected(label), "a part of it") from None
            raise _unavailable(f"{label} of the source", type(error).__name__) from None


def address(url: str, option: str) -> str:
    """An http or https address with a slash at its end; for others raises InvalidRequest, which names the option."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise InvalidRequest(
            expected="an address http://host/folder/ or https://host/folder/ without a query",
            got="another one",
            remedy=f"correct {option}",
        )
    return url if url.endswith("/") else url + "/"


def _conditions(tag: str) -> dict[str, str]:
    etag, _, modified = tag.partition("\n")
    headers = {"If-None-Match": etag, "If-Modified-Since": modified}
    return {name: value for name, value in headers.items() if value}


def _tag(answer: httpx.Response) -> str:
    """ETag and date of an answer in one text, empty if it has neither."""
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return f"{etag}\n{modified}" if etag or modified else ""


def _check_status(answer: httpx.Response, label: str, *, listing: bool) -> None:
    status = answer.status_code
    if status == httpx.codes.OK:
        return
    missing = (403, 404, 410) if listing else (404, 410)
    got = f"status {status}"
    if status in missing:
        raise FileGone(expected=f"{label} of the source", got=got, remedy="it is asked for again")
    if answer.is_redirect:
        remedy = "redirects are not followed: give the address they lead to as --source"
        raise SourceUnavailable(expected=f"{label} of the source", got=got, remedy=remedy)
    raise _unavailable(f"{label} of the source", got, _retry_after(answer))


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds of a Retry-After, which may be a date."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _unavailable(expected: str, got: str, retry_after_seconds: float | None = None) -> SourceUnavailable:
    return SourceUnavailable(
        expected=expected, got=got, remedy="it is asked for again", retry_after_seconds=retry_after_seconds
    )
