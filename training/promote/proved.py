"""Proof that a version of a repository is what its folder says, before anybody serves it."""

from __future__ import annotations

from pathlib import Path

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster
from models.repository import version_file
from radar.errors import ArtifactRejected


def prove(repository: Path, name: str, version: str) -> RecurrentForecaster:
    """A version that its manifest vouches for, that answers its golden case, and whose card names it.

    Raises
    ------
    UnknownModel, ArtifactRejected
        It is not there, or is something else: a service would refuse it.
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
