"""The configuration of the training in a retraining: the champion's network, framing and loss, and what is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.card import ModelCard
from training.config.config import FitConfig, make_config
from training.retrain.config import ARCHIVE_DECIDES, RetrainConfig

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
