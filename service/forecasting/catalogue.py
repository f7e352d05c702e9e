"""The models that are served; they may be replaced while they are in use."""

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
"""The default model if the repository has it; otherwise the first by name."""

Load = Callable[[Path], RecurrentForecaster]
"""Makes a checked and warm forecaster of a model file."""


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

    A model from `get` stays usable after its replacement: `models` is replaced as a whole and never changed. One thread
    puts, rejects and removes.
    """

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        self.models: Mapping[str, ServedModel] = dict(models)
        self._chosen: str | None = None
        self._chosen_card: ModelCard | None = None
        self.rejected: tuple[Rejection, ...] = ()

    @property
    def default(self) -> str:
        """The name of the model for requests that name none; a chosen default has no substitute."""
        return self._chosen or default_of(self.models)

    @property
    def default_card(self) -> ModelCard:
        """The card of the default model; its last card if it has left the repository."""
        found = self.models.get(self.default)
        return found.forecaster.card if found else cast(ModelCard, self._chosen_card)

    @property
    def default_gone(self) -> str | None:
        """A message if the chosen default model has left the repository; else None."""
        if self._chosen is None or self._chosen in self.models:
            return None
        return f"model {self._chosen}, which RAINCELL_DEFAULT_MODEL names, has left the model repository"

    def prefer(self, name: str) -> None:
        """Choose a model as the default; raises UnknownModel if no model has that name."""
        self._chosen_card = self.get(name).forecaster.card
        self._chosen = name

    @property
    def names(self) -> tuple[str, ...]:
        """All models."""
        return tuple(self.models)

    def get(self, name: str | None) -> ServedModel:
        """A model, the default one for None; raises UnknownModel, or DefaultModelGone for None."""
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
        """Serve a model from now on, in place of the one with that name."""
        models = {**self.models, name: model}
        self.models = {known: models[known] for known in sorted(models)}
        self.accept(name)

    def remove(self, name: str) -> None:
        """No longer serve a model."""
        if name == self._chosen:
            self._chosen_card = self.models[name].forecaster.card
        self.models = {known: model for known, model in self.models.items() if known != name}

    def reject(self, rejection: Rejection) -> None:
        """Note that a champion is not served; the served model stays."""
        self.rejected = (*(known for known in self.rejected if known.name != rejection.name), rejection)

    def accept(self, name: str) -> None:
        """Forget the rejection of that name's champion."""
        self.rejected = tuple(known for known in self.rejected if known.name != name)


def default_of(models: Mapping[str, ServedModel]) -> str:
    """The name of the model for requests that name none."""
    return PREFERRED if PREFERRED in models else next(iter(models))


def load_catalogue(repository: Path, load: Load) -> Catalogue:
    """Load every champion; raises ArtifactRejected for one that does not match its card."""
    return Catalogue({name: load_champion(repository, name, load) for name in champions(repository)})


def load_champion(repository: Path, name: str, load: Load) -> ServedModel:
    """Load the champion of a model.

    Raises
    ------
    UnknownModel, ArtifactRejected
        The version is missing, does not match its manifest and card, or belongs to another model.
    """
    version = champion_of(repository, name)
    forecaster = load(version_file(repository, name, version))
    card = forecaster.card
    if (card.name, card.version) != (name, version):
        raise ArtifactRejected(
            expected=f"the card of {name} {version}, as its folder says",
            got=f"that of {card.name} {card.version}"[:200],
            remedy="export the model under that name and version: answers use the card's name",
        )
    return ServedModel(forecaster, read_manifest(repository, name, version))
