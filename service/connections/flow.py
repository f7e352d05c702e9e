"""Flow control: when reading from a connection resumes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """uvicorn's flow control, which resumes reading only once the received bytes have been parsed."""

    def __init__(self, transport: asyncio.Transport, read_on: Callable[[], None]) -> None:
        super().__init__(transport)
        self._read_on = read_on

    def resume_reading(self) -> None:
        """See FlowControl."""
        if self.read_paused:
            self.read_paused = False
            self._read_on()
