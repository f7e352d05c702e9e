"""Errors as RFC 9457 problem documents: one table holds the status of each."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radar import errors as radar_errors
from radar.errors import RaincellError
from service import errors as service_errors
from service.http.openapi import reference
from service.http.unrouted import allowed_methods, without_slash

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[RaincellError], int] = {
    service_errors.Unauthorised: 401,
    service_errors.Forbidden: 403,
    radar_errors.UnknownModel: 404,
    radar_errors.UnknownProduct: 404,
    service_errors.UnknownFrame: 404,
    service_errors.UnknownRun: 404,
    service_errors.VerificationOff: 404,
    service_errors.NotAcceptable: 406,
    service_errors.SlowBody: 408,
    service_errors.RunExpired: 410,
    service_errors.BodyTooLarge: 413,
    service_errors.UnsupportedBody: 415,
    service_errors.RangeNotSatisfiable: 416,
    service_errors.UnknownHost: 421,
    radar_errors.UnreadableFile: 422,
    radar_errors.InvalidRain: 422,
    radar_errors.GridMismatch: 422,
    radar_errors.ProductMismatch: 422,
    radar_errors.IncompleteHistory: 422,
    radar_errors.InvalidRequest: 422,
    radar_errors.UnknownGrid: 422,
    service_errors.QuotaExceeded: 429,
    service_errors.StoredHistoryIncomplete: 503,
    service_errors.NoRunYet: 503,
    service_errors.DiskFull: 503,
    service_errors.DefaultModelGone: 503,
    radar_errors.Overloaded: 503,
    radar_errors.StoreUnavailable: 503,
}
"""The status of every error that a caller can cause or meet; any other error is a fault of the service, and a 500."""

RETRY_AFTER_SECONDS: dict[type[RaincellError], int] = {
    service_errors.StoredHistoryIncomplete: 60,
    service_errors.NoRunYet: 5,
    service_errors.DiskFull: 60,
    service_errors.DefaultModelGone: 60,
    radar_errors.Overloaded: 5,
    radar_errors.StoreUnavailable: 10,
}

_logger = logging.getLogger("raincell")


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    expected: str
    got: str
    remedy: str


def problem_response(
    status: int, name: str, expected: str, got: str, remedy: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with one problem; `name` is an error's class name, e.g. "IncompleteHistory"."""
    words = re.findall("[A-Z][a-z]*", name)
    problem = Problem(
        type="urn:raincell:problem:" + "-".join(words).lower(),
        title=" ".join(words).capitalize(),
        status=status,
        detail=f"expected {expected}, got {got}; {remedy}",
        expected=expected,
        got=got,
        remedy=remedy,
    )
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(json.dumps(problem.model_dump()), status, headers, media_type=MEDIA_TYPE)


def raincell_response(error: RaincellError, extra_headers: Mapping[str, str] | None = None) -> Response:
    """The problem document of a RaincellError."""
    kinds = [kind for kind in type(error).__mro__ if kind in STATUS]
    if not kinds:
        return failure_response()
    retry = next((RETRY_AFTER_SECONDS[kind] for kind in kinds if kind in RETRY_AFTER_SECONDS), None)
    headers = ({"Retry-After": str(retry)} if retry else {}) | dict(extra_headers or {})
    return problem_response(STATUS[kinds[0]], type(error).__name__, error.expected, error.got, error.remedy, headers)


def failure_response() -> Response:
    """A 500 without internal details."""
    return problem_response(
        500,
        "InternalError",
        "an answer",
        "a fault of the service",
        "try again; its operator finds the cause in the log",
    )


def add_handlers(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(RaincellError, _handle_raincell)
    app.add_exception_handler(RequestValidationError, _handle_validation)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    app.add_exception_handler(Exception, _handle_failure)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of problem answers with these statuses."""
    content = {MEDIA_TYPE: {"schema": reference(Problem)}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


_DESCRIPTIONS = {
    401: "An API key is needed, or the one that was sent is not known",
    403: "The API key does not have the needed scope",
    404: "Unknown model or run, or a product or frame that is not stored",
    406: "No media type that is accepted can be made",
    408: "The body did not arrive in time",
    410: "A run that has expired",
    413: "The body is too large",
    415: "The body's media type is not read",
    416: "No byte of the answer is in the requested Range",
    421: "No API key, and a Host that is not this service's",
    422: "The request or the frames in it cannot be used; the problem document explains why",
    429: "More requests in a minute than the caller may make; see Retry-After",
    500: "A fault of the service",
    503: "Overload, a full disk, too few frames in the history, or its store does not answer; see Retry-After",
}


async def _handle_disconnect(_: Request, __: Exception) -> Response:
    """An empty answer for a caller who has disconnected, so that the log holds no traceback."""
    return Response(status_code=400)


async def _handle_raincell(_: Request, error: Exception) -> Response:
    response = raincell_response(cast(RaincellError, error), getattr(error, "headers", None))
    if response.status_code == 500:
        _logger.error("unexpected error", exc_info=error)
    return response


def disk_full_response(error: Exception) -> Response | None:
    """A 503 for a full or read-only disk; None for every other error.

    It is not a handler of OSError, since a disconnected caller raises one too.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code not in _DISK_FULL:
        return None
    _logger.error("the disk for temporary files cannot be written: %s", errno.errorcode[code])
    return raincell_response(
        service_errors.DiskFull(
            expected="room on the service's disk for temporary files of a request",
            got=os.strerror(code).lower(),
            remedy="try again later, or send less at a time; its operator gives TMPDIR more room",
        )
    )


_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def first_fault(faults: Sequence[Any]) -> tuple[str, str]:
    """The expected and the actual value of the first of pydantic's errors."""
    fault = faults[0]
    where = ".".join(str(part) for part in fault["loc"][:4] if part not in ("query", "path")) or "body"
    if fault["type"] == "missing":
        return where, "none"
    # Only short values are repeated to the caller: the input may have megabytes.
    value = fault.get("input")
    value = value[:60] if isinstance(value, str) else value
    got = repr(value) if isinstance(value, str | float | None) else f"a {type(value).__name__}"
    wanted = re.fullmatch(r"Input should be (.*?)(, unable to parse .*)?", fault["msg"][:200])
    return (f"{where} to be {wanted[1]}", got) if wanted else (f"a valid {where}", f"{got} ({fault['msg'][:120]})")


async def _handle_validation(_: Request, error: Exception) -> Response:
    expected, got = first_fault(cast(RequestValidationError, error).errors())
    return problem_response(422, "InvalidRequest", expected, got, "see /docs for every parameter")


async def _handle_http(request: Request, error: Exception) -> Response:
    raised = cast(HTTPException, error)
    if raised.status_code == 404 and (moved := without_slash(request)):
        return moved
    expected, remedy = _HTTP_TEXTS.get(raised.status_code, ("a request that can be answered", "see /docs"))
    got = f"{request.method} {request.url.path[:100]}"
    name = {404: "NotFound", 405: "MethodNotAllowed"}.get(raised.status_code, "HttpError")
    headers = {"Allow": allowed_methods(request)} if raised.status_code == 405 else raised.headers
    return problem_response(raised.status_code, name, expected, got, remedy, headers)


_HTTP_TEXTS = {
    404: ("a route of this service", "see /docs for every route"),
    405: ("a method that the route has", "see /docs for the methods of every route"),
}


async def _handle_failure(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and the server logs it.
    return failure_response()


class UnexpectedErrors:
    """ASGI middleware that answers 500 to unhandled errors.

    Starlette answers them too, but outside all other middleware: without headers, metrics and a line in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an answer that has begun is cut off, so that it does not look complete."""
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
