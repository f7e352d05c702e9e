"""Limits on the bytes of one body and of all bodies together, both declared and received."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radar.errors import Overloaded
from service.connections.connection import connection_of
from service.connections.held_bytes import MEBIBYTE, HeldBytes, remember_account
from service.errors import BodyTooLarge
from service.http.problems import raincell_response
from service.security.access import caller_of


class BodyLimit:
    """ASGI middleware that bounds the memory of bodies.

    Parameters
    ----------
    largest : int
        Bytes of one body; a larger one is answered with 413 as problem+json.
    together : int
        Bytes of all bodies that are being received or processed; beyond them the answer is 503. Only received bytes
        count, so that a slow sender holds no more than it has sent.
    held : HeldBytes or None
        Counts them together with answers. None if bytes pass through and are not held.
    """

    def __init__(self, app: ASGIApp, largest: int, together: int = 0, held: HeldBytes | None = None) -> None:
        self._app = app
        self._largest = largest
        self._together = together
        self._held = held
        self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 at once to a body that is declared too large; count other bodies as they arrive."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self._largest:
            await raincell_response(self._too_large(f"{int(declared[:20])} bytes"))(scope, receive, send)
        elif self._held is None:
            await self._app(scope, self._counting(receive, lambda _: None), send)
        else:
            await self._held_for(self._held, scope, receive, send)

    async def _held_for(self, held: HeldBytes, scope: Scope, receive: Receive, send: Send) -> None:
        host = scope["client"][0] if scope.get("client") else ""
        account = held.open(caller_of(host), connection_of(scope))
        remember_account(scope, account)
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            mine += size
            self._bodies += size
            if self._bodies > self._together:
                raise self._too_many()
            account.take(size)

        try:
            await self._app(scope, self._counting(receive, take), send)
        finally:
            self._bodies -= mine
            account.close()

    def _counting(self, receive: Receive, take: Callable[[int], None]) -> Receive:
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            size = len(message.get("body", b""))
            received += size
            # Raised where the body is read, and answered by the handler of RaincellError.
            if received > self._largest:
                raise self._too_large(f"more than {self._largest} bytes")
            take(size)
            return message

        return counting

    def _too_large(self, got: str) -> BodyTooLarge:
        return BodyTooLarge(
            expected=f"a body of at most {self._largest // MEBIBYTE} MiB",
            got=got,
            remedy="send fewer or compressed frames; only the newest frames that the model reads are used",
        )

    def _too_many(self) -> Overloaded:
        return Overloaded(
            expected=f"at most {self._together // MEBIBYTE} MiB of bodies at a time",
            got="more",
            remedy="try again in a few seconds",
        )
