"""Forecasts from every start of an event, and the sums for their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from models.baselines import AREAS_OF
from models.forecaster import Forecaster
from radar.errors import IncompleteHistory
from radar.scores.bootstrap import block_length
from radar.scores.comparison import Comparison, Field
from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.scores.reliability import no_reliability, reliability_sum
from radar.scores.spectrum import no_spectrum
from radar.sequence import Float32, FrameSequence
from training.evaluate.event_scores import EventScores, Strip, shown_leads
from training.evaluate.leads import steps_to
from training.evaluate.probabilities import Forecast, ask, method_of
from training.fit.examples import window_starts


class _Tally:
    """The sums of one forecaster, lead by lead."""

    def __init__(self, sequence: FrameSequence, steps: int, measure: Measure) -> None:
        self._grid, self._minutes, self._measure = sequence.grid, sequence.timestep_minutes, measure
        self.starts: list[Float64] = []
        self.spectra = [no_spectrum(sequence.grid.shape)] * steps
        self.reliability = [[no_reliability()] * len(measure.thresholds) for _ in range(steps)]

    def add(self, forecast: Forecast, truths: list[Field], areas: list[dict[float, int]]) -> None:
        """Add one start, on the known pixels of `truths`."""
        leads = enumerate(zip(truths, areas, strict=True))
        self.starts.append(np.stack([self._frame(forecast, lead, *each) for lead, each in leads]))

    def _frame(self, forecast: Forecast, lead: int, truth: Field, areas: dict[float, int]) -> Float64:
        thresholds, pixel_km = self._measure.thresholds, self._grid.pixel_size_km
        known = Field(np.where(np.isnan(truth.rain_rate), np.float32(np.nan), forecast.rain_rate[lead]))
        probabilities = forecast.probabilities(lead, thresholds, self._minutes * (lead + 1), pixel_km)
        self.spectra[lead] += known.power
        for index, (probability, threshold) in enumerate(zip(probabilities, thresholds, strict=True)):
            self.reliability[lead][index] += reliability_sum(probability, truth.rain_rate, threshold)
        by_threshold = dict(zip(thresholds, probabilities, strict=True))
        pair = Comparison(
            known, truth, pixel_km, by_threshold, forecast.ensemble(lead), forecast.stated is not None, areas
        )
        return self._measure.sums(pair)


def score_event(
    forecasters: Mapping[str, Forecaster],
    event: str,
    sequence: FrameSequence,
    lead_minutes: int,
    measure: Measure,
    stride: int,
) -> EventScores:
    """Score all forecasters on every `stride`-th start of one event, on the same pixels.

    Raises
    ------
    InvalidRequest, IncompleteHistory
        As in `window_of`.
    """
    length, steps = window_of(forecasters, sequence, lead_minutes)
    starts = window_starts(sequence, length + steps, stride)
    rainiest = _rainiest(sequence, starts, length, steps)
    tallies = {name: _Tally(sequence, steps, measure) for name in forecasters}
    observed_spectra = [no_spectrum(sequence.grid.shape)] * steps
    for start in tqdm(starts, event, unit=" starts", leave=False):
        past, later = part(sequence, start, length), part(sequence, start + length, steps).rain_rate
        forecasts = {name: ask(one, past, steps, measure.thresholds) for name, one in forecasters.items()}
        truths = [Field(frame) for frame in _common(later, forecasts)]
        observed_spectra = [total + truth.power for total, truth in zip(observed_spectra, truths, strict=True)]
        areas = _areas(forecasts, truths, measure)
        for name, forecast in forecasts.items():
            tallies[name].add(forecast, truths, areas)
        if start == rainiest:
            strip = _strip(past, later, forecasts)
    return EventScores(
        event=event,
        grid=sequence.grid,
        reference_times=tuple(sequence.valid_times[start + length - 1] for start in starts),
        lead_minutes=tuple(sequence.timestep_minutes * lead for lead in range(1, steps + 1)),
        measure=measure,
        block=block_length(steps, stride),
        methods={name: method_of(forecaster) for name, forecaster in forecasters.items()},
        sums={name: np.stack(tally.starts) for name, tally in tallies.items()},
        spectra={name: tally.spectra for name, tally in tallies.items()},
        observed_spectra=observed_spectra,
        reliability={name: tally.reliability for name, tally in tallies.items()},
        strip=strip,
    )


def window_of(forecasters: Mapping[str, Forecaster], sequence: FrameSequence, lead_minutes: int) -> tuple[int, int]:
    """The number of frames that the forecasters read, and the number of steps that the event can score.

    Raises
    ------
    InvalidRequest
        The lead time is not a multiple of the event's timestep.
    IncompleteHistory
        The event has too few frames for a single forecast.
    """
    length = max(forecaster.input_length for forecaster in forecasters.values())
    steps = min(steps_to(lead_minutes, sequence.timestep_minutes), len(sequence) - length)
    if steps < 1:
        raise IncompleteHistory(
            expected=f"more than {length} frames",
            got=f"{len(sequence)} frames",
            remedy="leave the event out",
        )
    return length, steps


def part(sequence: FrameSequence, start: int, count: int) -> FrameSequence:
    """`count` frames from `start` on."""
    return replace(
        sequence,
        rain_rate=sequence.rain_rate[start : start + count],
        valid_times=sequence.valid_times[start : start + count],
    )


def _rainiest(sequence: FrameSequence, starts: range, length: int, steps: int) -> int:
    """The start with the most observed rain in its lead times."""
    amounts = [float(np.nansum(frame)) for frame in sequence.rain_rate]
    return max(starts, key=lambda start: sum(amounts[start + length : start + length + steps]))


def _strip(past: FrameSequence, observed: Float32, forecasts: Mapping[str, Forecast]) -> Strip:
    """Copies of a few evenly spaced frames, so that the others can be freed."""
    minutes = [past.timestep_minutes * step for step in range(1, len(observed) + 1)]
    shown = shown_leads(minutes)
    leads = [minutes.index(lead) for lead in shown]
    return Strip(
        reference_time=past.valid_times[-1],
        lead_minutes=shown,
        observed=observed[leads],
        forecasts={name: forecast.rain_rate[leads] for name, forecast in forecasts.items()},
    )


def _areas(forecasts: Mapping[str, Forecast], truths: list[Field], measure: Measure) -> list[dict[float, int]]:
    """For each lead and threshold the forecast pixels of the method of `AREAS_OF`; none where it is not scored."""
    if AREAS_OF not in forecasts:
        return [{} for _ in truths]
    rain = forecasts[AREAS_OF].rain_rate
    fields = [
        np.where(np.isnan(truth.rain_rate), np.float32(0), field) for truth, field in zip(truths, rain, strict=True)
    ]
    return [{rate: int(np.count_nonzero(field >= rate)) for rate in measure.thresholds} for field in fields]


def _common(observed: Float32, forecasts: Mapping[str, Forecast]) -> list[Float32]:
    """Observed frames (H, W), NaN where one of the forecasts is NaN."""
    rates = (forecast.rain_rate for forecast in forecasts.values())
    known = np.isfinite(observed) & np.logical_and.reduce([np.isfinite(rain_rate) for rain_rate in rates])
    return list(np.where(known, observed, np.float32(np.nan)))
