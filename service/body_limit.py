"""How much is read, of one body and of all together, enforced on what is declared and on what comes."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radar.errors import Overloaded
from service.errors import BodyTooLarge
from service.problems import raincell_response

MEBIBYTE = 1024 * 1024


class BodyLimit:
    """ASGI middleware that bounds the memory which bodies take.

    Parameters
    ----------
    largest : int
        Bytes of one body; 413 as problem+json for a larger one.
    together : int
        Bytes of all bodies that are being received or worked on; 503 for what comes on top. Only bytes that came
        count, so that a slow sender holds no more than he sent.
    """

    def __init__(self, app: ASGIApp, largest: int, together: int) -> None:
        self._app = app
        self._largest = largest
        self._together = together
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 at once for a body that is declared too large; count the others as they come."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self._largest:
            await raincell_response(self._too_large(f"{int(declared[:20])} bytes"))(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            size = len(message.get("body", b""))
            seen += size
            self._held += size
            # Raised where the body is read, and answered by the handler of RaincellError.
            if seen > self._largest:
                raise self._too_large(f"more than {self._largest} bytes")
            if self._held > self._together:
                raise self._too_many()
            return message

        try:
            await self._app(scope, counting, send)
        finally:
            self._held -= seen

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
