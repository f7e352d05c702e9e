"""API keys in the OpenAPI document: the schemes, and for every route its scope and the form of a refusal."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from service.http.problems import documented
from service.security.access import scope_of

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def add_security(app: FastAPI) -> None:
    """Describe `service.security.access` in the OpenAPI document of `app`, for all routes, also later ones."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _protect(operation, scope_of(method.upper(), path))
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _protect(operation: dict[str, Any], scope: str | None) -> None:
    if scope is None:
        return
    # OpenAPI 3.1 lets a scheme without scopes list the needed roles.
    operation["security"] = [{scheme: [scope]} for scheme in _SCHEMES]
    refusals = {str(status): response for status, response in documented(401, 403, 421, 429).items()}
    operation["responses"] = refusals | operation["responses"]
