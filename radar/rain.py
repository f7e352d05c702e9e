"""Rain rate, reflectivity and network units: the only place with a Z-R relation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

WET_FROM = 0.1
"""mm/h; pixels at or above it are wet."""


@dataclass(frozen=True)
class RainScaling:
    """Converts mm/h <-> dBZ <-> network units in [0, 1] by Z = a R^b.

    NaN stays NaN in every direction. Rates below `dry_below` (mm/h) are dry: they become 0 in network units, and a
    network's output below that rate becomes 0 mm/h, so that dry input gives dry output.

    References
    ----------
    a = 256, b = 1.42: DWD's standard relation (Bartels et al., 2004, RADOLAN final report).
    The range of -10 to 60 dBZ: Ma, Zhang and Liu, 2022, arXiv:2206.03010.
    """

    a: float = 256.0
    b: float = 1.42
    lowest_dbz: float = -10.0
    highest_dbz: float = 60.0
    dry_below: float = 0.05

    def to_reflectivity(self, rain_rate: npt.ArrayLike) -> Float32:
        """Reflectivity in dBZ; no rain is -inf dBZ."""
        with np.errstate(divide="ignore"):
            decibels = np.log10(np.asarray(rain_rate, np.float32)) * np.float32(10 * self.b)
        return np.asarray(decibels + np.float32(10 * np.log10(self.a)), np.float32)

    def from_reflectivity(self, reflectivity_dbz: npt.ArrayLike) -> Float32:
        """Rain rate in mm/h."""
        exponent = (np.asarray(reflectivity_dbz, np.float32) - np.float32(10 * np.log10(self.a))) / (10 * self.b)
        return np.asarray(np.power(np.float32(10), exponent), np.float32)

    def to_network(self, rain_rate: npt.ArrayLike) -> Float32:
        """Network units in [0, 1], 0 below `dry_below`."""
        rate = np.asarray(rain_rate, np.float32)
        units = (self.to_reflectivity(rate) - self.lowest_dbz) / (self.highest_dbz - self.lowest_dbz)
        return np.where(rate < self.dry_below, np.float32(0), np.clip(units, 0, 1)).astype(np.float32, copy=False)

    def decibels_to_network(self, db: npt.ArrayLike) -> Float32:
        """Network units of rain in dB of 1 mm/h: as `to_network`, but neither clipped nor dry anywhere."""
        reflectivity = np.asarray(db, np.float32) * np.float32(self.b) + np.float32(10 * np.log10(self.a))
        return np.asarray((reflectivity - self.lowest_dbz) / (self.highest_dbz - self.lowest_dbz), np.float32)

    def from_network(self, units: npt.ArrayLike) -> Float32:
        """Rain rate in mm/h of network units, which are clipped to [0, 1] first."""
        clipped = np.clip(np.asarray(units, np.float32), 0, 1)
        rate = self.from_reflectivity(clipped * (self.highest_dbz - self.lowest_dbz) + self.lowest_dbz)
        # Slightly below the threshold, so that a rate of exactly dry_below survives the round trip.
        return np.where(rate < self.dry_below * 0.9999, np.float32(0), rate).astype(np.float32, copy=False)
