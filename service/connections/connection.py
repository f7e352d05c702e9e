"""One connection of a caller: uvicorn's, with limits on held bytes and time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, cast

import h11
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from service.connections.counted import FIRST_PIECE_BYTES, PIECE_BYTES, Counted
from service.connections.flow import Flow
from service.connections.limits import ConnectionLimits
from service.connections.transport import PatientTransport
from service.errors import BodyTooLarge
from service.http.problems import problem_response

MOST_HEAD_BYTES = 16 * 1024
"""The most bytes of a request line and headers."""
FEWEST_CHUNK_BYTES = 256
"""The least average size: each chunk takes as long to read as some kilobytes."""
_FREE_CHUNKS = 1000
_TURN_SECONDS = 0.005
"""Time after which other connections have their turn."""
_GATHER_SECONDS = 0.02
"""Time that small pieces of a body wait for more."""
_URGENT = frozenset({"/livez", "/readyz"})
"""Routes of machines that end a replica without an answer."""
_CONNECTION = "raincell.connection"
_NO_HTTP = (
    f"an HTTP/1.1 request with {MOST_HEAD_BYTES} bytes of request line and headers at most",
    "other bytes",
    "let an HTTP library write the request, and send much in the body",
)


class CallerLeft(OSError):
    """The caller has disconnected."""


class Connection(H11Protocol):
    """uvicorn's protocol, fed in small pieces; it refuses bodies that cost more to read than to send."""

    transport: PatientTransport  # type: ignore[assignment]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = self._counted = Counted(h11.SERVER, MOST_HEAD_BYTES)
        self._application = self.app
        self.app = self._limited
        self._limits = limits
        self._pending = bytearray()
        self._feeding: asyncio.Handle | None = None
        self._refusal: BodyTooLarge | None = None
        self.caller: str | None = None
        self._is_turned_away = False
        self._idle_since: float | None = None
        self._answering_since: float | None = None
        self.stalled_since: float | None = None

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        if hasattr(transport, "max_size"):
            transport.max_size = PIECE_BYTES
        patient = PatientTransport(transport, self._is_sending, self._limits.seconds)
        super().connection_made(cast(asyncio.Transport, patient))
        self.flow = Flow(cast(asyncio.Transport, patient), self._read_on)
        self._rest()
        self.caller = self._limits.addresses.enter(self.client[0] if self.client else None)
        self._limits.make_room_for(self, self.connections)
        self._limits.make_room(self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._limits.idle.pop(self, None)
        self._limits.addresses.leave(self.caller)
        self._pending.clear()
        self.transport.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.transport.lingers or self._refusal:
            self.transport.discard(len(data))
            return
        self._pending += data
        if self._may_wait():
            self._feed_later(_GATHER_SECONDS)
        elif self._feeding is None or self._is_gathering():
            self._feed()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self.stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self.stalled_since = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """See H11Protocol."""
        self._rest()
        super().on_response_complete()
        self._note_request()  # the next one may have arrived already

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - always the same
        """Refuse anything but HTTP; an answer that has begun is cut off."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # the application can send nothing more
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        self._close_with(problem_response(400, "InvalidHttp", *_NO_HTTP), b"Bad Request")

    def turn_away(self, expected: str, got: str, remedy: str) -> None:
        """Refuse an excess connection before its request arrives; it is the first to end if there is no room."""
        self._is_turned_away = True
        self._limits.idle = {self: None, **self._limits.idle}
        self._close_with(problem_response(429, "TooManyConnections", expected, got, remedy), b"Too Many Requests")

    def _close_with(self, refusal: Response, reason: bytes) -> None:
        headers = [*refusal.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=refusal.status_code, headers=headers, reason=reason),
            h11.Data(data=bytes(refusal.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    # --- time ---

    def end_if_overdue(self, now: float) -> None:
        """End it if its request, or its reading of an answer, takes too long; `now` is the event loop's time."""
        since = self._idle_since if self.stalled_since is None else self.stalled_since
        begun = self._answering_since
        if since is not None and now - since > self._limits.seconds:
            self.end()
        elif begun is not None and now - begun > self._limits.longest_seconds:
            self.end()  # read on bit by bit, it would never be overdue

    def end(self) -> None:
        """End it at once, also with bytes left to send."""
        self._limits.idle.pop(self, None)
        self.transport.abort()

    def _rest(self) -> None:
        self._idle_since = self.loop.time()
        self._answering_since = None
        self._limits.idle[self] = None

    # --- reading ---

    def _is_sending(self) -> bool:
        return self._is_turned_away or self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or bool(self._pending)

    def _may_wait(self) -> bool:
        """Whether the received bytes are a small piece of a body, and not its last."""
        if self.conn.their_state is not h11.SEND_BODY or len(self._pending) > FIRST_PIECE_BYTES:
            return False
        left = self._counted.left
        return not self._pending.endswith(b"\r\n\r\n") if left is None else len(self._pending) < left

    def _is_gathering(self) -> bool:
        return isinstance(self._feeding, asyncio.TimerHandle)

    def _feed_later(self, seconds: float = 0.0) -> None:
        if self._feeding is None:
            self._feeding = self.loop.call_later(seconds, self._feed) if seconds else self.loop.call_soon(self._feed)

    def _read_on(self) -> None:
        if self._pending:
            self._feed_later()
        else:
            self.transport.resume_reading()

    def _feed(self) -> None:
        """Parse received bytes, as far as the turn and the reader of the body allow."""
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None
        began = time.perf_counter()
        while self._pending and not self.flow.read_paused and not self.transport.is_closing():
            size = self._counted.next_piece
            piece = bytes(self._pending[:size])
            del self._pending[:size]
            super().data_received(piece)
            self._note_request()
            self._check_body()
            if time.perf_counter() - began > _TURN_SECONDS and self._pending:
                self._feed_later()
                break
        if self.transport.lingers or self._refusal:
            self._pending.clear()
        elif self._pending:
            self.transport.pause_reading()
        elif not self.flow.read_paused:
            self.transport.resume_reading()

    def _note_request(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete and self._idle_since is not None:
            self._idle_since = None
            self._limits.idle.pop(self, None)

    def _check_body(self) -> None:
        counted = self._counted
        if counted.chunks > _FREE_CHUNKS + counted.body_bytes // FEWEST_CHUNK_BYTES:
            self._refuse(f"{counted.chunks} chunks of {counted.body_bytes} bytes together")
        elif counted.wire_bytes > self._limits.most_body_bytes:
            self._refuse(f"more than {self._limits.most_body_bytes} bytes on the wire")

    def _refuse(self, got: str) -> None:
        self._refusal = BodyTooLarge(
            expected=f"a body in chunks of {FEWEST_CHUNK_BYTES} bytes or more on average",
            got=got,
            remedy="send it with Content-Length, or in larger chunks",
        )
        if self.cycle is not None:
            self.cycle.message_event.set()

    # --- the application ---

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application; a refusal is raised where it reads, and it stops if the caller has left."""
        cycle, scope[_CONNECTION] = self.cycle, self
        urgent = scope["path"] in _URGENT

        async def receiving() -> Message:
            message = {} if self._refusal else await receive()
            if self._refusal:
                raise self._refusal
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answering_since = self.loop.time()
            if message["type"] == "http.response.start" and self.conn.their_state is h11.SEND_BODY:
                headers = [header for header in message.get("headers", []) if header[0].lower() != b"connection"]
                message = {**message, "headers": [*headers, (b"connection", b"close")]}
            if not urgent:
                await self._limits.turns.wait()
            await send(message)
            if cycle.disconnected:
                raise CallerLeft

        with contextlib.suppress(CallerLeft):  # the line in the log has status 499, or that of the interrupted answer
            if not urgent:
                await self._limits.turns.wait()
            await self._application(scope, receiving, sending)


def connection_of(scope: Scope) -> Connection | None:
    """The connection of a request; None without one, as in tests of the application alone."""
    return cast("Connection | None", scope.get(_CONNECTION))


def end_overdue(connections: set[Any], now: float) -> None:
    """End all overdue connections."""
    for connection in list(connections):
        if isinstance(connection, Connection):
            connection.end_if_overdue(now)
