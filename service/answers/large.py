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
"""Bytes sent at a time: the server copies what the socket does not accept at once, 50 ms for 39 MB."""


@dataclass(frozen=True)
class Base64:
    """A buffer that is sent as base64, encoded slice by slice: encoding it whole would take 70 ms first."""

    raw: memoryview

    @property
    def nbytes(self) -> int:
        """Bytes of the base64."""
        return 4 * -(-self.raw.nbytes // 3)

    def slices(self, start: int, stop: int) -> Iterator[bytes]:
        """The base64 from `start` up to, not including, `stop`, made from whole groups of three bytes."""
        while start < stop:
            group = start // 4
            end = min(stop, 4 * group + _SLICE_BYTES)
            coded = binascii.b2a_base64(self.raw[3 * group : 3 * -(-end // 4)], newline=False)
            yield coded[start - 4 * group : end - 4 * group]
            start = end


BUFFERED_BYTES = 320 * 1024
"""Bytes that the server may hold of an unread answer, in addition to the content itself."""
Content = Sequence[bytes | memoryview | Base64]
"""The consecutive parts of an answer."""


def size_of(content: Content) -> int:
    """Bytes of an answer."""
    return sum(len(part) if isinstance(part, bytes) else part.nbytes for part in content)


class LargeResponse(Response):
    """A response whose content is a sequence of buffers, or a 206 with a part of it.

    Several responses may share `content`; each has its own buffers for sending: see `BUFFERED_BYTES`.
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
        """Send the content slice by slice, at the caller's pace."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if is_head(scope):
            await send({"type": "http.response.body", "body": b""})
            return
        last = b""
        for piece in self._slices():
            if last:
                await send({"type": "http.response.body", "body": last, "more_body": True})
                await asyncio.sleep(0)  # sending to a fast reader never waits, so others get their turn here
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
