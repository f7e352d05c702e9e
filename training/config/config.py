"""The configuration of a training run: one TOML file, or the JSON beside a run, as one frozen dataclass."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from models.framing import Framing
from models.repository import check_name
from models.spec import CELL_NAMES, CONTROL, EXCEEDANCE_INPUTS, RAIN_INPUTS, NetworkSpec, added_later, is_added_later
from radar.errors import ArtifactRejected
from radar.extrapolation.sprog import FRAMES as SPROG_FRAMES
from training.config.tables import (
    ABOVE_0,
    FROM_0,
    FROM_1,
    SHARE,
    Range,
    check_ranges,
    make_table,
    read_tables,
    settings_of,
)
from training.data import DATASETS

Reads = Literal["none", "scheduled", "reverse"]
"""The frames that a network reads in training; see training.fit.sampling."""


@dataclass(frozen=True)
class DataConfig:
    """The training data: whole events, or a data set of `training.data`, which has parts of its own.

    No event may be in two of `train`, `validation` and `kept_out`.
    """

    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    kept_out: tuple[str, ...] = ()
    stride: int = 2
    """Timesteps from one window's start to the next."""
    synthetic: int = 0
    """The number of synthetic storms, of one window each."""
    synthetic_share: float = 0.2
    """Share of the crops that come from synthetic storms."""
    dataset: str = added_later("events")
    """"events", or a key of `training.data.DATASETS`."""
    options: dict[str, Any] = added_later({})
    """Options of that data set."""
    symmetries: bool = added_later(default=True)
    """Turn and mirror crops: rain has no preferred direction, but digits and people have one."""
    intensity: float = added_later(0.0)
    """Largest shift, up or down, of the rain of a sample in network units (0.1 is 7 dB for the default scaling)."""
    lost_sectors: float = added_later(0.0)
    """Probability that a sample loses a sector of all its frames."""
    lost_frames: float = added_later(0.0)
    """Probability that a sample loses a frame before its last."""

    def __post_init__(self) -> None:
        check_ranges(self, stride=FROM_1, synthetic=FROM_0, synthetic_share=SHARE, intensity=FROM_0)
        check_ranges(self, lost_sectors=SHARE, lost_frames=SHARE)
        known = ("events", *DATASETS)
        if self.dataset not in known:
            near = get_close_matches(self.dataset, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else "check the name"
            raise ValueError(f"expected dataset to be one of {', '.join(known)}, got {self.dataset!r}; {remedy}")
        names = [*self.train, *self.validation, *self.kept_out]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"expected every event in one part only, got {', '.join(twice)} in two; remove one")


@dataclass(frozen=True)
class LossConfig:
    """A loss of `training.fit.losses`, over the forecast or also over the predictions of input frames."""

    name: Literal["pinball", "mse+mae", "balanced", "exceedance"] = added_later("pinball")
    frames: Literal["forecast", "all"] = added_later("forecast")
    quantile: float = 0.5
    rain_weight: float = 0.0
    """Additional weight of a pixel per network unit of observed rain."""
    dry_slack: float = added_later(1.0)
    """Share of `dry_below` (in network units) that an output for a dry pixel may have at no cost: below 1, so that the
    outputs for dry pixels stay well below those shown as rain."""
    decoupling: float = added_later(0.01)
    """Weight of PredRNN-V2's decoupling loss; other cells have none."""
    shares: tuple[float, ...] = added_later(())
    """For "exceedance": the climatological share of pixels at or above each threshold."""

    def __post_init__(self) -> None:
        check_ranges(self, quantile=Range(0, 1, low_open=True, high_open=True), rain_weight=FROM_0, decoupling=FROM_0)
        check_ranges(self, dry_slack=SHARE)
        if not all(0 < share < 1 for share in self.shares):
            raise ValueError(f"expected shares between 0 and 1, got {list(self.shares)}; correct them")


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
    """Iterations between two saved states."""
    accumulate: int = added_later(1)
    """The number of consecutive parts that a batch is computed in: less memory, the same gradients."""
    activation_checkpointing: bool = added_later(default=False)
    """Recompute each cell in the backward pass: less memory, more time, the same gradients."""
    bfloat16: bool = added_later(default=False)
    """Compute convolutions and products in bfloat16, weights and losses in float32."""
    compile: bool = added_later(default=False)
    """Compile the step by torch.compile."""
    weight_decay: float = added_later(0.0)
    """Decoupled weight decay (AdamW) per unit of the learning rate."""

    def __post_init__(self) -> None:
        check_ranges(self, iterations=FROM_1, batch=FROM_1, crop=FROM_1, validate_every=FROM_1, save_every=FROM_1)
        check_ranges(self, learning_rate=ABOVE_0, warm_up=FROM_0, clip=FROM_0, seed=FROM_0, accumulate=FROM_1)
        check_ranges(self, average_decay=Range(0, 1, high_open=True), weight_decay=FROM_0)


@dataclass(frozen=True)
class FitConfig:
    """Everything that determines the outcome of `fit`.

    `description` has no effect: it goes into the card, and digest and comparison ignore it.
    """

    name: str
    leads: int
    network: NetworkSpec
    framing: Framing
    data: DataConfig
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    zero_head: bool = False
    sampling: Reads = added_later("none")
    description: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_ranges(self, leads=FROM_1)
        try:
            check_name(self.name)
        except ArtifactRejected as error:
            raise ValueError(f"expected name to be {error.expected}, got {error.got}; {error.remedy}") from None
        check_network(self.network)
        check_framing(self.framing)
        _check_output(self)
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


def _check_output(config: FitConfig) -> None:
    """Output, loss and base have to fit together."""
    exceedance = config.network.output == "exceedance"
    if exceedance != (config.loss.name == "exceedance"):
        raise ValueError(
            'expected network.output = "exceedance" and loss.name = "exceedance" together, '
            f"got {config.network.output!r} and {config.loss.name!r}; change one"
        )
    if exceedance and len(config.loss.shares) != len(config.network.thresholds):
        raise ValueError(
            f"expected loss.shares for {len(config.network.thresholds)} thresholds, got {len(config.loss.shares)}; "
            "give the share of pixels at or above each"
        )
    if exceedance and (config.framing.base == "none" or config.sampling != "none"):
        raise ValueError(
            'expected a framing.base and sampling = "none" for network.output = "exceedance", got '
            f"{config.framing.base!r} and {config.sampling!r}; change them"
        )


def check_network(spec: NetworkSpec) -> None:
    """Raise ValueError for a spec that `models.zoo.build` would refuse, before torch is imported."""
    with settings_of("[network]"):
        _check_cell(spec)
        _check_scales(spec)


def _check_cell(spec: NetworkSpec) -> None:
    known = (*CELL_NAMES, CONTROL)
    if spec.cell not in known:
        near = get_close_matches(spec.cell.lower().removeprefix("ms-"), known, n=1)
        remedy = f"did you mean {near[0]}?" if near else "check the name"
        raise ValueError(f"expected cell to be one of {', '.join(known)}, got {spec.cell!r}; {remedy}")
    if spec.cell == CONTROL and spec.output != "exceedance":
        raise ValueError(f'expected output = "exceedance" for cell {CONTROL!r}, got {spec.output!r}; change one')
    _check_form(spec)
    check_ranges(spec, channels=FROM_1, kernel_size=FROM_1, patch=FROM_1, attention_window=FROM_1)
    if spec.kernel_size % 2 == 0:
        raise ValueError(f"expected an odd kernel_size, got {spec.kernel_size}; correct it")
    if spec.cell == "motionrnn" and spec.channels % 4:
        raise ValueError(f"expected channels in multiples of 4 for motionrnn, got {spec.channels}; correct it")


def _check_form(spec: NetworkSpec) -> None:
    """Inputs and thresholds belong to the output; a fine path divides a patch."""
    exceedance = spec.output == "exceedance"
    inputs = (EXCEEDANCE_INPUTS,) if exceedance else RAIN_INPUTS
    if spec.inputs not in inputs:
        expected = " or ".join(json.dumps(names) for names in inputs)
        raise ValueError(f"expected inputs {expected} for output {spec.output!r}, got {list(spec.inputs)}; choose one")
    rising = all(low < high for low, high in zip((0.0, *spec.thresholds), spec.thresholds, strict=False))
    if exceedance != bool(spec.thresholds) or not rising:
        raise ValueError(
            'expected rising thresholds above 0 for output "exceedance" and none for "rain", '
            f"got {list(spec.thresholds)} for {spec.output!r}; correct them"
        )
    if spec.fine_patch and (spec.fine_patch < 0 or spec.patch % spec.fine_patch):
        raise ValueError(f"expected a fine_patch that divides patch ({spec.patch}), got {spec.fine_patch}; correct it")


def _check_scales(spec: NetworkSpec) -> None:
    steps = [abs(after - before) for before, after in zip(spec.scales, spec.scales[1:], strict=False)]
    if not spec.scales or spec.scales[0] or spec.scales[-1] or min(spec.scales) < 0 or max(steps, default=0) > 1:
        raise ValueError(
            f"expected scales that begin and end with 0 and change by 1 at most, got {list(spec.scales)}; "
            "write them as [0, 1, 2, 2, 1, 0]"
        )


def check_framing(framing: Framing) -> None:
    """Raise ValueError for values out of range, with their table."""
    scaling = framing.scaling
    with settings_of("[framing]"):
        check_ranges(framing, timestep_minutes=FROM_1, pixel_size_km=ABOVE_0, input_length=FROM_1)
        if framing.base == "sprog" and (framing.input_length < SPROG_FRAMES or framing.coordinates != "lagrangian"):
            raise ValueError(
                f'expected coordinates "lagrangian" and an input_length of {SPROG_FRAMES} or more for base "sprog", '
                f"got {framing.coordinates!r} and {framing.input_length}; change them"
            )
    with settings_of("[framing.scaling]"):
        check_ranges(scaling, a=ABOVE_0, b=ABOVE_0, dry_below=FROM_0)
        if not scaling.lowest_dbz < scaling.highest_dbz:
            got = f"{scaling.highest_dbz:g} and {scaling.lowest_dbz:g}"
            raise ValueError(f"expected highest_dbz above lowest_dbz, got {got}; exchange them")
    with settings_of("[framing.smoothing]"):
        check_ranges(framing.smoothing, km_at_one_hour=FROM_0, exponent=FROM_0)


def _without_defaults_added_later(value: Any) -> Any:  # noqa: ANN401
    if not is_dataclass(value):
        return value
    return {
        each.name: _without_defaults_added_later(getattr(value, each.name))
        for each in fields(value)
        if each.compare and not is_added_later(each, getattr(value, each.name))
    }


def load_config(path: Path, **optimiser: float | None) -> FitConfig:
    """Read a TOML file, or the config.json of a run; `optimiser` replaces values of its [optimiser] table.

    Raises
    ------
    ValueError
        A setting is unknown, missing, of another type or out of range; the error names the file and the setting.
    """
    tables = read_tables(path)
    with settings_of(str(path)):
        given = {key: value for key, value in optimiser.items() if value is not None}
        own = tables.get("optimiser", {})
        return make_config(tables | {"optimiser": {**own, **given} if isinstance(own, dict) else own})


def make_config(tables: dict[str, Any]) -> FitConfig:
    """The configuration from nested dicts, as parsed from TOML or JSON."""
    config: FitConfig = make_table(FitConfig, {"framing": {}} | tables)
    return config
