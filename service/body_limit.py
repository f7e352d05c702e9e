"""The largest body that is read, enforced on what is declared and on what comes."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge
from service.problems import raincell_response

MEBIBYTE = 1024 * 1024


class BodyLimit:
    """ASGI middleware that answers 413 as problem+json for a body of more than `largest` bytes."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 at once for a body that is declared too large; count the others as they come."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self._largest:
            await raincell_response(self._too_large(f"{int(declared[:20])} bytes"))(scope, receive, send)
            return
        await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                # Raised where the body is read, and answered by the handler of RaincellError.
                raise self._too_large(f"more than {self._largest} bytes")
            return message

        return counted

    def _too_large(self, got: str) -> BodyTooLarge:
        return BodyTooLarge(
            expected=f"a body of at most {self._largest // MEBIBYTE} MiB",
            got=got,
            remedy="send fewer or compressed frames; only the newest frames that the model reads are used",
        )
