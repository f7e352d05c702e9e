"""Counts of the bytes and events that pass through h11."""

from __future__ import annotations

from typing import Any

import h11

PIECE_BYTES = 64 * 1024
"""Bytes that are read from a socket and parsed at a time."""
FIRST_PIECE_BYTES = 2048
"""Bytes parsed at a time of a head, and of a body whose chunk sizes are unknown yet."""


class Counted(h11.Connection):
    """h11's connection, which counts its input bytes and its events."""

    chunks = body_bytes = wire_bytes = 0
    _declared: int | None = None

    def receive_data(self, data: bytes) -> None:
        """See h11.Connection."""
        if self.their_state is h11.SEND_BODY:
            self.wire_bytes += len(data)
        super().receive_data(data)

    def next_event(self) -> Any:  # noqa: ANN401 - as h11 has it
        """See h11.Connection."""
        event = super().next_event()
        if isinstance(event, h11.Data):
            self.body_bytes += len(event.data)
            self.chunks += event.chunk_end
        elif isinstance(event, h11.Request):
            self.chunks = self.body_bytes = self.wire_bytes = 0
            declared = [value for name, value in event.headers if name == b"content-length"]
            self._declared = int(declared[0]) if declared else None
        return event

    @property
    def left(self) -> int | None:
        """Bytes of the body that have not arrived; None if unknown."""
        return None if self._declared is None else self._declared - self.body_bytes

    @property
    def next_piece(self) -> int:
        """The number of bytes to parse next: fewer for smaller chunks."""
        if self.their_state is not h11.SEND_BODY or not self.chunks:
            return PIECE_BYTES if self._declared and self.their_state is h11.SEND_BODY else FIRST_PIECE_BYTES
        return min(PIECE_BYTES, max(1024, 64 * self.body_bytes // self.chunks))
