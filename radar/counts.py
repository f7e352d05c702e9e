"""Rain in 16 bits a pixel: the steps in which forecasts are kept, by the service and by a hindcast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radar.sequence import Float32

SCALE = 0.012
"""mm/h that one count stands for: 0.001 mm in 5 minutes, a tenth of what DWD's composites resolve."""
MISSING = 65535
"""The count that stands for no data."""
LARGEST_COUNT = MISSING - 1
"""786.4 mm/h, 65 mm in 5 minutes."""

Counts = npt.NDArray[np.uint16]

_RATES = (np.arange(MISSING + 1) * SCALE).astype(np.float32)
_RATES[MISSING] = np.nan


def to_counts(rain_rate: Float32) -> tuple[Counts, npt.NDArray[np.int64]]:
    """Frames (T, H, W) in mm/h as counts, NaN as `MISSING`, and how many pixels of each frame were above the range.

    Those become the largest count.
    """
    known = ~np.isnan(rain_rate)
    exact = np.rint(np.where(known, rain_rate, np.float32(0)).astype(np.float64) / SCALE)
    counts = np.where(known, np.minimum(exact, LARGEST_COUNT), MISSING).astype(np.uint16)
    return counts, np.count_nonzero(exact > LARGEST_COUNT, axis=(-2, -1))


def to_rates(counts: Counts) -> Float32:
    """Counts of any shape in mm/h, `MISSING` as NaN."""
    rates: Float32 = _RATES[counts]
    return rates
