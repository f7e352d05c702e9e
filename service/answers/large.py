"""Answers of tens of megabytes, sent without being copied as a whole."""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.http.head import is_head
from service.http.ranges import Bytes

_SLICE_BYTES = 256 * 1024
"""Given all at once, the server copies what the socket does not take at once: 50 ms for 39 MB."""


@dataclass(frozen=True)
class Base64:
    """A buffer that goes out as base64, made slice by slice while it is sent: as a whole it would take 70 ms first."""

    raw: memoryview

    @property
    def nbytes(self) -> int:
        """Of the base64."""
        return 4 * -(-self.raw.nbytes // 3)

    def slices(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to before `stop` of the base64, made from whole groups of three bytes."""
        while start < stop:
            group = start // 4
            end = min(stop, 4 * group + _SLICE_BYTES)
            coded = binascii.b2a_base64(self.raw[3 * group : 3 * -(-end // 4)], newline=False)
            yield coded[start - 4 * group : end - 4 * group]
            start = end


BUFFERED_BYTES = 320 * 1024
"""What the server may hold of an answer that is not read, besides the content itself."""
Content = Sequence[bytes | memoryview | Base64]
"""The parts of an answer, one after the other."""


def size_of(content: Content) -> int:
    """Bytes of an answer."""
    return sum(len(part) if isinstance(part, bytes) else part.nbytes for part in content)


class LargeResponse(Response):
    """A response whose content is a sequence of buffers, or a 206 with a part of it.

    `content` may be shared by many; what is sent at a time is each one's own: see `BUFFERED_BYTES`.
    """

    def __init__(
        self, content: Content, media_type: str, headers: Mapping[str, str], only: Bytes | None = None
    ) -> None:
        self._content = [part if isinstance(part, Base64) else memoryview(part).cast("B") for part in content]
        size = size_of(content)
        self._only = only or Bytes(0, size)
        length = {"Content-Length": str(self._only.stop - self._only.start)}
        if only:
            length["Content-Range"] = only.content_range(size)
        super().__init__(None, 206 if only else 200, {**headers, **length}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        """Send it slice by slice, at the pace at which the caller takes it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if is_head(scope):
            await send({"type": "http.response.body", "body": b""})
            return
        last = b""
        for piece in self._slices():
            if last:
                await send({"type": "http.response.body", "body": last, "more_body": True})
                await asyncio.sleep(0)  # a fast reader is never waited for, and others have their turn
            last = piece
        await send({"type": "http.response.body", "body": last})

    def _slices(self) -> Iterator[bytes]:
        before = 0
        for part in self._content:
            first, stop = max(0, self._only.start - before), min(part.nbytes, self._only.stop - before)
            before += part.nbytes
            if isinstance(part, Base64):
                yield from part.slices(first, stop)
                continue
            for start in range(first, stop, _SLICE_BYTES):
                yield bytes(part[start : min(start + _SLICE_BYTES, stop)])
