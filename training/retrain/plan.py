"""The plan of a retraining, read from its folder: the same however often it is begun."""

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
    """The champion, as the run's parent, and what is to be done.

    Parameters
    ----------
    run : RunFolder
    champion : Path
        Its float32 file.
    card : ModelCard
        The champion's.
    trained_by : dict
        What the champion was trained by; empty where its manifest is older than that it tells.
    config : RetrainConfig
    """

    run: RunFolder
    champion: Path
    card: ModelCard
    trained_by: dict[str, Any]
    config: RetrainConfig

    @property
    def steps(self) -> int:
        """Lead times that are scored: as many as both models reach, those trained for by default."""
        config = self.trained
        minutes = self.config.lead_minutes or config.leads * config.framing.timestep_minutes
        reached = min(self.card.longest_lead_minutes, self.longest_lead_minutes)
        return max(1, min(minutes, reached) // self.card.timestep_minutes)

    @property
    def longest_lead_minutes(self) -> int:
        """Of the challenger: at least the champion's, which clients may ask for."""
        config, step = self.trained, self.trained.framing.timestep_minutes
        return max(config.leads, -(-self.card.longest_lead_minutes // step)) * step

    @property
    def frames_tested(self) -> int:
        """Frames of one forecast of the test part."""
        lengths = (self.card.input_length, self.trained.framing.input_length)
        return frames_tested(max(lengths), self.steps)

    def data_set(self) -> DataSet:
        """The run's data set, which must be there."""
        there = open_data_set(self.run.data)
        if there is None:
            raise IncompleteHistory(expected="the data set of the run", got="none", remedy="begin a new run")
        return there

    @property
    def trained(self) -> FitConfig:
        """What is trained, whatever the data set will be."""
        return fit_config(self.config, self.card, self.trained_by)

    def fit_config(self) -> FitConfig:
        """What is trained, on the run's data set."""
        return fit_config(self.config, self.card, self.trained_by, self.data_set().sha256)


def plan_of(run: RunFolder, repository: Path, config: RetrainConfig) -> RetrainPlan:
    """The plan of a run; raises ArtifactRejected where its parent is damaged, UnknownModel where it is gone."""
    about = run.about
    champion = version_file(repository, about["model"], about["parent"])
    trained_by = read_manifest(repository, about["model"], about["parent"]).get("configuration", {})
    return RetrainPlan(run, champion, read_card_of(champion), trained_by, config)


_FINE_TUNING = {"iterations": 400, "learning_rate": 2e-4, "warm_up": 20, "validate_every": 50}
"""Of the optimiser, where the configuration says nothing: weights that are good already move in small steps."""
_LOSS = {"dry_slack": 0.5}
"""Of the loss, likewise: retrained by the clock, nobody looks whether it drizzles where it is dry."""


def fit_config(
    config: RetrainConfig, card: ModelCard, trained_by: Mapping[str, Any], data_sha256: str = ""
) -> FitConfig:
    """What `fit` is to do, on the data set of that digest.

    Parameters
    ----------
    config : RetrainConfig
    card : ModelCard
        The champion's.
    trained_by : mapping
        The configuration that the champion was trained by, for its leads and loss; empty where nobody knows.
    data_sha256 : str

    Raises
    ------
    ValueError
        Names that a table does not know, or values out of range.
    """
    said = config.fit
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
        **said,
        "framing": {**own["framing"], **said.get("framing", {})},
        "network": said.get("network", own["network"]),
        "loss": {**trained_by.get("loss", {}), **_LOSS, **said.get("loss", {})},
        "optimiser": {**usual, **said.get("optimiser", {})},
        "data": {
            **{key: value for key, value in said.get("data", {}).items() if key not in ARCHIVE_DECIDES},
            "dataset": "archive",
            "options": {"sha256": data_sha256},
        },
    }
    return make_config(tables)


def _leads_of(card: ModelCard) -> int:
    """Of a version without a configuration: it was exported for twice the leads that it was trained for."""
    return max(1, card.longest_lead_minutes // card.timestep_minutes // 2)
