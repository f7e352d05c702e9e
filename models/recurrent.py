"""The roll-out of a recurrent network, the same for torch and ONNX Runtime, and independent of both.

A network is one step: it reads a frame and its states, and returns a prediction and new states. Everything else, the
scaling, padding, coordinates and base, is done here, by the card alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, Protocol

import numpy as np

from models.card import ModelCard
from models.forecaster import forecast_after, newest_frames
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest
from radar.extrapolation.motion import hold_inflow
from radar.sequence import Float32, FrameSequence

State = Any
"""The states of a step, in its own form."""


Shape = tuple[int, int, int]
"""Batch, rows, columns."""
MOST_GROWTH = 1.5
"""No forecast rate exceeds the largest input rate by more than this factor: larger outputs are errors of the network,
at borders and in fields unlike its training data, and not predictable growth."""
MOST_SHAPES = 4
"""The most shapes that a forecaster keeps."""


class Step(Protocol):
    """One recurrent step of a network in network units."""

    def start(self, batch: int, rows: int, columns: int) -> State:
        """States of zeros for padded frames of rows x columns pixels."""

    def __call__(self, frame: Float32, state: State) -> tuple[Float32, State]:
        """Read a frame (B, inputs, H, W); return the network's output (B, 1, H, W) for the next one, and new states."""

    def observe(self, frame: Float32, state: State) -> State:
        """The new states alone, without the work for an output."""


class RecurrentForecaster:
    """A forecaster made of a card and the step of its network."""

    def __init__(self, card: ModelCard, step: Step) -> None:
        self.card = card
        self.step = step
        self._recent_shapes: tuple[Shape, ...] = ()

    @property
    def recent_shapes(self) -> tuple[Shape, ...]:
        """(batch, rows, columns) of the last forecasts, each shape once, the newest last, at most `MOST_SHAPES`."""
        return self._recent_shapes

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    @property
    def input_length(self) -> int:
        """The number of history frames that the network reads."""
        return self.card.input_length

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Forecast the frames that follow `history`; see `models.forecaster.Forecaster`.

        Raises
        ------
        GridMismatch
            The pixel size differs from the card's.
        IncompleteHistory
            There are too few frames, or their timestep differs from the card's.
        InvalidRequest
            The steps exceed the card's longest lead time.
        """
        return self.forecast_batch([history], steps)[0]

    def forecast_batch(self, histories: Sequence[FrameSequence], steps: int) -> list[FrameSequence]:
        """Forecast several histories of one shape, each as in `forecast`, in one batch of the network.

        Raises the errors of `forecast` for the first history that does not fit, and GridMismatch for different shapes.
        """
        for history in histories:
            check_fit(self.card, history, steps)
        observed = [newest_frames(history, self.card.input_length) for history in histories]
        rows, columns = one_shape(observed)
        self._remember((len(observed), rows, columns))
        motions = [self.card.framing.motion(frames.rain_rate) for frames in observed]
        # Each forecast has memory of its own, so that sending one does not keep the others in memory.
        units = [np.empty((steps, rows, columns), np.float32) for _ in observed]
        for lead, prediction in enumerate(self._predictions(observed, motions, steps)):
            for unit, one in zip(units, prediction[:, 0], strict=True):
                unit[lead] = one
        parts = zip(observed, units, motions, strict=True)
        return [forecast_after(past, self._to_rain(unit, past.rain_rate, motion)) for past, unit, motion in parts]

    def _predictions(
        self, observed: Sequence[FrameSequence], motions: Sequence[Float32 | None], steps: int
    ) -> Iterator[Float32]:
        """The network's predictions (B, 1, H, W), lead by lead, in its units and coordinates."""
        framing, names = self.card.framing, self.card.spec.inputs
        pasts = zip(observed, motions, strict=True)
        seen = [framing.inputs(past.rain_rate, motion) for past, motion in pasts]
        inputs = np.stack([framing.channels(frames, names) for frames in seen], axis=1)
        bases = zip(*(framing.bases(frames, steps) for frames in seen), strict=True)
        base = (np.nan_to_num(np.stack(lead))[:, None] for lead in bases)
        return roll_out(self.step, inputs, base, self.card.pad_multiple)

    def _to_rain(self, units: Float32, past: Float32, motion: Float32 | None) -> Float32:
        """Convert predictions (steps, H, W) in network units to mm/h in fixed coordinates, lead by lead, in place.

        If the input has no rain at all, the output is only the network's bias, and the forecast is dry. Otherwise rain
        grows by at most `MOST_GROWTH`.
        """
        last = past[-1]
        missing = np.isnan(last)
        if not (past >= self.card.scaling.dry_below).any():
            units[:] = np.where(missing, np.float32(np.nan), np.float32(0))
            return units
        most = np.float32(MOST_GROWTH * np.nanmax(past))
        grown = (np.minimum(self.card.scaling.from_network(unit), most) for unit in units)
        rates = (np.where(missing, np.float32(np.nan), rate) for rate in grown)
        for lead, rate in enumerate(hold_inflow(self.card.framing.outputs(rates, motion), last)):
            units[lead] = rate
        return units

    def warm_up(self, shape: Shape) -> None:
        """Do one step on empty frames, so that a runtime prepares for a shape (batch, rows, columns)."""
        batch, *pixels = shape
        rows, columns = (-(-size // self.card.pad_multiple) * self.card.pad_multiple for size in pixels)
        empty = np.zeros((batch, len(self.card.spec.inputs), rows, columns), np.float32)
        self.step(empty, self.step.start(batch, rows, columns))

    def _remember(self, shape: Shape) -> None:
        others = [known for known in self._recent_shapes if known != shape]
        self._recent_shapes = (*others, shape)[-MOST_SHAPES:]

    @property
    def predicts_inputs(self) -> bool:
        """Whether outputs for input frames are predictions: in Eulerian coordinates and without a base."""
        return self.card.coordinates == "eulerian" and self.card.base == "none"

    def predictions(self, history: FrameSequence, steps: int) -> Float32:
        """All predictions of the network: of its input frames from the second on, and then the forecast.

        It needs `predicts_inputs`. The result is float32 (input_length - 1 + steps, H, W) in network units, clipped to
        [0, 1] but otherwise raw: also after dry input, and without `scaling.dry_below`. Raises as `forecast`.
        """
        check_fit(self.card, history, steps)
        rain_rate = newest_frames(history, self.card.input_length).rain_rate
        frames = self.card.framing.channels(rain_rate, self.card.spec.inputs)[:, None]
        nothing = repeat(np.zeros((1, 1, *rain_rate.shape[1:]), np.float32), steps)
        read = read_out(self.step, frames, self.card.pad_multiple)
        forecast = roll_out(self.step, frames, nothing, self.card.pad_multiple)
        return np.stack([np.clip(prediction[0, 0], 0, 1) for prediction in chain(read, forecast)])


def read_out(step: Step, frames: Float32, pad_multiple: int = 1) -> Iterator[Float32]:
    """The outputs (B, 1, H, W) for each of `frames` but the first, which `roll_out` leaves out."""
    rows, columns = frames.shape[-2:]
    frames = _padded(frames, pad_multiple)
    state = step.start(frames.shape[1], *frames.shape[-2:])
    for frame in frames[:-1]:
        output, state = step(frame, state)
        yield output[..., :rows, :columns]


def roll_out(step: Step, frames: Float32, base: Iterable[Float32], pad_multiple: int = 1) -> Iterator[Float32]:
    """Read `frames`, then predict one frame for each of `base`; predictions are fed back.

    Parameters
    ----------
    frames : float32 (T, B, inputs, H, W)
        Network units; a second channel is coverage, whose last frame is used for fed-back frames.
    base : iterable of float32 (B, 1, H, W)
        The base, added to the network's outputs lead by lead.
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


def read_bases(step: Step, frames: Float32, bases: Iterable[Float32], pad_multiple: int = 1) -> Iterator[Float32]:
    """Read `frames` (T, B, inputs, H, W), then the base (B, inputs, H, W) of each lead: for the output "exceedance".

    Yields float32 (B, thresholds, H, W) for each lead: what is added to the log-odds of the dressed base.
    """
    rows, columns = frames.shape[-2:]
    frames = _padded(frames, pad_multiple)
    state = step.start(frames.shape[1], *frames.shape[-2:])
    for frame in frames:
        state = step.observe(frame, state)
    for base in bases:
        output, state = step(_padded(base, pad_multiple), state)
        yield output[..., :rows, :columns]


def _padded(array: Float32, multiple: int) -> Float32:
    """The array with zeros after the last row and column, up to a multiple."""
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + [(0, -size % multiple) for size in array.shape[-2:]])


def one_shape(histories: Sequence[FrameSequence]) -> tuple[int, int]:
    """Rows and columns of frames that are all alike, or GridMismatch."""
    first, *others = [history.grid.shape for history in histories]
    for other in others:
        if other != first:
            raise GridMismatch(
                expected=f"frames of {first[0]}x{first[1]} pixels, as the first of the batch has",
                got=f"{other[0]}x{other[1]}",
                remedy="forecast them one by one",
            )
    return first


def check_fit(card: ModelCard, history: FrameSequence, steps: int) -> None:
    """Raise GridMismatch, IncompleteHistory or InvalidRequest for frames or steps that do not fit the model."""
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
