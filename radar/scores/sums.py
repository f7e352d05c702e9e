"""The sums of a frame in the live service, laid out by `LIVE`, and their form in ledgers.

Vectors of many frames stack to arrays (..., `LIVE.size`), which the readers take as well, so that intervals can be
drawn with `radar.scores.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from radar.errors import UnreadableFile
from radar.scores.comparison import Comparison, Field
from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.scores.table import BRIER, COUNTS, ERRORS, FRACTIONS, SCORES, Statistic, kept_in
from radar.sequence import Float32

THRESHOLDS = (0.1, 1.0, 5.0, 10.0)
"""Thresholds in mm/h of the counts of pixels."""
SCALES_KM = (5.0, 20.0)
"""Widths of the neighbourhoods of the FSS."""
LIVE = Measure(THRESHOLDS, SCALES_KM, kept_in("live"))
"""The layout of the sums."""
_IN_ALL = (COUNTS, ERRORS, FRACTIONS)
"""The sums in every record. Others are missing where the forecast lacks their input, and in older ledgers."""
_NEVER_NEGATIVE = (*_IN_ALL, BRIER)
_LARGEST_SUM = 1e30
"""Far above any real sum, so that no sum of sums is infinite."""


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """Additive sums of forecast frames, for all thresholds and scales.

    Parameters
    ----------
    values : float64 (LIVE.size,)
    """

    values: Float64 = field(default_factory=lambda: np.zeros(LIVE.size))

    def __add__(self, other: ScoreSums) -> ScoreSums:
        return ScoreSums(self.values + other.values)

    @property
    def frames(self) -> int:
        """The number of frames in the sums."""
        return int(self.values[0])

    @property
    def pixels(self) -> int:
        """The number of compared pixels."""
        return int(LIVE.part(ERRORS, self.values)[-1])

    def counts(self, threshold: float) -> tuple[int, int, int, int]:
        """Hits, misses, false alarms, correct negatives."""
        hits, misses, false_alarms, negatives = counts_of(self.values, threshold).astype(np.int64).tolist()
        return hits, misses, false_alarms, negatives


def sums_of(
    forecast: Float32,
    observed: Float32,
    pixel_size_km: float,
    probabilities: Mapping[float, Float32] | None = None,
) -> ScoreSums:
    """The sums of one frame.

    Parameters
    ----------
    forecast, observed : float32 (H, W)
        mm/h. Pixels where one of them is NaN do not count.
    pixel_size_km : float
    probabilities : mapping of float to float32 (H, W), or None
        By threshold, 0 to 1; None without probabilities. Pixels without `observed` do not count; the caller leaves out
        those without `forecast`.
    """
    return ScoreSums(LIVE.sums(Comparison(Field(forecast), Field(observed), pixel_size_km, probabilities or {})))


def counts_of(values: Float64, threshold: float) -> Float64:
    """Hits, misses, false alarms, correct negatives (..., 4) of sums (..., LIVE.size)."""
    return LIVE.part(COUNTS, values)[..., THRESHOLDS.index(threshold), :]


def read_score(name: str, values: Float64, threshold: float | None = None, scale_km: float | None = None) -> Float64:
    """A score (...) of sums (..., LIVE.size), at one of `THRESHOLDS` and of `SCALES_KM` where it has them.

    NaN where the score is undefined, such as CSI without any event.
    """
    scores = LIVE.read(SCORES[name], values)
    if scale_km is not None:
        scores = scores[..., SCALES_KM.index(scale_km)]
    return scores if threshold is None else scores[..., THRESHOLDS.index(threshold)]


def to_json(sums: ScoreSums) -> dict[str, Any]:
    """The sums as JSON values: lists in the order of `THRESHOLDS`, within them of `SCALES_KM`; floats are exact."""
    always = {each.name: _numbers(each, LIVE.part(each, sums.values)) for each in _IN_ALL}
    others = {each.name: LIVE.part(each, sums.values) for each in LIVE.statistics if each not in _IN_ALL}
    return {"frames": sums.frames, **always, **{name: part.tolist() for name, part in others.items() if part.any()}}


def _numbers(statistic: Statistic, part: Float64) -> Any:  # noqa: ANN401
    """Lists as deep as `part` (..., sums), with integers for sums that are whole numbers."""
    if part.ndim > 1:
        return [_numbers(statistic, each) for each in part]
    return [int(value) if whole else value for value, whole in zip(part.tolist(), statistic.whole, strict=True)]


def from_json(content: Mapping[str, Any]) -> ScoreSums:
    """The inverse of `to_json`; raises UnreadableFile for anything else."""
    try:
        values = np.zeros(LIVE.size)
        values[0] = content["frames"]
        for each in LIVE.statistics:
            if each in _IN_ALL or each.name in content:
                LIVE.put(each, content[each.name], values)
        least = min(values[0], *(LIVE.part(each, values).min() for each in _NEVER_NEGATIVE))
        if not (np.abs(values) <= _LARGEST_SUM).all() or least < 0:  # nor NaN
            raise ValueError("impossible sums")
        return ScoreSums(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableFile(
            expected=f"sums for thresholds {THRESHOLDS} and scales {SCALES_KM}",
            got=type(error).__name__,
            remedy="read it with the version that wrote it",
        ) from None
