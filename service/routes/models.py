"""The models and their cards."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from service.answers.schema import ModelAnswer, ModelsAnswer
from service.context import Parts
from service.forecasting.catalogue import ServedModel
from service.http.problems import documented
from service.routes.checked_route import CheckedRoute
from service.routes.inventory import rejected_models

router = APIRouter(prefix="/models", tags=["models"], route_class=CheckedRoute)


@router.get("", responses=documented(422, 500))
async def models(service: Parts) -> ModelsAnswer:
    """All served models, and the default one."""
    models = service.catalogue.models  # one state of it, even if it is replaced meanwhile
    return ModelsAnswer(
        default=service.catalogue.default,
        models=[_describe(model) for model in models.values()],
        rejected=rejected_models(service.catalogue),
    )


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
        lineage=card.lineage.model_dump(mode="json"),
        card=card.model_dump(mode="json"),
        manifest=dict(served.manifest),
    )
