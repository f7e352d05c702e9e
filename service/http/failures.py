"""What nobody foresaw: logged with its traceback, answered with a problem document that tells nothing of the inside."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import disk_full_response, failure_response

_logger = logging.getLogger("raincell")


class Failures:
    """ASGI middleware that answers 500 to errors which no handler knows.

    Starlette answers them too, but outside all other middleware: without headers, metrics and a line in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an answer that has begun is cut off, so that nobody takes it for whole."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            response = disk_full_response(error)
            if response is None:
                _logger.error("unexpected error", exc_info=error)
                response = failure_response()
            await response(scope, receive, send)
