"""The seam between everything that forecasts and everything that asks for a forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from radar.errors import IncompleteHistory
from radar.sequence import Float32, FrameSequence, times_after


class Forecaster(Protocol):
    """Anything that turns observed frames into forecast frames."""

    @property
    def name(self) -> str:
        """What tables and answers call it."""

    @property
    def input_length(self) -> int:
        """How many frames of history it reads."""

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Forecast the `steps` frames that follow `history`.

        Parameters
        ----------
        history : FrameSequence
            At least `input_length` frames, of which the newest are read.
        steps : int
            How many timesteps ahead.

        Returns
        -------
        FrameSequence
            (steps, H, W) in mm/h with `reference_time` the last time of `history`; NaN where there is no forecast,
            everywhere that the last frame is NaN at least.

        Raises
        ------
        IncompleteHistory
            Fewer frames than `input_length`.
        """


@runtime_checkable
class EnsembleForecaster(Forecaster, Protocol):
    """A forecaster that has several answers: members that are equally likely."""

    def ensemble(self, history: FrameSequence, steps: int) -> Float32:
        """Members (M, steps, H, W) in mm/h for the frames that `forecast` forecasts; NaN where there is no forecast."""


@runtime_checkable
class ProbabilityForecaster(Forecaster, Protocol):
    """A forecaster that says probabilities of its own."""

    def probabilities(self, history: FrameSequence, steps: int, thresholds: Sequence[float]) -> Float32:
        """Probabilities (thresholds, steps, H, W), 0 to 1, of rain at or above each threshold (mm/h); NaN if none."""


def newest_frames(history: FrameSequence, count: int) -> FrameSequence:
    """The newest `count` frames of a history, or IncompleteHistory if there are fewer."""
    if len(history) < count:
        spacing = f", {history.timestep_minutes} minutes apart" if count > 1 else ""
        raise IncompleteHistory(
            expected=f"{count} frames{spacing}",
            got=str(len(history)),
            remedy=f"send at least {count} consecutive frames",
        )
    return history.last(count)


def forecast_after(history: FrameSequence, rain_rate: Float32) -> FrameSequence:
    """Dress predicted frames (steps, H, W) in mm/h as the forecast made at the end of `history`."""
    reference = history.valid_times[-1]
    return FrameSequence(
        rain_rate=rain_rate,
        valid_times=times_after(reference, len(rain_rate), history.timestep_minutes),
        grid=history.grid,
        timestep_minutes=history.timestep_minutes,
        product=history.product,
        reference_time=reference,
    )
