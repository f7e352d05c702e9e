"""The models that are served, which may be exchanged while they are."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from models.card import ModelCard
from models.recurrent import RecurrentForecaster
from models.repository import champion_of, champions, read_manifest, version_file
from radar.errors import ArtifactRejected, UnknownModel
from service.errors import DefaultModelGone

PREFERRED = "ms-convlstm"
"""The default model where the repository has it; otherwise the first by name."""

Load = Callable[[Path], RecurrentForecaster]
"""Makes a forecaster of a model file, proved and warm."""


@dataclass(frozen=True)
class ServedModel:
    """A model's forecaster, and the manifest of its version."""

    forecaster: RecurrentForecaster
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Rejection:
    """A champion that is not served, and why; `version` is None where the aliases do not name one."""

    name: str
    version: str | None
    reason: str


class Catalogue:
    """The champion of every model in a repository, by name.

    Whoever has taken a model with `get` keeps that one, whatever is put in its place: `models` is replaced as a whole
    and never changed. One thread puts, rejects and removes.
    """

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        self.models: Mapping[str, ServedModel] = dict(models)
        self._chosen: str | None = None
        self._chosen_card: ModelCard | None = None
        self.rejected: tuple[Rejection, ...] = ()

    @property
    def default(self) -> str:
        """The name of the model that answers where none is named; one that was chosen has no substitute."""
        return self._chosen or default_of(self.models)

    @property
    def default_card(self) -> ModelCard:
        """The card of the default model; of one that has gone its last."""
        found = self.models.get(self.default)
        return found.forecaster.card if found else cast(ModelCard, self._chosen_card)

    @property
    def default_gone(self) -> str | None:
        """What is said when the model that was chosen as the default has left."""
        if self._chosen is None or self._chosen in self.models:
            return None
        return f"model {self._chosen}, which RAINCELL_DEFAULT_MODEL names, has left the model repository"

    def prefer(self, name: str) -> None:
        """Choose a model as the default; UnknownModel if there is none of that name."""
        self._chosen_card = self.get(name).forecaster.card
        self._chosen = name

    @property
    def names(self) -> tuple[str, ...]:
        """All models."""
        return tuple(self.models)

    def get(self, name: str | None) -> ServedModel:
        """A model, or the default for None; raises UnknownModel, or DefaultModelGone for None."""
        models = self.models
        if name is None and self._chosen is not None and self._chosen not in models:
            raise DefaultModelGone(
                expected=f"the model {self._chosen}, which RAINCELL_DEFAULT_MODEL names, in the model repository",
                got="none of that name any more",
                remedy=f"name one of {', '.join(models)} with model=; its operator brings it back, or sets another",
            )
        found = models.get(self.default if name is None else name)
        if found is None:
            near = difflib.get_close_matches(str(name), models, 1)
            raise UnknownModel(
                expected="one of the models " + ", ".join(models),
                got=f"{str(name)[:60]!r}",
                remedy="see GET /models" + (f"; {near[0]} may be meant" if near else ""),
            )
        return found

    def put(self, name: str, model: ServedModel) -> None:
        """Serve a model from now on, in place of the one of that name."""
        models = {**self.models, name: model}
        self.models = {known: models[known] for known in sorted(models)}
        self.accept(name)

    def remove(self, name: str) -> None:
        """Serve it no longer."""
        if name == self._chosen:
            self._chosen_card = self.models[name].forecaster.card
        self.models = {known: model for known, model in self.models.items() if known != name}

    def reject(self, rejection: Rejection) -> None:
        """Say that a champion is not served; what is served stays."""
        self.rejected = (*(known for known in self.rejected if known.name != rejection.name), rejection)

    def accept(self, name: str) -> None:
        """Nothing is wrong with the champion of that name any more."""
        self.rejected = tuple(known for known in self.rejected if known.name != name)


def default_of(models: Mapping[str, ServedModel]) -> str:
    """Which of them answers where none is named."""
    return PREFERRED if PREFERRED in models else next(iter(models))


def load_catalogue(repository: Path, load: Load) -> Catalogue:
    """Load every champion; raises ArtifactRejected for one that is not what its card says."""
    return Catalogue({name: load_champion(repository, name, load) for name in champions(repository)})


def load_champion(repository: Path, name: str, load: Load) -> ServedModel:
    """Load the champion of a model.

    Raises
    ------
    UnknownModel, ArtifactRejected
        Its version is not there, is not what manifest and card say, or is another's.
    """
    version = champion_of(repository, name)
    forecaster = load(version_file(repository, name, version))
    card = forecaster.card
    if (card.name, card.version) != (name, version):
        raise ArtifactRejected(
            expected=f"the card of {name} {version}, as its folder says",
            got=f"that of {card.name} {card.version}"[:200],
            remedy="export the model under that name and version: answers name what the card says",
        )
    return ServedModel(forecaster, read_manifest(repository, name, version))
