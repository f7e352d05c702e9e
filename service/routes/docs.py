"""GET /docs: the documentation of all routes; nothing of it comes from other hosts."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from service.documentation.assets import PATH
from service.http.root_path import root_path_of
from service.security.security_headers import content_policy

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Swagger UI; of scripts within a page, its policy allows just the one that starts it."""
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
