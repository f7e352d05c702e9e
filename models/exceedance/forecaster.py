"""A forecaster made of a network that says how likely rain is to reach thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from models.card import ModelCard
from models.exceedance.ground import Ground
from models.exceedance.odds import Odds, Statistic, amounts, quantised
from models.exceedance.odds import probabilities as probabilities_of
from models.exceedance.rain import matched
from models.forecaster import forecast_after, newest_frames
from models.recurrent import RecurrentForecaster, Step, check_fit, one_shape, read_bases
from radar.extrapolation.motion import hold_inflow
from radar.extrapolation.sprog import any_decibels, drizzle_of, rates
from radar.sequence import Float32, FrameSequence

T = TypeVar("T")


def forecaster_of(card: ModelCard, step: Step) -> RecurrentForecaster:
    """The forecaster that a card's output asks for."""
    return (ExceedanceForecaster if card.spec.output == "exceedance" else RecurrentForecaster)(card, step)


class _Past(NamedTuple):
    """Observed frames (T, H, W) in mm/h, their motion (2, H, W), and the same frames in Lagrangian coordinates."""

    observed: Float32
    motion: Float32 | None
    seen: Float32


class ExceedanceForecaster(RecurrentForecaster):
    """Log-odds are those of the dressed base and what the network adds; `forecast` gives the matched picture.

    A field in which no rain was observed stays dry, and no pixel of it has a probability above 0.
    """

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds in mm/h that it has learnt, rising."""
        return self.card.spec.thresholds

    def forecast_batch(self, histories: Sequence[FrameSequence], steps: int) -> list[FrameSequence]:
        """See `RecurrentForecaster.forecast_batch`."""
        pasts = self._pasts(histories, steps)
        pictures = [np.empty((steps, *past.observed.shape[1:]), np.float32) for past in pasts]
        for lead, all_odds in enumerate(self._log_odds(pasts, steps)):
            for past, picture, odds in zip(pasts, pictures, all_odds, strict=True):
                picture[lead] = self._picture(odds, past.seen[-1])
        parts = zip(histories, pasts, pictures, strict=True)
        return [self._forecast(history, past, picture) for history, past, picture in parts]

    def forecast_with_odds(
        self, history: FrameSequence, steps: int, keep: Callable[[Odds], T]
    ) -> tuple[FrameSequence, list[T]]:
        """`forecast`, and for each lead what `keep` makes of the odds (K, H, W) on the ground, from one pass.

        All odds together would take a byte for each threshold, lead and pixel.
        """
        (past,) = pasts = self._pasts([history], steps)
        picture = np.empty((steps, *past.observed.shape[1:]), np.float32)
        ground = Ground(past.observed, past.motion)
        kept: list[T] = []
        for lead, (odds,) in enumerate(self._log_odds(pasts, steps)):
            picture[lead] = self._picture(odds, past.seen[-1])
            kept.append(keep(quantised(ground.carry(odds))))
        return self._forecast(history, past, picture), kept

    def statistic(self, history: FrameSequence, steps: int, name: Statistic) -> FrameSequence:
        """As `forecast`, with the mean or a quantile (p10, median, p90) of each pixel in place of the picture."""
        return self.statistic_batch([history], steps, name)[0]

    def statistic_batch(self, histories: Sequence[FrameSequence], steps: int, name: Statistic) -> list[FrameSequence]:
        """The same for several histories, as `forecast_batch`."""
        if name == "matched":
            return self.forecast_batch(histories, steps)
        pasts = self._pasts(histories, steps)
        fields = [np.empty((steps, *past.observed.shape[1:]), np.float32) for past in pasts]
        for lead, all_odds in enumerate(self._on_the_ground(pasts, steps)):
            for field, odds in zip(fields, all_odds, strict=True):
                field[lead] = amounts(quantised(odds), self.thresholds, name)
        return [forecast_after(history, field) for history, field in zip(histories, fields, strict=True)]

    def probabilities(self, history: FrameSequence, steps: int, thresholds: Sequence[float]) -> Float32:
        """See `models.forecaster.ProbabilityForecaster`; between the trained thresholds log-odds are interpolated."""
        found = np.empty((len(thresholds), steps, *history.grid.shape), np.float32)
        for lead, log_odds in enumerate(self.log_odds(history, steps)):
            odds = quantised(log_odds)
            for index, threshold in enumerate(thresholds):
                found[index, lead] = probabilities_of(odds, self.thresholds, threshold)
        return found

    def log_odds(self, history: FrameSequence, steps: int) -> Iterator[Float32]:
        """For each lead the log-odds (K, H, W) of `thresholds` on the ground, before they are rounded to 8 bits."""
        for (log_odds,) in self._on_the_ground(self._pasts([history], steps), steps):
            yield log_odds

    def _pasts(self, histories: Sequence[FrameSequence], steps: int) -> list[_Past]:
        pasts = [self._past(history, steps) for history in histories]
        self._remember((len(pasts), *one_shape(histories)))
        return pasts

    def _on_the_ground(self, pasts: Sequence[_Past], steps: int) -> Iterator[list[Float32]]:
        """For each lead the log-odds (K, H, W) of each past, on the ground."""
        grounds = [Ground(past.observed, past.motion) for past in pasts]
        for all_odds in self._log_odds(pasts, steps):
            yield [ground.carry(odds) for ground, odds in zip(grounds, all_odds, strict=True)]

    def _forecast(self, history: FrameSequence, past: _Past, picture: Float32) -> FrameSequence:
        """The forecast of a picture (steps, H, W) in dB of 1 mm/h in the network's coordinates, made in place."""
        frames = map(rates, self.card.framing.outputs(picture, past.motion))
        picture[:] = list(hold_inflow(frames, past.observed[-1]))
        return forecast_after(history, picture)

    @property
    def _thresholds(self) -> Float32:
        return np.array(self.thresholds, np.float32)

    def _past(self, history: FrameSequence, steps: int) -> _Past:
        check_fit(self.card, history, steps)
        observed = newest_frames(history, self.card.input_length).rain_rate
        motion = self.card.framing.motion(observed)
        return _Past(observed, motion, self.card.framing.inputs(observed, motion))

    def _log_odds(self, pasts: Sequence[_Past], steps: int) -> Iterator[list[Float32]]:
        """For each lead the log-odds (K, H, W) of each past, in the network's coordinates."""
        framing, names, dressing = self.card.framing, self.card.spec.inputs, self.card.dressing
        assert dressing is not None  # noqa: S101 - the card is checked where it is read
        units = framing.scaling.to_network(self._thresholds)
        frames = np.stack([framing.channels(past.seen, names) for past in pasts], axis=1)
        bases = list(zip(*(map(np.nan_to_num, framing.bases(past.seen, steps)) for past in pasts), strict=True))
        read = (
            framing.base_channels(np.stack(lead)[:, None], index, frames[-1]) for index, lead in enumerate(bases, 1)
        )
        outputs = read_bases(self.step, frames, read, self.card.pad_multiple)
        for index, (added, lead) in enumerate(zip(outputs, bases, strict=True), 1):
            yield [dressing.log_odds(base, units, index) + one for base, one in zip(lead, added, strict=True)]

    def _picture(self, log_odds: Float32, last: Float32) -> Float32:
        """The matched rain in dB of 1 mm/h; drizzle of the last frame goes on where nothing else falls."""
        rain = matched(log_odds, self._thresholds, last)
        return np.maximum(any_decibels(rain), drizzle_of(last))
