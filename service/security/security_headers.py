"""Headers of every answer that restrict browsers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = {
    "default-src": "'self'",
    "img-src": "'self' data: blob:",
    # Widgets such as maps and /docs set sizes and positions as inline styles.
    "style-src": "'self' 'unsafe-inline'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
"""A page may load content of this service only, and no inline scripts."""


def content_policy(**changes: str) -> str:
    """The value of Content-Security-Policy; `script_src="..."` adds or replaces a directive."""
    policy = CONTENT_POLICY | {name.replace("_", "-"): sources for name, sources in changes.items()}
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


_POLICY = b"content-security-policy"
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class SecurityHeaders:
    """ASGI middleware that adds the headers to every answer, including errors; a route may set its own policy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._with_policy = [*_HEADERS, (_POLICY, content_policy().encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                own_policy = any(name == _POLICY for name, _ in headers)
                message["headers"] = headers + (_HEADERS if own_policy else self._with_policy)
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
