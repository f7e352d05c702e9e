"""The configuration of a retraining: one TOML file, one frozen dataclass."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from models.framing import Framing
from models.spec import NetworkSpec
from training.config.config import DataConfig, FitConfig, LossConfig, OptimiserConfig, check_framing, check_network
from training.config.tables import (
    ABOVE_0,
    FROM_0,
    FROM_1,
    IN_NO_FILE,
    Range,
    check_ranges,
    check_settings,
    make_table,
    read_tables,
    settings_of,
)
from training.retrain.gate import GateConfig

_FIT_SETTINGS: dict[str, type[Any] | None] = {
    "network": NetworkSpec,
    "framing": Framing,
    "loss": LossConfig,
    "optimiser": OptimiserConfig,
    "data": DataConfig,
    **dict.fromkeys(("leads", "zero_head", "sampling", "description")),
}
"""The allowed parts of a configuration of `fit`: tables with their dataclass, and settings in front of all tables."""
ARCHIVE_DECIDES = ("train", "validation", "kept_out", "stride", "synthetic", "synthetic_share", "dataset", "options")
"""Settings of [data] that are not allowed: the archive determines them."""


@dataclass(frozen=True)
class PartsConfig:
    """The split of an archive into training, validation and test, each a stretch of time, in this order."""

    products: tuple[str, ...] = ()
    """The products to take; by default all that fit the model."""
    newest_days: int = 90
    """The days to take, before the newest frame of the archive; 0 for all."""
    block_hours: float = 6.0
    """The longest block of consecutive frames, in hours; a window lies within one block."""
    separation_hours: float = 6.0
    """Blocks that end less than this before the next part are left out, since they show its weather."""
    test_share: float = 0.2
    validation_share: float = 0.15
    """Share of the frames."""
    windows: int = 400
    """Training windows, drawn towards rain."""
    validation_windows: int = 64
    tile: int = 256
    """Largest edge of a window's piece of the grid, in pixels."""
    stride: int = 2
    """Timesteps from one window's start to the next."""

    def __post_init__(self) -> None:
        inner = Range(0, 1, low_open=True, high_open=True)
        check_ranges(self, test_share=inner, validation_share=inner, newest_days=FROM_0, separation_hours=FROM_0)
        check_ranges(self, windows=FROM_1, validation_windows=FROM_1, tile=FROM_1, stride=FROM_1, block_hours=ABOVE_0)
        if self.test_share + self.validation_share >= 1:
            both = f"{self.test_share:g} and {self.validation_share:g}"
            raise ValueError(f"expected test_share and validation_share below 1 together, got {both}; correct them")


@dataclass(frozen=True)
class RetrainConfig:
    """Everything that determines the outcome of a retraining.

    Parameters
    ----------
    start : "champion" or "anew"
        Fine-tune the champion's weights, or train a new network by the tables [network] and [framing].
    accept : "challenger" or "promote"
        The role of a version that passes the gate: a challenger in shadow, or champion at once.
    probation_hours : float
        After "promote": how long live skill may roll it back.
    lead_minutes : int
        The longest lead time that is scored; the model's training length by default (0).
    test_starts : int
        The most forecasts of the test part that are scored, evenly spaced.
    keep_versions, keep_runs : int
        How many versions are kept in addition to champion, previous and challenger, and how many other runs.
    fit : dict
        Tables and settings of a configuration of `fit`, as in training/configs.
    """

    start: Literal["champion", "anew"] = "champion"
    accept: Literal["challenger", "promote"] = "challenger"
    probation_hours: float = 48.0
    lead_minutes: int = 0
    test_starts: int = 200
    keep_versions: int = 5
    keep_runs: int = 10
    parts: PartsConfig = PartsConfig()
    gate: GateConfig = GateConfig()
    fit: dict[str, Any] = field(default_factory=dict, metadata=IN_NO_FILE)

    def __post_init__(self) -> None:
        check_ranges(self, probation_hours=FROM_0, lead_minutes=FROM_0, test_starts=FROM_1)
        check_ranges(self, keep_versions=FROM_0, keep_runs=FROM_0)

    @property
    def content(self) -> dict[str, Any]:
        """All settings as JSON values."""
        return asdict(self)

    @property
    def sha256(self) -> str:
        """Digest of the whole configuration."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()


def load_retrain_config(path: Path | None) -> RetrainConfig:
    """Read a TOML file; the defaults for None.

    Raises
    ------
    ValueError
        A setting is unknown, missing, of another type or out of range; the error names the file and the setting.
    """
    if path is None:
        return RetrainConfig()
    tables = read_tables(path)
    with settings_of(str(path)):
        fit = {key: value for key, value in tables.items() if key in _FIT_SETTINGS}
        own = {key: value for key, value in tables.items() if key not in _FIT_SETTINGS}
        _check_fit(fit)
        config: RetrainConfig = make_table(RetrainConfig, own, also=_FIT_SETTINGS)
        return replace(config, fit=fit)


def _check_fit(fit: dict[str, Any]) -> None:
    """Check the settings of `fit`, as far as possible without the champion."""
    tables = {key: kind for key, kind in _FIT_SETTINGS.items() if kind is not None and key in fit}
    check_settings(FitConfig, {key: value for key, value in fit.items() if key not in tables})
    made = {key: make_table(kind, fit[key], key) for key, kind in tables.items()}
    if "network" in made:
        check_network(made["network"])
    if "framing" in made:
        check_framing(made["framing"])
    decided = [key for key in fit.get("data", {}) if key in ARCHIVE_DECIDES]
    if decided:
        raise ValueError(
            f"[data]: expected no events in a retraining, got {decided[0]}; the archive decides, remove it"
        )
