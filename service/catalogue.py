"""The models that are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.recurrent import RecurrentForecaster
from models.repository import champions, read_manifest
from radar.errors import UnknownModel

PREFERRED = "ms-convlstm"
"""The default model where the repository has it; otherwise the first by name."""


@dataclass(frozen=True)
class ServedModel:
    """A model's forecaster, and the manifest of its version."""

    forecaster: RecurrentForecaster
    manifest: Mapping[str, Any]


class Catalogue:
    """The champion of every model in a repository, by name."""

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        self._models = dict(models)

    @property
    def default(self) -> str:
        """The name of the model that answers where none is named."""
        return PREFERRED if PREFERRED in self._models else next(iter(self._models))

    @property
    def names(self) -> tuple[str, ...]:
        """All models."""
        return tuple(self._models)

    def get(self, name: str | None) -> ServedModel:
        """A model, or the default for None; raises UnknownModel."""
        found = self._models.get(self.default if name is None else name)
        if found is None:
            raise UnknownModel(
                expected="one of the models " + ", ".join(self._models),
                got=f"{str(name)[:60]!r}",
                remedy="see GET /models",
            )
        return found


def load_catalogue(repository: Path, load: Callable[[Path], RecurrentForecaster]) -> Catalogue:
    """Load every champion; raises ArtifactRejected for one that is not what its card says."""
    models = {}
    for name, path in champions(repository).items():
        models[name] = ServedModel(load(path), read_manifest(repository, name, path.parent.name))
    return Catalogue(models)
