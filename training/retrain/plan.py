"""What a run is about, read from its folder: the same however often it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.card import ModelCard
from models.onnx_forecaster import read_card_of
from models.repository import read_manifest, version_file
from radar.errors import IncompleteHistory
from training.config.config import FitConfig
from training.retrain.config import RetrainConfig
from training.retrain.data_set import DataSet, open_data_set
from training.retrain.fit_config import fit_config
from training.retrain.run_folder import RunFolder
from training.retrain.trial import frames_tested


@dataclass(frozen=True)
class Plan:
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


def plan_of(run: RunFolder, repository: Path, config: RetrainConfig) -> Plan:
    """The plan of a run; raises ArtifactRejected where its parent is damaged, UnknownModel where it is gone."""
    about = run.about
    champion = version_file(repository, about["model"], about["parent"])
    trained_by = read_manifest(repository, about["model"], about["parent"]).get("configuration", {})
    return Plan(run, champion, read_card_of(champion), trained_by, config)
