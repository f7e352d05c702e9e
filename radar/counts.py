"""Rain in 16 bits per pixel, as the archive, the service and a hindcast keep it: counts of a step, and their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.sequence import Float32

MISSING = 65535
"""The count that marks no data."""
LARGEST_COUNT = MISSING - 1

Counts = npt.NDArray[np.uint16]
Rates = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quantisation:
    """Rain rates as whole numbers of steps; NaN is `MISSING`, and rates above the range are its largest count.

    Parameters
    ----------
    step : float
        mm/h of one count.
    """

    step: float

    def to_counts(self, rain_rate: Rates) -> tuple[Counts, npt.NDArray[np.bool_]]:
        """Counts of rates in mm/h of any shape, and a mask of the pixels above the range.

        The precision of the rates is kept: it decides the rounding of rates halfway between two counts.
        """
        known = ~np.isnan(rain_rate)
        exact = np.rint(np.where(known, rain_rate, rain_rate.dtype.type(0)) / self.step)
        counts: Counts = np.where(known, np.minimum(exact, LARGEST_COUNT), MISSING).astype("<u2")
        return counts, exact > LARGEST_COUNT

    def to_rates(self, counts: Counts) -> Float32:
        """Rates in mm/h of counts of any shape; `MISSING` becomes NaN."""
        kept: Float32 = rates(self.step)[counts]
        return kept

    def reaching(self, rain_rate: float) -> Quantisation:
        """The same quantisation, or one just coarse enough to include a rate in its range."""
        return Quantisation(max(self.step, rain_rate / LARGEST_COUNT))


ARCHIVED = Quantisation(0.01)
"""Exact for RADOLAN's steps of 0.12 mm/h and ODIM's of 0.01; up to 655.34 mm/h, 55 mm in 5 minutes."""
STORED = Quantisation(0.012)
"""0.001 mm in 5 minutes, a tenth of the step of DWD's composites; up to 786.4 mm/h, 65 mm in 5 minutes."""


@lru_cache(maxsize=8)
def rates(step: float) -> Float32:
    """Rain rate in mm/h of every count, as a table, which is exact and fast."""
    table = (np.arange(MISSING + 1) * step).astype(np.float32)
    table[MISSING] = np.nan
    table.flags.writeable = False
    return table


def shuffled(values: npt.NDArray[Any]) -> bytes:
    """HDF5's shuffle: the first bytes of all numbers, then all second bytes, most of which are 0 or equal."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def unshuffled(content: bytes, shape: tuple[int, int]) -> Counts:
    """The counts (H, W) of bytes from `shuffled`."""
    halves = np.frombuffer(content, np.uint8).reshape(2, -1)
    return np.ascontiguousarray(halves.T).view("<u2")[:, 0].reshape(shape)
