"""Schemas of bodies and answers that are parsed and written by hand, so that FastAPI does not find them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_TEMPLATE = "#/components/schemas/{model}"


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A reference to a model's schema, which `add_schemas` has to add."""
    return {"$ref": _TEMPLATE.format(model=model.__name__)}


def add_schemas(app: FastAPI, models: tuple[type[BaseModel], ...]) -> None:
    """Add the schemas of these models, and of their parts, to the OpenAPI document of `app`."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:  # made before, with titles
            return app.openapi_schema
        document = describe()
        # Only when the document is requested: this takes longer than the rest of making an application.
        _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_TEMPLATE)
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            _entitle(operation)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _entitle(operation: dict[str, Any]) -> None:
    """Set a route's title to the first paragraph of its description, instead of its function's name."""
    title, _, description = operation.pop("description", "").partition("\n\n")
    if title:
        operation["summary"] = " ".join(title.replace("`", "").split()).removesuffix(".")
    if description:
        operation["description"] = description
