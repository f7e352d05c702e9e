"""The history of a running service over HTTP, for a service without Redis or on another machine."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any, cast, get_args

import httpx
import numpy as np

from radar.errors import InvalidRain, StoreUnavailable
from radar.quality import Flaw, Reason
from radar.sequence import FrameSequence, iso
from service.errors import FrameQuarantined
from service.feed.sources.cut_off import AnswerTimes, CutOff
from service.feed.sources.http import address
from service.history.codec import SeriesKey, StoredFrame
from service.http.own_headers import FROM_FEED

TIMEOUT = httpx.Timeout(60.0, connect=10.0)
ANSWER_TIMES = AnswerTimes(60.0)
_LARGEST_ANSWER = 16 * 2**20
"""All series and their times take less."""
_QUARANTINED = "urn:raincell:problem:frame-quarantined"


class ServiceHistory:
    """A FeedHistory behind GET and POST /frames. The service does the quality control.

    Parameters
    ----------
    url : str
        The service's address, e.g. http://127.0.0.1:8000.
    product : str
        The product of the frames.
    retention : timedelta
        How long the service keeps frames.
    key : str or None
        An API key with the scopes read and ingest.
    force : bool
        Have frames stored that the service does not believe.
    times : AnswerTimes
        For each answer as a whole; a service that checks and stores frames answers within a minute.
    """

    def __init__(
        self,
        url: str,
        product: str,
        retention: timedelta,
        *,
        key: str | None = None,
        force: bool = False,
        times: AnswerTimes = ANSWER_TIMES,
    ) -> None:
        self.retention = retention
        self._url, self._product, self._force = address(url, "--service"), product, force
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, follow_redirects=False)
        self._cut_off = CutOff(times)

    def epoch(self) -> str:
        """See FeedHistory: a restarted service without Redis has no frames."""
        return "frames" if self.products() else "none"

    def products(self) -> list[SeriesKey]:
        """See FeedHistory; only the one product."""
        return [SeriesKey(self._product, str(entry["grid"])) for entry in self._series()]

    def times(self, product: str, grid: str) -> list[datetime]:
        """See FeedHistory."""
        listed = [entry["times"] for entry in self._series() if (entry["product"], entry["grid"]) == (product, grid)]
        with _service_errors():
            return [datetime.fromisoformat(time) for times in listed for time in times]

    def newest(self, series: SeriesKey, count: int) -> list[StoredFrame]:  # noqa: ARG002 - the service compares
        """See FeedHistory."""
        return []

    def append(self, frames: FrameSequence) -> None:
        """See FeedHistory; raises InvalidRain for frames that the service refuses."""
        query = {
            "product": frames.product,
            "grid": frames.grid.key,
            "valid_time": iso(frames.valid_times[-1]),
            "timestep_minutes": str(frames.timestep_minutes),
            "force": str(self._force).lower(),
        }
        content = io.BytesIO()
        np.save(content, frames.rain_rate)
        headers = {"Content-Type": "application/x-npy", FROM_FEED: "1"}
        answer = self._ask("POST", params=query, content=content.getvalue(), headers=headers)
        if answer.status_code != httpx.codes.CREATED:
            raise _refusal(answer, frames.valid_times[-1])

    def mark_fed(self, series: SeriesKey) -> None:
        """See FeedHistory; `append` has marked the series already, with a header."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _series(self) -> list[dict[str, Any]]:
        """What GET /frames lists of the product."""
        answer = self._ask("GET")
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer, None)
        with _service_errors():
            listed = cast(list[dict[str, Any]], answer.json()["series"])
            return [entry for entry in listed if entry["product"] == self._product]

    def _ask(self, method: str, *, content: bytes = b"", **said: Any) -> httpx.Response:  # noqa: ANN401 - as httpx has it
        """The whole answer of the service's list of frames, within bounds of bytes and of time."""
        request = self._client.build_request(method, f"{self._url}frames", content=content, **said)
        request.extensions["trace"] = self._cut_off.trace
        with _service_errors(), self._cut_off.armed(len(content)):
            answer = self._client.send(request, stream=True)
            with closing(answer):
                whole = bytearray()
                for piece in answer.iter_bytes():
                    whole += piece
                    self._cut_off.count(len(piece))
                    if len(whole) > _LARGEST_ANSWER:
                        raise ValueError("an answer without end")
            if self._cut_off.over:
                raise TimeoutError
        return httpx.Response(answer.status_code, headers=_plain(answer.headers), content=bytes(whole))


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Those of an answer whose content was decoded already."""
    return {name: value for name, value in headers.items() if name not in ("content-encoding", "content-length")}


def _refusal(answer: httpx.Response, time: datetime | None) -> InvalidRain | StoreUnavailable:
    """The error for an answer without success."""
    with _service_errors():
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        expected, got = str(problem.get("expected", "an answer of the service")), str(problem.get("got", "another"))
    if answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY or time is None:
        got = f"status {answer.status_code} ({got})"
        return StoreUnavailable(expected=expected, got=got, remedy="check --service and RAINCELL_FEED_KEY")
    reason = re.search(r" \((\w+)\)$", expected)
    if problem.get("type") == _QUARANTINED and reason and reason[1] in get_args(Reason):
        return FrameQuarantined({time: Flaw(cast(Reason, reason[1]), expected[: reason.start()], got)})
    return InvalidRain(expected=expected, got=got, remedy="see the service's answer about the frame")


@contextmanager
def _service_errors() -> Iterator[None]:
    """Raise StoreUnavailable, without the address, for errors of the connection."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreUnavailable(
            expected="an answer of the service",
            got=type(error).__name__,
            remedy="see whether it runs; it is tried again",
        ) from None
