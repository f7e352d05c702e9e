"""The files of /docs: parts of them are answered as parts of runs are."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.context import now_utc
from service.http.ranges import part_asked_for

PATH = "/static-offline-docs"
"""Where fastapi-offline serves Swagger UI."""


class Assets(StaticFiles):
    """Files of a folder. Starlette would answer a Range that is none with 400, as plain text."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """See StaticFiles; raises RangeNotSatisfiable. In the scope one part is left to ask for, or none."""
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
    """Put them in the place of the files that fastapi-offline has mounted."""
    (mount,) = (route for route in app.routes if isinstance(route, Mount) and route.path == PATH)
    given = mount.app
    if not isinstance(given, StaticFiles) or given.directory is None:
        raise TypeError(f"expected files of a folder at {PATH}, got {given}")
    mount.app = Assets(directory=given.directory)
