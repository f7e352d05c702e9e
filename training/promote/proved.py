"""Check of a repository's version before it is served."""

from __future__ import annotations

from pathlib import Path

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster
from models.repository import version_file
from radar.errors import ArtifactRejected


def prove(repository: Path, name: str, version: str) -> RecurrentForecaster:
    """Load a version that matches its manifest, its golden case and its card.

    Raises
    ------
    UnknownModel, ArtifactRejected
        The version is missing, or does not match: a service would refuse it.
    """
    forecaster = load_forecaster(version_file(repository, name, version), "cpu")
    card = forecaster.card
    if (card.name, card.version) != (name, version):
        raise ArtifactRejected(
            expected=f"the card of {name} {version}, as its folder says",
            got=f"that of {card.name} {card.version}"[:200],
            remedy="export the model under that name and version",
        )
    return forecaster
