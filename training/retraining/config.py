"""The configuration of a retraining: one TOML file, one frozen dataclass."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from training.config import make_table
from training.retraining.gate import GateConfig

_FIT_TABLES = ("network", "framing", "data", "loss", "optimiser", "leads", "zero_head", "sampling")


@dataclass(frozen=True)
class PartsConfig:
    """How an archive becomes a training, a validation and a test part, each a stretch of time, the newest last."""

    products: tuple[str, ...] = ()
    """Take these only; all that fit the model by default."""
    newest_days: int = 90
    """Of each product, before the archive's newest frame of all; 0 for all."""
    block_hours: float = 6.0
    """Frames are kept together in blocks of this length at most; no window crosses from one to the next."""
    separation_hours: float = 6.0
    """Blocks that end so shortly before the next part begins are left out: they see its weather."""
    test_share: float = 0.2
    validation_share: float = 0.15
    """Of the frames."""
    windows: int = 400
    """Training windows, drawn towards rain."""
    validation_windows: int = 64
    tile: int = 256
    """Largest edge of a window's piece of the grid, in pixels."""
    stride: int = 2
    """Timesteps from one window's start to the next."""

    def __post_init__(self) -> None:
        shares = (self.test_share, self.validation_share)
        if min(shares) <= 0 or sum(shares) >= 1:
            raise ValueError(f"expected shares above 0 that leave some to train on, got {shares}; correct them")
        if min(self.windows, self.validation_windows, self.tile, self.stride) < 1 or self.block_hours <= 0:
            raise ValueError("expected windows, tile, stride and block_hours above 0; correct them")


@dataclass(frozen=True)
class RetrainConfig:
    """All that decides the outcome of a retraining.

    Parameters
    ----------
    start : "champion" or "anew"
        Fine-tune the champion's weights, or train fresh ones of the tables [network] and [framing].
    accept : "challenger" or "promote"
        What becomes of a version that passes the gate: a challenger in shadow, or champion at once.
    probation_hours : float
        After "promote": how long live skill may roll it back.
    lead_minutes : int
        The longest lead time that is scored; the model's training length by default (0).
    test_starts : int
        Forecasts of the test part that are scored at most, evenly spaced.
    keep_versions, keep_runs : int
        How many are kept beside champion, previous and challenger, and beside the run itself.
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
    fit: dict[str, Any] = field(default_factory=dict)

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
        Names that a table does not know, or values out of range.
    """
    tables = tomllib.loads(path.read_text()) if path else {}
    known = {each.name for each in fields(RetrainConfig)} - {"fit"}
    own = {key: value for key, value in tables.items() if key in known}
    own["parts"] = make_table(PartsConfig, tables.get("parts", {}))
    own["gate"] = make_table(GateConfig, tables.get("gate", {}))
    fit = {key: value for key, value in tables.items() if key in _FIT_TABLES}
    unknown = sorted(set(tables) - known - set(_FIT_TABLES))
    if unknown:
        raise ValueError(f"expected any of {sorted(known | set(_FIT_TABLES))}, got {', '.join(unknown)}; check names")
    config: RetrainConfig = make_table(RetrainConfig, own | {"fit": fit})
    return config
