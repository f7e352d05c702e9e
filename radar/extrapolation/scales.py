"""A field split by scale: its spectrum, and filters that depend on the wavenumber alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from radar.sequence import Float32

Float64 = npt.NDArray[np.float64]

_BINS_PER_WAVENUMBER = 16
"""Filters are tables over wavenumbers in steps of 1/16."""
_MEAN = 0.5
"""Below this wavenumber there is only the mean of the field."""
_LARGEST_FACTOR = 100
_WIDTH = 0.5
"""Standard deviation of a band in levels."""


@dataclass(frozen=True)
class Spectra:
    """Real Fourier spectra of fields of one shape, in OpenCV's packed layout: as many real numbers as pixels.

    Rows and columns whose number has a large prime factor are padded to a size that transforms fast.

    Attributes
    ----------
    shape : (int, int)
        Of the fields.
    padded : (int, int)
    wavenumber : int `padded`
        For each number of a spectrum, its wavenumber in steps of 1/16: waves per edge of the field, along both edges.
    multiplicity : float32 `padded`
        How many waves a number stands for, 2 where its conjugate is left out; 0 at the mean of the field.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    wavenumber: npt.NDArray[np.intp]
    multiplicity: Float32

    def of(self, field: Float32, outside: float) -> Float32:
        """The spectrum of a field (H, W); the padding has the value `outside`."""
        rows, columns = (large - size for large, size in zip(self.padded, self.shape, strict=True))
        padded = cv2.copyMakeBorder(field, 0, rows, 0, columns, cv2.BORDER_CONSTANT, value=(outside,))
        return cast(Float32, cv2.dft(padded))

    def field(self, spectrum: Float32) -> Float32:
        """The field (H, W) of a spectrum."""
        rows, columns = self.shape
        return cast(Float32, cv2.dft(spectrum, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)[:rows, :columns])

    def covariances(self, one: Float32, other: Float32) -> Float64:
        """By wavenumber (in steps of 1/16), what its waves add to the covariance of two fields over all pixels."""
        products = self.multiplicity * one * other
        sums = np.bincount(self.wavenumber.ravel(), products.ravel(), int(self.wavenumber.max()) + 1)
        return np.asarray(sums / float(np.prod(self.padded)) ** 2)

    def filtered(self, spectrum: Float32, response: Float64) -> Float32:
        """A spectrum times a filter's response by wavenumber (in steps of 1/16)."""
        return cast(Float32, spectrum * response.astype(np.float32).take(self.wavenumber, mode="clip"))

    def bands(self, levels: int) -> Float64:
        """Band-pass filters (levels, wavenumbers), from the largest scale to the smallest; they add up to 1.

        Gaussians in the logarithm of the wavenumber, at even distances between the whole field and two pixels
        (Pulkkinen et al., 2019, doi:10.5194/gmd-12-4185-2019), as pysteps has them.
        """
        step = (0.5 * max(*self.shape, 4)) ** (1 / levels)
        wavenumber = np.arange(int(self.wavenumber.max()) + 1) / _BINS_PER_WAVENUMBER
        position = np.log(np.maximum(wavenumber, 1 / _BINS_PER_WAVENUMBER)) / np.log(step)
        centres = np.log(0.5 * (step ** np.arange(levels) + step ** np.arange(1, levels + 1))) / np.log(step)
        weights = np.exp(-((position - centres[:, None]) ** 2) / (2 * _WIDTH**2))
        weights[:, wavenumber < _MEAN] = (np.arange(levels) == 0)[:, None]
        return cast(Float64, weights / weights.sum(axis=0))


@lru_cache(maxsize=4)
def spectra(shape: tuple[int, int]) -> Spectra:
    """The layout of spectra of fields of a shape (H, W)."""
    padded = (_transformed(shape[0]), _transformed(shape[1]))
    vertical, horizontal = _packed_waves(*padded)
    wavenumber = np.hypot(vertical * (shape[0] / padded[0]), horizontal * (shape[1] / padded[1]))
    alone = np.isin(vertical, (0, padded[0] / 2)) & np.isin(horizontal, (0, padded[1] / 2))
    multiplicity = np.where(alone, np.float32(1), np.float32(2))
    multiplicity[0, 0] = 0
    return Spectra(shape, padded, np.rint(wavenumber * _BINS_PER_WAVENUMBER).astype(np.intp), multiplicity)


def _transformed(size: int) -> int:
    """The size itself, or a larger one where a transform would take long."""
    rest, factor = size, 2
    while factor * factor <= rest:
        rest, factor = (rest // factor, factor) if rest % factor == 0 else (rest, factor + 1)
    return size if rest <= _LARGEST_FACTOR else int(cv2.getOptimalDFTSize(size))


def _packed_waves(rows: int, columns: int) -> tuple[Float64, Float64]:
    """Waves per frame along rows and columns, for each number of a packed spectrum (OpenCV's `dft`)."""
    vertical = np.repeat(np.abs(np.fft.fftfreq(rows, 1 / rows))[:, None], columns, axis=1)
    horizontal = np.repeat(((np.arange(columns) + 1) // 2)[None].astype(np.float64), rows, axis=0)
    edges = [0, columns - 1] if columns % 2 == 0 else [0]  # columns whose real and imaginary parts lie below each other
    vertical[:, edges] = ((np.arange(rows) + 1) // 2)[:, None]
    return vertical, horizontal
