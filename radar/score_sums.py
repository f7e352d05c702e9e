"""All that a forecast frame is judged by, as one vector of additive sums.

The parts are those of `radar.verification`, `radar.fss` and `radar.probability`. Counts are whole numbers, exact in
float64 up to 2^53 pixels. Vectors of many frames stack to arrays (..., SIZE), which the readers take as well, so that
intervals can be drawn with `radar.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from radar.errors import UnreadableFile
from radar.fss import FractionSum, fraction_sum, fss, scale_pixels
from radar.probability import brier_sum
from radar.sequence import Float32
from radar.verification import Float64, contingency, csi, error_sum, far, frequency_bias, pod, ratio, tables

THRESHOLDS = (0.1, 1.0, 5.0, 10.0)
"""mm/h that pixels are counted by."""
SCALES_KM = (5.0, 20.0)
"""Widths of the neighbourhoods of FSS."""
_N = len(THRESHOLDS)
_COUNTS = slice(1, 1 + 4 * _N)
_ABSOLUTE, _SQUARED, _PIXELS = (_COUNTS.stop + k for k in range(3))
_FRACTIONS = slice(_PIXELS + 1, _PIXELS + 1 + 2 * _N * len(SCALES_KM))
_BRIER = slice(_FRACTIONS.stop, _FRACTIONS.stop + 2 * _N)
SIZE = _BRIER.stop
"""How many sums there are."""


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """Additive sums of forecast frames, for all thresholds and scales.

    Parameters
    ----------
    values : float64 (SIZE,)
        Frames; for each threshold hits, misses, false alarms, correct negatives; absolute (mm/h) and squared errors and
        their pixels; for each threshold and scale the two sums of FSS; for each threshold the Brier sum and its pixels.
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
        return int(self.values[_PIXELS])

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
    values[0] = 1
    errors = error_sum(forecast, observed)
    values[[_ABSOLUTE, _SQUARED, _PIXELS]] = errors.absolute, errors.squared, errors.count
    found = [contingency(forecast, observed, threshold) for threshold in THRESHOLDS]
    values[_COUNTS] = [part for t in found for part in (t.hits, t.misses, t.false_alarms, t.correct_negatives)]
    widths = [scale_pixels(scale, pixel_size_km) for scale in SCALES_KM]
    near = [fraction_sum(forecast, observed, threshold, width) for threshold in THRESHOLDS for width in widths]
    values[_FRACTIONS] = [part for sums in near for part in (sums.difference, sums.reference)]
    said = [brier_sum(probabilities[t], observed, t) if probabilities else None for t in THRESHOLDS]
    values[_BRIER] = [part for sums in said for part in ((sums.total, sums.count) if sums else (0.0, 0))]
    return ScoreSums(values)


def counts_of(values: Float64, threshold: float) -> Float64:
    """Hits, misses, false alarms, correct negatives (..., 4) of sums (..., SIZE)."""
    start = _COUNTS.start + 4 * THRESHOLDS.index(threshold)
    return values[..., start : start + 4]


def read_csi(values: Float64, threshold: float) -> Float64:
    """CSI (...) of sums (..., SIZE); NaN without any event."""
    return np.asarray(csi(tables(counts_of(values, threshold))))


def read_pod(values: Float64, threshold: float) -> Float64:
    """Probability of detection (...); NaN where nothing was observed."""
    return np.asarray(pod(tables(counts_of(values, threshold))))


def read_far(values: Float64, threshold: float) -> Float64:
    """False alarm ratio (...); NaN where nothing was forecast."""
    return np.asarray(far(tables(counts_of(values, threshold))))


def read_bias(values: Float64, threshold: float) -> Float64:
    """Frequency bias (...); NaN where nothing was observed."""
    return np.asarray(frequency_bias(tables(counts_of(values, threshold))))


def read_mae(values: Float64) -> Float64:
    """Mean absolute error (...) in mm/h; NaN without any pixel."""
    return np.asarray(ratio(np.asarray(values[..., _ABSOLUTE]), np.asarray(values[..., _PIXELS])))


def read_fss(values: Float64, threshold: float, scale_km: float) -> Float64:
    """Fractions skill score (...); NaN where nothing was forecast or observed."""
    place = THRESHOLDS.index(threshold) * len(SCALES_KM) + SCALES_KM.index(scale_km)
    difference, reference = np.moveaxis(values[..., _FRACTIONS.start + 2 * place :][..., :2], -1, 0)
    return np.asarray(fss(FractionSum(cast(float, np.asarray(difference)), cast(float, np.asarray(reference)))))


def read_brier(values: Float64, threshold: float) -> Float64:
    """Brier score (...), 0 is perfect; NaN where no probabilities were said."""
    total, pixels = np.moveaxis(values[..., _BRIER.start + 2 * THRESHOLDS.index(threshold) :][..., :2], -1, 0)
    return np.asarray(ratio(np.asarray(total), np.asarray(pixels)))


def to_json(sums: ScoreSums) -> dict[str, Any]:
    """The sums as JSON values: lists in the order of `THRESHOLDS`, within them of `SCALES_KM`; floats exactly."""
    values = sums.values
    counts = values[_COUNTS].astype(np.int64).reshape(_N, 4).tolist()
    near = values[_FRACTIONS].reshape(_N, len(SCALES_KM), 2).tolist()
    errors = [*values[[_ABSOLUTE, _SQUARED]].tolist(), sums.pixels]
    said = {"brier": values[_BRIER].reshape(_N, 2).tolist()} if values[_BRIER].any() else {}
    return {"frames": sums.frames, "counts": counts, "errors": errors, "fss": near, **said}


def from_json(content: Mapping[str, Any]) -> ScoreSums:
    """The inverse of `to_json`; raises UnreadableFile for anything else."""
    try:
        parts = [content["frames"], content["counts"], content["errors"], content["fss"]]
        flat = [np.asarray(part, np.float64).ravel() for part in (*parts, content.get("brier", [0.0] * 2 * _N))]
        values = np.concatenate(flat)
        if [len(part) for part in flat] != [1, 4 * _N, 3, 2 * _N * len(SCALES_KM), 2 * _N]:
            raise ValueError("another number of sums")
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(
            expected=f"sums for thresholds {THRESHOLDS} and scales {SCALES_KM}",
            got=type(error).__name__,
            remedy="read it with the version that wrote it",
        ) from None
    return ScoreSums(values)
