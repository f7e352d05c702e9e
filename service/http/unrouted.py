"""Answers for paths and methods without a route: the allowed methods, or a redirect to the route."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from service.http.root_path import root_path_of, route_path


def allowed_methods(request: Request) -> str:
    """The value of Allow: the methods of every route at the requested path."""
    methods: set[str] = set()
    for route in _routes_at(request, route_path(request.scope)):
        methods |= getattr(route, "methods", None) or {"GET"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def without_slash(request: Request) -> Response | None:
    """A redirect to the same path without the slash at its end, if that has a route.

    It names no host: behind a proxy the service does not know its public name.
    """
    path = route_path(request.scope)
    shorter = path.rstrip("/")
    if shorter == path or next(_routes_at(request, shorter), None) is None:
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{root_path_of(request.scope)}{shorter}{query}", status_code=307)


def _routes_at(request: Request, path: str) -> Iterator[BaseRoute]:
    # Routes below a mounted folder are files, which the folder itself serves.
    root_path = root_path_of(request.scope)
    scope: Scope = {**request.scope, "root_path": root_path, "path": root_path + path}
    for route in request.app.router.routes:
        if route.matches(scope)[0] is not Match.NONE:
            yield route
