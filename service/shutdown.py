"""Shutdown: the service is not ready at once, accepted requests are answered, and the end comes in time."""

from __future__ import annotations

import asyncio
import socket
import time
from types import FrameType

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radar.system.signals import end_in_time
from service.connections.connection import end_overdue
from service.forecasting.worker import ForecastThread

_WAITING_CALLERS = 2048
_LOOK_EVERY = 5
"""Ticks, ten of which are in a second, between two looks for connections whose time is up."""
_NOTICE_SECONDS = 0.5
"""How long it goes on listening at least: who keeps a connection open learns from an answer that it ends."""
_SHARE_FOR_WAITING, _SHARE_FOR_SENDING = 0.7, 0.15
"""Of the time that there is; first who still waits is told to go elsewhere, then what runs is finished and sent."""


class ShutdownState:
    """Whether the service stops, and the number of earlier requests without an answer."""

    def __init__(self) -> None:
        self.stopping = False
        self.owed = 0


class ShutdownMiddleware:
    """ASGI middleware that counts owed answers, and ends connections once the service stops."""

    def __init__(self, app: ASGIApp, state: ShutdownState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._state.stopping:
                MutableHeaders(raw=message["headers"])["Connection"] = "close"
            await send(message)

        owed = not self._state.stopping  # later ones are answered, but not awaited: they might never end
        self._state.owed += owed
        try:
            await self._app(scope, receive, closing)
        finally:
            self._state.owed -= owed


class ShutdownServer(uvicorn.Server):
    """A server that on SIGTERM or SIGINT keeps listening, not ready, until all owed answers are sent.

    Parameters
    ----------
    seconds : float
        All that it may take: then the process ends, whatever is still at work. A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, state: ShutdownState, worker: ForecastThread, seconds: float) -> None:
        super().__init__(config)
        # uvicorn gives it to asyncio as it is, which takes fractions.
        config.timeout_graceful_shutdown = seconds * _SHARE_FOR_SENDING  # type: ignore[assignment]
        self._state = state
        self._worker = worker
        self._seconds = seconds
        self._asked_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; more callers may wait to be accepted than asyncio accepts in one turn."""
        end_in_time(lambda: self._asked_at, self._seconds)
        await super().startup(sockets)
        for listening in [listening for server in self.servers for listening in server.sockets]:
            with socket.fromfd(listening.fileno(), listening.family, listening.type) as same:
                same.listen(_WAITING_CALLERS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. It only sets flags, as a signal handler may."""
        if self._state.stopping:
            super().handle_exit(sig, frame)
            return
        self._asked_at = time.monotonic()
        self._state.stopping = True
        self._worker.stop()

    async def on_tick(self, counter: int) -> bool:
        """Whether to close; called ten times a second."""
        if counter % _LOOK_EVERY == 0:
            end_overdue(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter) or (self._state.stopping and self._answered())

    def _answered(self) -> bool:
        waited = time.monotonic() - (self._asked_at or 0.0)
        if waited < self._seconds * _SHARE_FOR_WAITING:
            return self._state.owed == 0 and waited >= _NOTICE_SECONDS
        self._worker.refuse_waiting()
        return True
