"""The scores of a frame in the live service as one vector: the sums of `LIVE` and those of Brier scores.

Vectors of many frames stack to arrays (..., SIZE), which the readers take as well, so that intervals can be drawn with
`radar.scores.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from radar.errors import UnreadableFile
from radar.scores.fss import FractionSum, fss
from radar.scores.measure import Measure
from radar.scores.pixels import ContingencyTable, ErrorSum, Float64, csi, mae, read_many
from radar.scores.probability import MeanSum, brier, brier_sum
from radar.sequence import Float32

THRESHOLDS = (0.1, 1.0, 5.0, 10.0)
"""mm/h that pixels are counted by."""
SCALES_KM = (5.0, 20.0)
"""Widths of the neighbourhoods of FSS."""
LIVE = Measure(THRESHOLDS, SCALES_KM)
"""Where the sums stand but those of Brier scores, which come last."""
SIZE = LIVE.size + 2 * len(THRESHOLDS)
"""How many sums there are."""
_LARGEST_SUM = 1e30
"""Far beyond what any frames come to, so that no sum of sums is infinite."""
_UNSAID = [[0.0, 0.0]] * len(THRESHOLDS)


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """Additive sums of forecast frames, for all thresholds and scales.

    Parameters
    ----------
    values : float64 (SIZE,)
        Those of `LIVE`, then for each threshold the Brier sum and its pixels.
    """

    values: Float64 = field(default_factory=lambda: np.zeros(SIZE))

    def __add__(self, other: ScoreSums) -> ScoreSums:
        return ScoreSums(self.values + other.values)

    @property
    def frames(self) -> int:
        """How many frames were added up."""
        return int(self.values[0])

    @property
    def pixels(self) -> int:
        """How many pixels were compared."""
        return int(LIVE.errors(self.values)[2])

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
        By threshold, 0 to 1, where some were said. Pixels without `observed` do not count; those without `forecast` are
        for the caller to leave out.
    """
    values = np.zeros(SIZE)
    values[: LIVE.size] = LIVE.sums(forecast, observed, pixel_size_km)
    if probabilities:
        _brier(values)[:] = [astuple(brier_sum(probabilities[t], observed, t)) for t in THRESHOLDS]
    return ScoreSums(values)


def counts_of(values: Float64, threshold: float) -> Float64:
    """Hits, misses, false alarms, correct negatives (..., 4) of sums (..., SIZE)."""
    return LIVE.counts(values)[..., THRESHOLDS.index(threshold), :]


def read_csi(values: Float64, threshold: float) -> Float64:
    """CSI (...) of sums (..., SIZE); NaN without any event."""
    return read_many(csi, ContingencyTable, counts_of(values, threshold))


def read_mae(values: Float64) -> Float64:
    """Mean absolute error (...) in mm/h; NaN without any pixel."""
    return read_many(mae, ErrorSum, LIVE.errors(values))


def read_fss(values: Float64, threshold: float, scale_km: float) -> Float64:
    """Fractions skill score (...); NaN where nothing was forecast or observed."""
    place = THRESHOLDS.index(threshold), SCALES_KM.index(scale_km)
    return read_many(fss, FractionSum, LIVE.fractions(values)[..., *place, :])


def read_brier(values: Float64, threshold: float) -> Float64:
    """Brier score (...), 0 is perfect; NaN where no probabilities were said."""
    return read_many(brier, MeanSum, _brier(values)[..., THRESHOLDS.index(threshold), :])


def to_json(sums: ScoreSums) -> dict[str, Any]:
    """The sums as JSON values: lists in the order of `THRESHOLDS`, within them of `SCALES_KM`; floats exactly."""
    values = sums.values
    counts = LIVE.counts(values).astype(np.int64).tolist()
    errors = [*LIVE.errors(values)[:2].tolist(), sums.pixels]
    said = {"brier": _brier(values).tolist()} if _brier(values).any() else {}
    return {"frames": sums.frames, "counts": counts, "errors": errors, "fss": LIVE.fractions(values).tolist(), **said}


def from_json(content: Mapping[str, Any]) -> ScoreSums:
    """The inverse of `to_json`; raises UnreadableFile for anything else."""
    try:
        parts = [content["frames"], *content["errors"]]
        for counts, near in zip(content["counts"], content["fss"], strict=True):
            parts += [*counts, *chain.from_iterable(near)]
        if len(content["counts"]) != len(THRESHOLDS):
            raise ValueError("another number of thresholds")
        parts += chain.from_iterable(content.get("brier", _UNSAID))
        values = np.array(parts, np.float64).reshape(SIZE)
        if not (np.isfinite(values) & (values >= 0) & (values <= _LARGEST_SUM)).all():
            raise ValueError("sums that no frames come to")
        return ScoreSums(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableFile(
            expected=f"sums for thresholds {THRESHOLDS} and scales {SCALES_KM}",
            got=type(error).__name__,
            remedy="read it with the version that wrote it",
        ) from None


def _brier(values: Float64) -> Float64:
    """`MeanSum` (..., thresholds, 2), a view."""
    return values[..., LIVE.size :].reshape(*values.shape[:-1], len(THRESHOLDS), 2)
