"""Answers with Content-Encoding zstd or gzip, for callers who accept it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache

import zstandard
from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.head import is_head
from service.http.negotiate import qualities

CODINGS = ("zstd", "gzip")
"""The supported codings, the preferred one first."""
MEDIA_TYPES = frozenset(
    {
        "application/json",
        "application/problem+json",
        "application/x-npy",
        "text/css",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)
"""Media types that profit: images, GeoTIFF and NetCDF are compressed already."""
LEAST_BYTES = 1024
_ZSTD_LEVEL, _GZIP_LEVEL = 1, 1
"""Low levels: radar fields gain little from higher ones, and have many megabytes."""
_AT_ONCE_BYTES = 4096
"""Fewer bytes are compressed faster than a thread can be started."""


@lru_cache(maxsize=256)
def choose_coding(accept_encoding: str | None) -> str | None:
    """The coding that a caller prefers (RFC 9110, section 12.5.3), zstd among equals; None for no coding."""
    wanted = qualities(accept_encoding or "")
    offered = {coding: wanted.get(coding, wanted.get("*", 0.0)) for coding in CODINGS}
    best = max(CODINGS, key=lambda coding: offered[coding])
    return best if offered[best] > 0 and offered[best] >= wanted.get("identity", 0.0) else None


class CompressedAnswers:
    """ASGI middleware that compresses answers, outside the event loop.

    The same content in another coding is another representation, so its strong ETag is another: `"abc"` becomes
    `"abc-zstd"`. In If-None-Match the suffix of the coding that the caller would get is removed: routes see only their
    own tags, and a 304 has the tag with its suffix, like the 200. Ranges refer to the bytes without coding: a 206 is
    sent unchanged, with the tag of those bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and compress its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        coding = choose_coding(headers.get("accept-encoding"))
        known = headers.get("if-none-match", "")
        if coding and known:
            bare = known.replace(f'-{coding}"', '"').encode("latin-1")
            others = [header for header in scope["headers"] if header[0] != b"if-none-match"]
            scope["headers"] = [*others, (b"if-none-match", bare)]
        await self._app(scope, receive, _Sender(send, coding, known, empty=is_head(scope)))


class _Sender:
    """A send function that compresses one answer, or leaves it unchanged; `empty` sends only headers, for HEAD."""

    def __init__(self, send: Send, coding: str | None, known_tags: str, *, empty: bool) -> None:
        self._send = send
        self._coding = coding
        self._known_tags = known_tags
        self._empty = empty
        self._compress: Compress | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._start(message["status"], list(message.get("headers", [])))}
        elif message["type"] == "http.response.body" and self._compress and not self._empty:
            body, last = message.get("body", b""), not message.get("more_body", False)
            small = len(body) < _AT_ONCE_BYTES
            coded = self._compress(body, last) if small else await run_sync(self._compress, body, last)
            if not coded and not last:
                return
            message = {**message, "body": coded}
        await self._send(message)

    def _start(self, status: int, raw: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers to send; this decides whether the body is compressed."""
        headers = MutableHeaders(raw=raw)
        compressible = _is_compressible(headers)
        if compressible or status == 304:  # also for a part of a compressible answer, although it is not compressed
            headers.add_vary_header("Accept-Encoding")
        tag = headers.get("etag", "")
        coded_tag = f'{tag[:-1]}-{self._coding}"' if tag.startswith('"') else tag
        if self._coding and compressible and status != 206 and _is_large(headers):
            self._compress = _COMPRESSORS[self._coding]()
            headers["Content-Encoding"] = self._coding
            del headers["Content-Length"]
            if tag:
                headers["ETag"] = coded_tag
        elif status == 304 and tag and coded_tag in self._known_tags:
            headers["ETag"] = coded_tag
        return headers.raw


def _is_compressible(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").split(";")[0].strip()
    return media_type in MEDIA_TYPES and "content-encoding" not in headers


def _is_large(headers: Headers) -> bool:
    length = headers.get("content-length")
    return length is None or int(length) >= LEAST_BYTES


Compress = Callable[[bytes, bool], bytes]
"""Compresses the next, possibly last piece."""


def _zstd() -> Compress:
    stream = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return lambda piece, last: stream.compress(piece) + (stream.flush() if last else b"")


def _gzip() -> Compress:
    stream = zlib.compressobj(_GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return lambda piece, last: stream.compress(piece) + (stream.flush() if last else b"")


_COMPRESSORS: dict[str, Callable[[], Compress]] = {"zstd": _zstd, "gzip": _gzip}
