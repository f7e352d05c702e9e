"""Check that an exported graph forecasts like its network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.card import ModelCard
from models.exceedance.forecaster import ExceedanceForecaster, forecaster_of
from models.exceedance.rain import mean
from models.network import Network
from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster, Step, read_bases, roll_out
from radar.errors import ArtifactRejected
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence
from radar.synthetic import Weather, storm_sequence
from training.export.torch_step import TorchStep, torch_forecaster

NETWORK_UNITS = 1e-5
"""Largest difference allowed in what the network itself says."""
LOG_ODDS = 1e-3
"""The same of log-odds: a probability differs by 0.00025 at most."""
MM_PER_HOUR = 0.01
"""Largest allowed difference of forecasts: near 150 mm/h, 1e-5 network units are about 0.007 mm/h."""
_LEADS = 12
"""Lead times of the roll-outs, also for models that are served for fewer."""
_SHAPES = ((1, 37, 59), (2, 61, 22))
"""Batch, rows and columns of the roll-outs; no pyramid can divide them."""


class Parity(NamedTuple):
    """Largest differences over a roll-out of `steps` leads."""

    network_units: float
    mm_per_hour: float
    steps: int


def check_parity(path: Path, network: Network, card: ModelCard) -> Parity:
    """Compare an ONNX file on the CPU with torch, in network units and as forecasts of odd-sized grids.

    Raises
    ------
    ArtifactRejected
        A difference exceeds `NETWORK_UNITS` or `MM_PER_HOUR`, or other pixels are missing.
    """
    exported, original = load_forecaster(path, "cpu"), torch_forecaster(card, network)
    units = max(network_difference(exported.step, TorchStep(network), card, shape) for shape in _SHAPES)
    parity = Parity(units, _forecast_difference(exported, original), _LEADS)
    most = LOG_ODDS if card.spec.output == "exceedance" else NETWORK_UNITS
    if not (parity.network_units <= most and parity.mm_per_hour <= MM_PER_HOUR):
        raise ArtifactRejected(
            expected=f"ONNX Runtime within {most:g} network units and {MM_PER_HOUR} mm/h of torch",
            got=f"differences of {parity.network_units:g} and {parity.mm_per_hour:g} mm/h",
            remedy="report this: the exported graph is not the network",
        )
    return parity


def parity_steps(card: ModelCard) -> int:
    """Steps of the comparison with half precision: twelve, or as many as the model reaches."""
    return min(_LEADS, card.longest_lead_minutes // card.timestep_minutes)


def network_difference(
    one: Step, other: Step, card: ModelCard, shape: tuple[int, int, int], leads: int = _LEADS
) -> float:
    """The largest difference of two steps over a roll-out for storms of `shape` (B, H, W), in network units."""
    frames, base = network_inputs(card, shape, leads)
    outputs = (np.stack(list(rolled(card, step, frames, base, card.pad_multiple))) for step in (one, other))
    return float(np.abs(np.subtract(*outputs)).max())


def rolled(card: ModelCard, step: Step, frames: Float32, base: Float32, pad_multiple: int = 1) -> Iterator[Float32]:
    """Roll a step out over `read_inputs`: network units lead by lead, or what is added to log-odds."""
    return (read_bases if card.spec.output == "exceedance" else roll_out)(step, frames, base, pad_multiple)


def network_inputs(card: ModelCard, shape: tuple[int, int, int], leads: int) -> tuple[Float32, Float32]:
    """The `read_inputs` of storms of `shape` (B, H, W)."""
    batch, *size = shape
    storms = [storm(card, (size[0], size[1]), card.input_length, seed=7 + each).rain_rate for each in range(batch)]
    return read_inputs(card, storms, leads)


def read_inputs(card: ModelCard, past: Sequence[Float32], leads: int) -> tuple[Float32, Float32]:
    """Frames (T, B, inputs, H, W) and bases of observed frames (T, H, W) each, as the card's network reads them.

    Bases are (leads, B, 1, H, W); (leads, B, inputs, H, W) for the output "exceedance".
    """
    framing = card.framing
    frames = np.stack([framing.channels(rates, card.spec.inputs) for rates in past], axis=1)
    bases = np.stack([np.nan_to_num(list(framing.bases(rates, leads))) for rates in past], axis=1)[:, :, None]
    if card.spec.output == "exceedance":
        bases = np.stack([framing.base_channels(base, lead, frames[-1]) for lead, base in enumerate(bases, 1)])
    return frames, bases


def storm(card: ModelCard, shape: tuple[int, int], frames: int, *, seed: int = 7) -> FrameSequence:
    """A storm in the card's timestep and pixels, with a sector without data."""
    return storm_sequence(
        Grid("storm", shape, card.pixel_size_km),
        frames,
        seed=seed,
        end_time=datetime(2000, 1, 1, tzinfo=UTC),
        timestep_minutes=card.timestep_minutes,
        weather=Weather(wet_fraction=0.3, missing_sector=True),
    )


def _forecast_difference(one: RecurrentForecaster, other: RecurrentForecaster) -> float:
    """The largest difference of two forecasts in mm/h; infinite if different pixels are missing."""
    card = one.card.model_copy(update={"longest_lead_minutes": _LEADS * one.card.timestep_minutes})
    history = storm(card, (93, 118), card.input_length)
    a, b = (_amounts(forecaster_of(card, each.step), history) for each in (one, other))
    return float(np.nanmax(np.abs(a - b))) if (np.isnan(a) == np.isnan(b)).all() else float("inf")


def _amounts(forecaster: RecurrentForecaster, history: FrameSequence) -> Float32:
    """The forecast in mm/h; of probabilities their mean, since in a picture two like pixels may change places.

    The mean is that of log-odds before they are rounded: two that differ by little may differ by a step after it.
    """
    if isinstance(forecaster, ExceedanceForecaster):
        thresholds = np.array(forecaster.thresholds, np.float32)
        return np.stack([mean(log_odds, thresholds) for log_odds in forecaster.log_odds(history, _LEADS)])
    return forecaster.forecast(history, _LEADS).rain_rate
