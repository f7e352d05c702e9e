"""A forecaster made of a network that says how likely rain is to reach thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from models.card import ModelCard
from models.exceedance.rain import log_odds_at, matched, mean, probability, quantile
from models.forecaster import forecast_after, newest_frames
from models.recurrent import RecurrentForecaster, Step, check_fit, one_shape, read_bases
from radar.extrapolation.motion import hold_inflow
from radar.extrapolation.sprog import any_decibels, drizzle_of, rates
from radar.rain import WET_FROM
from radar.sequence import Float32, FrameSequence

Statistic = Literal["matched", "mean", "median", "p10", "p90"]
"""Forms of a forecast of rain: a picture with the rain of the last frame, or each pixel's mean or quantile."""
QUANTILES: dict[Statistic, float] = {"p10": 0.1, "median": 0.5, "p90": 0.9}


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

    def forecast_batch(self, histories: Sequence[FrameSequence], steps: int) -> list[FrameSequence]:
        """See `RecurrentForecaster.forecast_batch`."""
        pasts = [self._past(history, steps) for history in histories]
        self._remember((len(pasts), *one_shape(histories)))
        pictures = [np.empty((steps, *past.observed.shape[1:]), np.float32) for past in pasts]
        for lead, all_odds in enumerate(self._log_odds(pasts, steps)):
            for past, picture, odds in zip(pasts, pictures, all_odds, strict=True):
                picture[lead] = self._picture(odds, past.seen[-1])
        for past, picture in zip(pasts, pictures, strict=True):
            frames = map(rates, self.card.framing.outputs(picture, past.motion))
            picture[:] = list(hold_inflow(frames, past.observed[-1]))
        return [forecast_after(history, picture) for history, picture in zip(histories, pictures, strict=True)]

    def statistic(self, history: FrameSequence, steps: int, name: Statistic) -> FrameSequence:
        """As `forecast`, with the mean or a quantile (p10, median, p90) of each pixel in place of the picture."""
        if name == "matched":
            return self.forecast(history, steps)
        past = self._past(history, steps)
        rain = np.stack([self._amount(odds, name) for (odds,) in self._log_odds([past], steps)])
        return forecast_after(history, self._on_the_ground(rain, past))

    def _amount(self, log_odds: Float32, name: Statistic) -> Float32:
        if name == "mean":
            return mean(log_odds, self._thresholds)
        return quantile(log_odds, self._thresholds, QUANTILES[name])

    def _on_the_ground(self, fields: Float32, past: _Past) -> Float32:
        """Fields (leads, H, W) carried along; 0 where no rain was observed anywhere, NaN where the last frame is."""
        missing = np.isnan(past.observed[-1])
        if not (past.observed >= WET_FROM).any():
            return np.broadcast_to(np.where(missing, np.float32(np.nan), np.float32(0)), fields.shape).copy()
        fields[:, missing] = np.nan
        first = np.where(missing, np.float32(np.nan), fields[0])
        return np.stack(list(hold_inflow(self.card.framing.outputs(fields, past.motion), first)))

    def probabilities(self, history: FrameSequence, steps: int, thresholds: Sequence[float]) -> Float32:
        """See `models.forecaster.ProbabilityForecaster`; between the trained thresholds log-odds are interpolated."""
        past = self._past(history, steps)
        found = np.empty((len(thresholds), steps, *past.observed.shape[1:]), np.float32)
        for lead, (odds,) in enumerate(self._log_odds([past], steps)):
            for index, threshold in enumerate(thresholds):
                found[index, lead] = probability(log_odds_at(odds, self._thresholds, threshold))
        return np.stack([self._on_the_ground(fields, past) for fields in found])

    @property
    def _thresholds(self) -> Float32:
        return np.array(self.card.spec.thresholds, np.float32)

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
