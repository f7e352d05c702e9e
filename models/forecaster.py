"""The interface between forecasters and their callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from radar.errors import IncompleteHistory
from radar.sequence import Float32, FrameSequence, times_after


class Forecaster(Protocol):
    """Anything that turns observed frames into forecast frames."""

    @property
    def name(self) -> str:
        """The name in tables and answers."""

    @property
    def input_length(self) -> int:
        """The number of history frames that it reads."""

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Forecast the `steps` frames that follow `history`.

        Parameters
        ----------
        history : FrameSequence
            At least `input_length` frames, of which the newest are read.
        steps : int
            Number of timesteps to forecast.

        Returns
        -------
        FrameSequence
            (steps, H, W) in mm/h; `reference_time` is the last time of `history`. NaN without a forecast, at least
            wherever the last frame is NaN.

        Raises
        ------
        IncompleteHistory
            There are fewer frames than `input_length`.
        """


@runtime_checkable
class EnsembleForecaster(Forecaster, Protocol):
    """A forecaster with several equally likely members."""

    def ensemble(self, history: FrameSequence, steps: int) -> Float32:
        """Members (M, steps, H, W) in mm/h for the frames of `forecast`; NaN without a forecast."""


@runtime_checkable
class ProbabilityForecaster(Forecaster, Protocol):
    """A forecaster with probabilities of its own."""

    def probabilities(self, history: FrameSequence, steps: int, thresholds: Sequence[float]) -> Float32:
        """Probabilities (thresholds, steps, H, W), 0 to 1, of rain at or above each threshold (mm/h); NaN if none."""


def newest_frames(history: FrameSequence, count: int) -> FrameSequence:
    """The newest `count` frames of a history; raises IncompleteHistory if there are fewer."""
    if len(history) < count:
        spacing = f", {history.timestep_minutes} minutes apart" if count > 1 else ""
        raise IncompleteHistory(
            expected=f"{count} frames{spacing}",
            got=str(len(history)),
            remedy=f"send at least {count} consecutive frames",
        )
    return history.last(count)


def forecast_after(history: FrameSequence, rain_rate: Float32) -> FrameSequence:
    """Predicted frames (steps, H, W) in mm/h as the forecast made at the end of `history`."""
    reference = history.valid_times[-1]
    return FrameSequence(
        rain_rate=rain_rate,
        valid_times=times_after(reference, len(rain_rate), history.timestep_minutes),
        grid=history.grid,
        timestep_minutes=history.timestep_minutes,
        product=history.product,
        reference_time=reference,
    )
