"""The plan of a retraining, read from its folder, so that a resumed run has the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.card import ModelCard
from models.onnx_forecaster import read_card_of
from models.repository import read_manifest, version_file
from radar.errors import IncompleteHistory
from training.config.config import FitConfig, make_config
from training.retrain.config import ARCHIVE_DECIDES, RetrainConfig
from training.retrain.data_set import DataSet, open_data_set
from training.retrain.run_folder import RunFolder
from training.retrain.trial import frames_tested


@dataclass(frozen=True)
class RetrainPlan:
    """The champion, as the run's parent, and the work to do.

    Parameters
    ----------
    run : RunFolder
    champion : Path
        The champion's float32 file.
    card : ModelCard
        The champion's card.
    trained_by : dict
        The champion's training configuration; empty if its manifest is too old to have it.
    config : RetrainConfig
    """

    run: RunFolder
    champion: Path
    card: ModelCard
    trained_by: dict[str, Any]
    config: RetrainConfig

    @property
    def steps(self) -> int:
        """The number of scored lead times: as many as both models reach, by default those of the training."""
        config = self.trained
        minutes = self.config.lead_minutes or config.leads * config.framing.timestep_minutes
        reached = min(self.card.longest_lead_minutes, self.longest_lead_minutes)
        return max(1, min(minutes, reached) // self.card.timestep_minutes)

    @property
    def longest_lead_minutes(self) -> int:
        """The challenger's longest lead time: at least the champion's, which clients may request."""
        config, step = self.trained, self.trained.framing.timestep_minutes
        return max(config.leads, -(-self.card.longest_lead_minutes // step)) * step

    @property
    def frames_tested(self) -> int:
        """Frames of one forecast of the test part."""
        lengths = (self.card.input_length, self.trained.framing.input_length)
        return frames_tested(max(lengths), self.steps)

    def data_set(self) -> DataSet:
        """The run's data set; raises IncompleteHistory if it is missing."""
        there = open_data_set(self.run.data)
        if there is None:
            raise IncompleteHistory(expected="the data set of the run", got="none", remedy="begin a new run")
        return there

    @property
    def trained(self) -> FitConfig:
        """The training configuration, without the data set."""
        return fit_config(self.config, self.card, self.trained_by)

    def fit_config(self) -> FitConfig:
        """The training configuration, with the run's data set."""
        return fit_config(self.config, self.card, self.trained_by, self.data_set().sha256)


def plan_of(run: RunFolder, repository: Path, config: RetrainConfig) -> RetrainPlan:
    """The plan of a run; raises ArtifactRejected if its parent is damaged, UnknownModel if it is gone."""
    about = run.about
    champion = version_file(repository, about["model"], about["parent"])
    trained_by = trained_by_of(repository, about["model"], about["parent"])
    return RetrainPlan(run, champion, read_card_of(champion), trained_by, config)


def trained_by_of(repository: Path, model: str, version: str) -> dict[str, Any]:
    """The training configuration of a version; empty if its manifest has none."""
    found: dict[str, Any] = read_manifest(repository, model, version).get("configuration", {})
    return found


_FINE_TUNING = {"iterations": 400, "learning_rate": 2e-4, "warm_up": 20, "validate_every": 50}
"""Default settings of the optimiser: good weights are fine-tuned in small steps."""
_LOSS = {"dry_slack": 0.5}
"""Default settings of the loss: nobody inspects a scheduled retraining for drizzle in dry areas."""


def fit_config(
    config: RetrainConfig, card: ModelCard, trained_by: Mapping[str, Any], data_sha256: str = ""
) -> FitConfig:
    """The configuration of `fit`, on the data set with that digest.

    Parameters
    ----------
    config : RetrainConfig
    card : ModelCard
        The champion's.
    trained_by : mapping
        The champion's training configuration, for its leads and loss; empty if unknown.
    data_sha256 : str

    Raises
    ------
    ValueError
        A table has unknown names, or values out of range.
    """
    settings = config.fit
    usual = _FINE_TUNING if config.start == "champion" else {}
    own: dict[str, Any] = {
        "name": card.name,
        "leads": trained_by.get("leads") or _leads_of(card),
        "network": asdict(card.spec),
        "framing": asdict(card.framing),
        "zero_head": card.base != "none" and config.start == "anew",
    }
    tables: dict[str, Any] = {
        **own,
        **settings,
        "framing": {**own["framing"], **settings.get("framing", {})},
        "network": settings.get("network", own["network"]),
        "loss": {**trained_by.get("loss", {}), **_LOSS, **settings.get("loss", {})},
        "optimiser": {**usual, **settings.get("optimiser", {})},
        "data": {
            **{key: value for key, value in settings.get("data", {}).items() if key not in ARCHIVE_DECIDES},
            "dataset": "archive",
            "options": {"sha256": data_sha256},
        },
    }
    return make_config(tables)


def _leads_of(card: ModelCard) -> int:
    """The training leads of a version without a configuration, which was exported for twice as many."""
    return max(1, card.longest_lead_minutes // card.timestep_minutes // 2)
