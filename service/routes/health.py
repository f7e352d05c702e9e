"""Liveness and readiness."""

from __future__ import annotations

from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from service.answers.schema import ReadyAnswer
from service.context import Parts
from service.http.problems import documented
from service.http.root_path import root_path_of
from service.routes.inventory import readiness

router = APIRouter(tags=["health"])

_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ReadyAnswer, "description": "It cannot forecast"}}


@router.get("/livez", responses=documented(500))
async def livez() -> dict[str, bool]:
    """Whether the process answers."""
    return {"alive": True}


@router.get("/readyz", responses={**_NOT_READY, **documented(500)})
async def readyz(service: Parts, response: Response) -> ReadyAnswer:
    """Whether models are loaded, checked and warm, and the service is not stopping. Frames and store are reported."""
    answer = await run_sync(readiness, service)
    response.status_code = 200 if answer.ready else 503
    return answer


@router.get("/", include_in_schema=False)
async def front_door(request: Request) -> RedirectResponse:
    """Redirect to the documentation."""
    return RedirectResponse(f"{root_path_of(request.scope)}/docs")
