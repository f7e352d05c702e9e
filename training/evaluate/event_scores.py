"""The scores of all forecasters on one event: sums for each start, spectra, reliability, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from radar.grid import Grid
from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.scores.reliability import ReliabilitySum
from radar.scores.spectrum import SpectrumSum
from radar.scores.table import ERRORS
from radar.sequence import Float32
from training.evaluate.probabilities import Method
from training.evaluate.sampled import Sampled, sample
from training.evaluate.seen import UNSEEN
from training.evaluate.table import ScoreRow

_SHOWN = 4
"""The number of frames of a forecast in a picture."""


def shown_leads(lead_minutes: Sequence[int]) -> tuple[int, ...]:
    """The few, evenly spaced lead times in pictures."""
    count = len(lead_minutes)
    return tuple(lead_minutes[number - 1] for number in sorted({-(-count * k // _SHOWN) for k in range(1, _SHOWN + 1)}))


@dataclass(frozen=True, eq=False)
class Strip:
    """Some frames of one start: `observed` and each forecaster's `forecasts`, (lead_minutes, H, W) in mm/h."""

    reference_time: datetime
    lead_minutes: tuple[int, ...]
    observed: Float32
    forecasts: Mapping[str, Float32]


@dataclass(frozen=True, eq=False)
class EventScores:
    """The scores of forecasters on one event.

    Parameters
    ----------
    event : str
    grid : Grid
    reference_times : tuple of datetime
        The last observed frame of each start, in order.
    lead_minutes : tuple of int
    measure : Measure
    block : int
        The number of consecutive starts that are resampled together.
    methods : mapping
        The method of each forecaster's probabilities.
    sums : mapping
        (starts, leads, sums), laid out by `measure`, of each forecaster.
    spectra : mapping
        Spectra for each lead, of each forecaster.
    observed_spectra : list of SpectrumSum
    reliability : mapping
        Sums for each lead and threshold, of each forecaster.
    strip : Strip
        The start with the most rain.
    seen : mapping
        Whether a forecaster has learnt from the event, and how that is known; "no" if it is missing here.
    """

    event: str
    grid: Grid
    reference_times: tuple[datetime, ...]
    lead_minutes: tuple[int, ...]
    measure: Measure
    block: int
    methods: Mapping[str, Method]
    sums: Mapping[str, Float64]
    spectra: Mapping[str, list[SpectrumSum]]
    observed_spectra: list[SpectrumSum]
    reliability: Mapping[str, list[list[ReliabilitySum]]]
    strip: Strip
    seen: Mapping[str, str] = field(default_factory=dict)

    def sampled(self) -> dict[str, Sampled]:
        """Each forecaster's scores, and those of resampled starts, by lead and threshold."""
        return {name: sample(sums, self.measure, self.block) for name, sums in self.sums.items()}

    def rows(self, sampled: Mapping[str, Sampled] | None = None) -> list[ScoreRow]:
        """One `ScoreRow` for each forecaster, lead and threshold; `sampled` may hold the computed scores."""
        scores = self.sampled() if sampled is None else sampled
        return [row for name, one in scores.items() for row in _rows(self, name, one)]


def _rows(scored: EventScores, model: str, sampled: Sampled) -> Iterator[ScoreRow]:
    measure = scored.measure
    intervals = sampled.intervals()
    pixels = measure.part(ERRORS, scored.sums[model])[..., -1].sum(axis=0)
    for lead, minutes in enumerate(scored.lead_minutes):
        for index, threshold in enumerate(measure.thresholds):
            at = (lead, index)
            yield ScoreRow(
                model=model,
                event=scored.event,
                lead_minutes=minutes,
                threshold=threshold,
                scores={name: float(values[at]) for name, values in sampled.scores.items()},
                fss_km=measure.fss_km[0],
                probability=scored.methods[model],
                starts=len(scored.reference_times),
                pixels=int(pixels[lead]),
                intervals={name: (float(both.low[at]), float(both.high[at])) for name, both in intervals.items()},
                seen=scored.seen.get(model, UNSEEN),
            )
