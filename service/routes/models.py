"""The models and their cards."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from service.answers.schema import ModelAnswer, ModelsAnswer
from service.catalogue import ServedModel
from service.context import Parts
from service.problems import documented

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", responses=documented(500))
async def models(service: Parts) -> ModelsAnswer:
    """All models that answer, and which of them by default."""
    catalogue = service.catalogue
    return ModelsAnswer(default=catalogue.default, models=[_describe(catalogue.get(name)) for name in catalogue.names])


@router.get("/{name}", responses=documented(404, 422, 500))
async def model(service: Parts, name: Annotated[str, Path(max_length=80, examples=["ms-convlstm"])]) -> ModelAnswer:
    """One model: its card, and the scores and lineage of its manifest."""
    return _describe(service.catalogue.get(name))


def _describe(served: ServedModel) -> ModelAnswer:
    card = served.forecaster.card
    return ModelAnswer(
        name=card.name,
        version=card.version,
        champion=True,
        card=card.model_dump(mode="json"),
        manifest=dict(served.manifest),
    )
