"""The roll-out of a recurrent network, the same for torch and ONNX Runtime; needs neither.

A network is one step: it reads a frame and its states and gives a prediction and new states. All else, the
scaling, padding, coordinates and what a prediction is added to, happens here, from the card alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any, Protocol

import numpy as np

from models.card import ModelCard
from models.forecaster import forecast_after, newest_frames
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest
from radar.motion import hold_inflow
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
        framing, last = self.card.framing, observed.rain_rate[-1]
        motion = framing.motion(observed.rain_rate)
        frames = framing.channels(framing.inputs(observed.rain_rate, motion), self.card.spec.inputs)[:, None]
        base = (np.nan_to_num(framing.base_frame(last, lead))[None, None] for lead in range(1, steps + 1))
        missing = np.isnan(last)
        # Lead by lead, so that no more than one forecast is held at a time.
        units = (prediction[0, 0] for prediction in roll_out(self.step, frames, base, self.card.pad_multiple))
        rates = (np.where(missing, np.float32(np.nan), self.card.scaling.from_network(unit)) for unit in units)
        rain_rate = np.empty((steps, *last.shape), np.float32)
        for lead, rate in enumerate(hold_inflow(framing.outputs(rates, motion), last)):
            rain_rate[lead] = rate
        return forecast_after(observed, rain_rate)

    @property
    def predicts_inputs(self) -> bool:
        """Whether what the network says while it reads is a prediction: in the frames' own coordinates, of no base."""
        return self.card.coordinates == "eulerian" and self.card.base == "none"

    def predictions(self, history: FrameSequence, steps: int) -> Float32:
        """All that the network predicts: its input frames from the second on, and then the forecast.

        Where `predicts_inputs`. Gives float32 (input_length - 1 + steps, H, W) in network units, clipped to [0, 1], as
        the network says them: also where no rain was observed, and without `scaling.dry_below`. Raises as `forecast`.
        """
        _check_fit(self.card, history, steps)
        rain_rate = newest_frames(history, self.card.input_length).rain_rate
        frames = self.card.framing.channels(rain_rate, self.card.spec.inputs)[:, None]
        nothing = repeat(np.zeros((1, 1, *rain_rate.shape[1:]), np.float32), steps)
        read = read_out(self.step, frames, self.card.pad_multiple)
        said = roll_out(self.step, frames, nothing, self.card.pad_multiple)
        return np.stack([np.clip(prediction[0, 0], 0, 1) for prediction in chain(read, said)])


def read_out(step: Step, frames: Float32, pad_multiple: int = 1) -> Iterator[Float32]:
    """What `roll_out` passes over while it reads `frames`: the outputs (B, 1, H, W) for each frame but the first."""
    rows, columns = frames.shape[-2:]
    frames = _padded(frames, pad_multiple)
    state = step.start(frames.shape[1], *frames.shape[-2:])
    for frame in frames[:-1]:
        output, state = step(frame, state)
        yield output[..., :rows, :columns]


def roll_out(step: Step, frames: Float32, base: Iterable[Float32], pad_multiple: int = 1) -> Iterator[Float32]:
    """Read `frames`, then predict one frame for each of `base`, feeding predictions back.

    Parameters
    ----------
    frames : float32 (T, B, inputs, H, W)
        Network units; a second channel is coverage, of which the last is kept for fed-back frames.
    base : iterable of float32 (B, 1, H, W)
        What is added to the network's outputs, lead by lead.
    pad_multiple : int
        Rows and columns are padded with zeros (no rain, no coverage) to a multiple of this.

    Yields
    ------
    float32 (B, 1, H, W)
        Predictions in network units, not clipped.
    """
    rows, columns = frames.shape[-2:]
    frames = _padded(frames, pad_multiple)
    state = step.start(frames.shape[1], *frames.shape[-2:])
    for frame in frames[:-1]:
        _, state = step(frame, state)
    newest, coverage = frames[-1, :, :1], frames[-1, :, 1:]
    for added in base:
        output, state = step(np.concatenate([newest, coverage], axis=1), state)
        newest = output + _padded(added, pad_multiple)
        yield newest[..., :rows, :columns]


def _padded(array: Float32, multiple: int) -> Float32:
    """Zeros after the last row and column, up to a multiple."""
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + [(0, -size % multiple) for size in array.shape[-2:]])


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
