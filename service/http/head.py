"""HEAD for every GET (RFC 9110, section 9.3.2): the same status and headers, and no body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STATE = "raincell.head"


def is_head(scope: Scope) -> bool:
    """Whether only the headers of an answer will be sent, so that its body need not be made."""
    return scope.get("method") == "HEAD" or _STATE in scope


class Head:
    """ASGI middleware next to the routes, which receive GET instead of HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; of the answer to HEAD send only the start."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b""})

        asked = {**scope, "method": "GET", _STATE: True}
        await self._app(asked, receive, sending)
        scope["route"] = asked.get("route")  # for the log, and the metrics
