"""GET /metrics: counts and states for Prometheus."""

from __future__ import annotations

from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from service.context import Parts
from service.http.problems import documented

router = APIRouter(tags=["health"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus's text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get("/metrics", response_class=Response, responses={**_TEXT, **documented(500)})
async def metrics(service: Parts) -> Response:
    """What was counted since the start of this process, and how old the newest frames are."""
    text = await run_sync(generate_latest, service.metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
