"""The roll-out of a recurrent network, the same for torch and ONNX Runtime; needs neither.

A network is one step: it reads a frame and its states and gives a prediction and new states. All else, the
scaling, padding, coordinates and what a prediction is added to, happens here, from the card alone.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from models.card import ModelCard
from models.forecaster import forecast_after, newest_frames
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest
from radar.sequence import Float32, FrameSequence

State = Any
"""The states of a step, in whatever form it keeps them."""


class Step(Protocol):
    """One recurrent step of a network in network units."""

    def start(self, batch: int, rows: int, columns: int) -> State:
        """States of zeros for padded frames of rows x columns pixels."""

    def __call__(self, frame: Float32, state: State) -> tuple[Float32, State]:
        """Read a frame (B, inputs, H, W) and give the network's output (B, 1, H, W) for the next, and new states."""


class RecurrentForecaster:
    """A forecaster made of a card and the step of its network."""

    def __init__(self, card: ModelCard, step: Step) -> None:
        self.card = card
        self.step = step

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    @property
    def input_length(self) -> int:
        """How many frames of history the network reads."""
        return self.card.input_length

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Forecast the frames that follow `history`; see `models.forecaster.Forecaster`.

        Raises
        ------
        GridMismatch
            The pixels are not of the size that the card names.
        IncompleteHistory
            Too few frames, or not in the card's timestep.
        InvalidRequest
            More steps than the card's longest lead time.
        """
        _check_fit(self.card, history, steps)
        observed = newest_frames(history, self.card.input_length)
        framing = self.card.framing
        motion = framing.motion(observed.rain_rate)
        frames = framing.channels(framing.inputs(observed.rain_rate, motion), self.card.spec.inputs)
        base = np.nan_to_num(framing.base_frames(observed.rain_rate[-1], steps), nan=0.0)
        units = roll_out(self.step, frames[:, None], base[:, None, None], self.card.pad_multiple)[:, 0, 0]
        rain_rate = self.card.scaling.from_network(units)
        missing = np.isnan(observed.rain_rate[-1])
        rain_rate[:, missing] = np.nan
        rain_rate = framing.outputs(rain_rate, motion)
        rain_rate[:, missing] = np.nan
        return forecast_after(observed, rain_rate)


def roll_out(step: Step, frames: Float32, base: Float32, pad_multiple: int = 1) -> Float32:
    """Read `frames`, then predict one frame for each of `base`, feeding predictions back.

    Parameters
    ----------
    frames : float32 (T, B, inputs, H, W)
        Network units; a second channel is coverage, of which the last is kept for fed-back frames.
    base : float32 (K, B, 1, H, W)
        What is added to the network's outputs.
    pad_multiple : int
        Rows and columns are padded with zeros (no rain, no coverage) to a multiple of this.

    Returns
    -------
    float32 (K, B, 1, H, W)
        Predictions in network units, not clipped.
    """
    rows, columns = frames.shape[-2:]
    pad = [(0, -size % pad_multiple) for size in (rows, columns)]
    frames, base = (np.pad(array, [(0, 0)] * 3 + pad) for array in (frames, base))
    state = step.start(frames.shape[1], *frames.shape[-2:])
    for frame in frames:
        output, state = step(frame, state)
    predictions: list[Float32] = []
    for lead, added in enumerate(base):
        if lead:
            output, state = step(np.concatenate([predictions[-1], frames[-1, :, 1:]], axis=1), state)
        predictions.append(output + added)
    return np.stack(predictions)[..., :rows, :columns]


def _check_fit(card: ModelCard, history: FrameSequence, steps: int) -> None:
    size = history.grid.pixel_size_km
    if abs(size - card.pixel_size_km) > 0.02 * card.pixel_size_km:
        raise GridMismatch(
            expected=f"pixels of {card.pixel_size_km:g} km for model {card.name}",
            got=f"{size:g} km",
            remedy="regrid the frames, or use a model for that pixel size",
        )
    if history.timestep_minutes != card.timestep_minutes:
        raise IncompleteHistory(
            expected=f"{card.input_length} frames, {card.timestep_minutes} minutes apart",
            got=f"{history.timestep_minutes} minutes apart",
            remedy="send frames in the model's timestep, or use a model for that timestep",
        )
    longest = card.longest_lead_minutes // card.timestep_minutes
    if not 1 <= steps <= longest:
        raise InvalidRequest(
            expected=f"1 to {longest} steps of {card.timestep_minutes} minutes for model {card.name}",
            got=str(steps),
            remedy=f"ask for at most {card.longest_lead_minutes} minutes",
        )
