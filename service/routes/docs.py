"""GET /docs: the documentation of all routes, without content from other hosts."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.context import now_utc
from service.http.ranges import part_asked_for
from service.http.root_path import root_path_of
from service.security.security_headers import content_policy

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Swagger UI; its policy allows only one inline script, the one that starts it."""
    root_path = root_path_of(request.scope)
    assets = f"{root_path}{PATH}"
    page = get_swagger_ui_html(
        openapi_url=f"{root_path}/openapi.json",
        title="Raincell",
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = content_policy(script_src=f"'self' {_hashes(bytes(page.body))}")
    return page


def _hashes(page: bytes) -> str:
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts)


PATH = "/static-offline-docs"
"""The path of fastapi-offline's Swagger UI."""


class Assets(StaticFiles):
    """Files of a folder. Starlette would answer an invalid Range with 400, as plain text."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """See StaticFiles; raises RangeNotSatisfiable. The scope keeps one requested part, or none."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if not isinstance(response, FileResponse):  # not modified
            return response
        modified = datetime.fromtimestamp(stat_result.st_mtime, UTC)
        part = part_asked_for(Request(scope), response.headers["etag"], modified, now_utc(), stat_result.st_size)
        others = [pair for pair in scope["headers"] if pair[0] not in (b"range", b"if-range")]
        asked = [(b"range", f"bytes={part.start}-{part.stop - 1}".encode())] if part else []
        scope["headers"] = others + asked
        return response


def serve_assets(app: FastAPI) -> None:
    """Replace the files that fastapi-offline has mounted."""
    (mount,) = (route for route in app.routes if isinstance(route, Mount) and route.path == PATH)
    given = mount.app
    if not isinstance(given, StaticFiles) or given.directory is None:
        raise TypeError(f"expected files of a folder at {PATH}, got {given}")
    mount.app = Assets(directory=given.directory)
