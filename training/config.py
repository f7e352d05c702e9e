"""The configuration of a training run: one TOML file, one frozen dataclass."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from models.framing import Framing
from models.spec import NetworkSpec, added_later, is_added_later
from radar.motion import Smoothing
from radar.rain import RainScaling
from training.sampling import Schedule


@dataclass(frozen=True)
class DataConfig:
    """What is trained on: whole events, or a data set of `training.data` (its parts are its own).

    No event may stand in two of `train`, `validation` and `kept_out`.
    """

    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    kept_out: tuple[str, ...] = ()
    stride: int = 2
    """Timesteps from one window's start to the next."""
    synthetic: int = 0
    """Synthetic storms of one window each."""
    synthetic_share: float = 0.2
    """Share of the crops that come from them."""
    dataset: str = added_later("events")
    """"events", or a key of `training.data.DATASETS`."""
    options: dict[str, Any] = added_later({})
    """Settings of that data set."""
    symmetries: bool = added_later(default=True)
    """Turn and mirror crops: rain has no preferred direction, digits and people have."""
    intensity: float = added_later(0.0)
    """Largest shift, up or down, of the rain of a sample in network units (0.1 is 7 dB for the default scaling)."""
    lost_sectors: float = added_later(0.0)
    """Odds that a sample loses a sector of all its frames."""
    lost_frames: float = added_later(0.0)
    """Odds that a sample loses a frame before its last."""

    def __post_init__(self) -> None:
        names = [*self.train, *self.validation, *self.kept_out]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"expected every event in one part only, got {', '.join(twice)} in two; remove one")


@dataclass(frozen=True)
class LossConfig:
    """A loss of `training.losses`, over the forecast or also over what is predicted while reading the input."""

    name: Literal["pinball", "mse+mae", "balanced"] = added_later("pinball")
    frames: Literal["forecast", "all"] = added_later("forecast")
    quantile: float = 0.5
    rain_weight: float = 0.0
    """How much more a pixel counts per network unit of observed rain."""
    dry_slack: float = added_later(1.0)
    """Part of `dry_below` (in network units) that may be said of a dry pixel at no cost: below 1, so that what a
    network comes to say of dry pixels stays clear of what is shown as rain."""
    decoupling: float = added_later(0.01)
    """Weight of PredRNN-V2's decoupling loss; other cells have none."""

    def __post_init__(self) -> None:
        if not 0 <= self.dry_slack <= 1:
            raise ValueError(f"expected a dry_slack from 0 to 1, got {self.dry_slack}; correct it")


_COUNTS = ("iterations", "batch", "crop", "validate_every", "save_every", "accumulate")


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam with a cosine learning rate and an exponential moving average of the weights."""

    iterations: int = 1000
    batch: int = 8
    crop: int = 96
    learning_rate: float = 1e-3
    warm_up: int = 50
    clip: float = 1.0
    average_decay: float = 0.99
    validate_every: int = 100
    seed: int = 1
    save_every: int = added_later(50)
    """Iterations from one state to resume from to the next."""
    accumulate: int = added_later(1)
    """Parts that a batch is computed in, one after the other: less memory, the same gradients."""
    activation_checkpointing: bool = added_later(default=False)
    """Compute each cell anew in the backward pass: less memory, more time, the same gradients."""
    bfloat16: bool = added_later(default=False)
    """Compute convolutions and products in bfloat16, weights and losses in float32."""
    compile: bool = added_later(default=False)
    """Compile the step by torch.compile."""

    def __post_init__(self) -> None:
        if min(getattr(self, name) for name in _COUNTS) < 1:
            raise ValueError(f"expected {', '.join(_COUNTS)} of 1 or more; correct them")


@dataclass(frozen=True)
class FitConfig:
    """All that decides the outcome of `fit`."""

    name: str
    leads: int
    network: NetworkSpec
    framing: Framing
    data: DataConfig
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    zero_head: bool = False
    sampling: Schedule = added_later("none")

    def __post_init__(self) -> None:
        warm_up_counts = self.loss.frames == "all" or self.sampling == "reverse"
        if warm_up_counts and self.framing.base != "none":
            raise ValueError(
                'expected framing.base = "none" where predictions of the input frames count (loss.frames = "all", '
                f'sampling = "reverse"), got {self.framing.base!r}; change one'
            )

    @property
    def sha256(self) -> str:
        """Digest of the whole configuration; settings added later do not count while they have their default."""
        return hashlib.sha256(json.dumps(_without_defaults_added_later(self), sort_keys=True).encode()).hexdigest()


def _without_defaults_added_later(value: Any) -> Any:  # noqa: ANN401
    if not is_dataclass(value):
        return value
    return {
        each.name: _without_defaults_added_later(getattr(value, each.name))
        for each in fields(value)
        if not is_added_later(each, getattr(value, each.name))
    }


def load_config(path: Path, **optimiser: float | None) -> FitConfig:
    """Read a TOML file; `optimiser` replaces values of its [optimiser] table (None keeps them).

    Raises
    ------
    ValueError
        Names that a table does not know, or values out of range.
    """
    tables = tomllib.loads(path.read_text())
    return make_config(tables | {"optimiser": tables.get("optimiser", {}) | _given(optimiser)})


def make_config(tables: dict[str, Any]) -> FitConfig:
    """The configuration from nested dicts as TOML and JSON give them."""
    framing = dict(tables.get("framing", {}))
    for key, kind in (("scaling", RainScaling), ("smoothing", Smoothing)):
        framing[key] = make_table(kind, framing.get(key, {}))
    made = {
        "network": make_table(NetworkSpec, _table(tables, "network")),
        "framing": make_table(Framing, framing),
        "data": make_table(DataConfig, _table(tables, "data")),
        "loss": make_table(LossConfig, tables.get("loss", {})),
        "optimiser": make_table(OptimiserConfig, tables.get("optimiser", {})),
    }
    config: FitConfig = make_table(FitConfig, tables | made)
    return config


def make_table(kind: type[Any], values: dict[str, Any]) -> Any:  # noqa: ANN401
    """A dataclass from a table as TOML gives it; raises ValueError for unknown names, absent ones and other types."""
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"expected {kind.__name__} with any of {sorted(known)}, got {', '.join(unknown)}; check names")
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    absent = sorted(required - set(values))
    if absent:
        raise ValueError(f"expected {kind.__name__} with {', '.join(absent)}, got none; add it")
    for each in fields(kind):
        _check_number(kind, each.name, each.default, tuples.get(each.name, each.default))
    _check_words(kind, tuples)
    return kind(**tuples)


def _check_words(kind: type[Any], values: dict[str, Any]) -> None:
    """Where a setting is one of a few words, so must the value be."""
    for name, hint in get_type_hints(kind).items():
        if get_origin(hint) is Literal and name in values and values[name] not in get_args(hint):
            raise ValueError(f"expected {name} of {kind.__name__} to be one of {get_args(hint)}, got {values[name]!r}")


def _check_number(kind: type[Any], name: str, default: object, value: object) -> None:
    """Where the default is a number, so must the value be, and counts must be positive."""
    if isinstance(default, bool) or not isinstance(default, int | float):
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(default, int) and value < 0):
        raise ValueError(f"expected a number for {name} of {kind.__name__}, got {value!r}; correct it")


def _table(tables: dict[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name)
    if not isinstance(table, dict):
        raise ValueError(f"expected a table [{name}], got none; add it")
    return table


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
