"""Bodies with Content-Encoding gzip or zstd, decoded piece by piece while they arrive."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import zstandard
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radar.errors import UnreadableFile
from service.errors import UnsupportedBody
from service.http.problems import raincell_response

READ_CODINGS = ("zstd", "gzip")
_PIECE_BYTES = 64 * 1024
"""Bytes decoded at a time: the reader of the body counts them, stops at the limit, and parses on the event loop."""
_MOST_STREAMS = 10_000
"""The most consecutive streams in a body; bgzip writes one for every 64 KiB."""
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""The largest window that RFC 9659 allows in HTTP; the format itself allows gigabytes."""
_ZSTD_SLICE_BYTES = 128
"""Input bytes at a time, since zstandard does not limit its output: 128 bytes can hold 4 MiB."""
_ABOUT_THE_CODED = (b"content-encoding", b"content-length")


class DecompressedBodies:
    """ASGI middleware that shows the application a body without its Content-Encoding.

    It wraps BodyLimit, so that the limits count decoded bytes. An unsupported encoding is answered with 415 at once;
    bytes that do not decode raise UnreadableFile where the body is read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body decoded."""
        coding = _coding(scope)
        if coding == "identity":
            await self._app(scope, receive, send)
        elif coding in READ_CODINGS:
            headers = [header for header in scope["headers"] if header[0] not in _ABOUT_THE_CODED]
            await self._app({**scope, "headers": headers}, _Decoding(coding, receive), send)
        else:
            await raincell_response(_unsupported(coding))(scope, receive, send)


class _Decoding:
    """A receive function that decodes the messages of another."""

    def __init__(self, coding: str, receive: Receive) -> None:
        self._receive = receive
        self._stream = _Stream(coding)
        self._pieces: Iterator[bytes] = iter(())
        self._came = self._ended = False

    async def __call__(self) -> Message:
        """The next piece of the body, decoded outside the event loop; after its end, the following messages."""
        while not self._ended:
            piece = await run_sync(next, self._pieces, None)
            if piece is not None:
                return {"type": "http.request", "body": piece, "more_body": True}
            if self._came:
                self._ended = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._came = not message.get("more_body", False)
            self._pieces = self._stream.decode(message.get("body", b""), last=self._came)
        return await self._receive()


class _Stream:
    """One or more consecutive compressed streams, as both formats allow."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding == "gzip"
        self._open: Any = None
        self._streams = 0

    def decode(self, data: bytes, *, last: bool) -> Iterator[bytes]:
        """Decode more bytes, in pieces of bounded size; raises UnreadableFile for bytes that do not decode."""
        left = memoryview(data)
        try:
            while left:
                self._open = self._open or self._decompressor()
                piece, left = self._step(left)
                if self._open.eof:
                    left, self._open = memoryview(bytes(self._open.unused_data) + bytes(left)), None
                for start in range(0, len(piece), _PIECE_BYTES):
                    yield piece[start : start + _PIECE_BYTES]
        except (zlib.error, zstandard.ZstdError):
            raise _damaged("other bytes") from None
        if last and self._open:
            raise _damaged("some that are cut off")

    def _step(self, left: memoryview) -> tuple[bytes, memoryview]:
        if self._gzip:
            piece = self._open.decompress(left, _PIECE_BYTES)
            return piece, memoryview(self._open.unconsumed_tail)
        parts, size = [], 0
        while left and size < _PIECE_BYTES and not self._open.eof:
            parts.append(self._open.decompress(left[:_ZSTD_SLICE_BYTES]))
            left, size = left[_ZSTD_SLICE_BYTES:], size + len(parts[-1])
        return b"".join(parts), left

    def _decompressor(self) -> Any:  # noqa: ANN401 - zlib's has no public type
        self._streams += 1
        if self._streams > _MOST_STREAMS:
            raise _damaged(f"more than {_MOST_STREAMS} streams, one after the other")
        if self._gzip:
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()


def _coding(scope: Scope) -> str:
    """The Content-Encoding of a request; "identity" for none."""
    if scope["type"] != "http":
        return "identity"
    named = ",".join([value.decode("latin-1") for name, value in scope["headers"] if name == b"content-encoding"])
    coding = named.strip().lower() or "identity"
    return "gzip" if coding == "x-gzip" else coding


def _unsupported(coding: str) -> UnsupportedBody:
    return UnsupportedBody(
        expected="a body with Content-Encoding " + " or ".join(READ_CODINGS) + ", or without",
        got="".join(letter if " " <= letter <= "~" else "?" for letter in coding[:40]),
        remedy="send it in one of these, or as it is; the files in it may be .gz or .bz2",
    )


def _damaged(got: str) -> UnreadableFile:
    return UnreadableFile(
        expected="a body that decodes as its Content-Encoding says (zstd with a window of at most 8 MiB)",
        got=got,
        remedy="send the whole body in that encoding, or as it is",
    )
