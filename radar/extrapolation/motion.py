"""A dense motion field, and rain carried along it.

A motion field is float32 (2, H, W): pixels per timestep towards growing columns (east) and growing rows
(south). It is estimated once from the newest frames and held constant (steady streamlines).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from radar.extrapolation.refine import IMAGES, refined
from radar.rain import RainScaling

Float32 = npt.NDArray[np.float32]

_PAIRS = 4
"""How many of the newest pairs of frames the motion is averaged over."""
_SMOOTHING_SIGMA = 20.0
"""Pixels over which the motion of rain is spread; showers a few kilometres apart move together."""
_SEARCH_SPACING = 2
"""The search is for the motion of means over 2 x 2 pixels: single pixels come and go, and there are fewer to search."""
_BLUR = 1.0
"""Standard deviation of a blur of these means before the search."""
_LEAST_HALVED = 64
"""Frames with an edge of fewer pixels are searched as they are."""
_PATH_SPACING = 4
_LEAST_TRACED = 64
"""Paths are traced from one pixel in `_PATH_SPACING` along edges of so many pixels or more, else from all."""
_WET_DBZ = 7.0
"""Echoes below this (about 0.06 mm/h) are not tracked."""


@dataclass(frozen=True)
class Smoothing:
    """The loss of detail with lead time: a Gaussian of sigma = km_at_one_hour (lead / 60 min)^exponent."""

    km_at_one_hour: float = 6.0
    exponent: float = 0.75

    def sigma_km(self, lead_minutes: float) -> float:
        """Standard deviation in km for a lead time."""
        return float(self.km_at_one_hour * (lead_minutes / 60) ** self.exponent)

    def apply(self, rain_rate: Float32, lead_minutes: float, pixel_size_km: float) -> Float32:
        """A frame (H, W) in mm/h, smoothed for a lead time; see `smooth`."""
        return smooth(rain_rate, self.sigma_km(lead_minutes) / pixel_size_km)


def motion_field(rain_rate: Float32) -> Float32:
    """Estimate the motion of rain from its newest frames.

    Dense inverse search flow (Kroeger et al., 2016, doi:10.1007/978-3-319-46493-0_29) between pairs of
    reflectivity images, averaged with the rain as weight and spread by a Gaussian; then changed where earlier images,
    carried along it, differ from the last: see `radar.extrapolation.refine`. docs/lab/motion.md compares it.

    Parameters
    ----------
    rain_rate : float32 (T, H, W)
        mm/h, oldest first; NaN counts as no rain. The newest five frames are used.

    Returns
    -------
    float32 (2, H, W)
        Pixels per timestep (east, south); zero everywhere when it is dry or T = 1.
    """
    shape = rain_rate.shape[1:]
    if min(shape) < 16:  # too small for the search's patches
        return np.zeros((2, *shape), np.float32)
    spacing = _SEARCH_SPACING if min(shape) >= _LEAST_HALVED else 1
    images = [_image(frame, spacing) for frame in rain_rate[-_PAIRS - 1 :]]
    total, weights = np.zeros((*images[0].shape, 2), np.float32), np.zeros(images[0].shape, np.float32)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for before, after in pairwise(images):
        flow = search.calc(before, after, None)  # type: ignore[call-overload]
        weight = np.minimum(before, after).astype(np.float32)
        total += flow * weight[..., None]
        weights += weight
    motion = _spread(total, weights, _SMOOTHING_SIGMA / spacing)
    if weights.any():
        known = [_coarser(np.isfinite(frame).astype(np.float32), spacing) for frame in rain_rate[-IMAGES:]]
        motion = refined(motion, images[-IMAGES:], known, carried, _gaussian)
    return motion if spacing == 1 else _enlarged(motion, shape)


def _image(rain_rate: Float32, spacing: int) -> npt.NDArray[np.uint8]:
    """Reflectivity as 8 bits for the flow search: 0 = no rain, 4 counts a dB above `_WET_DBZ`."""
    dbz = RainScaling().to_reflectivity(np.nan_to_num(rain_rate))
    image = np.asarray(np.clip((dbz - _WET_DBZ) * 4, 0, 255), np.uint8)
    return image if spacing == 1 else np.asarray(cv2.GaussianBlur(_coarser(image, spacing), (0, 0), _BLUR), np.uint8)


def _coarser(image: np.ndarray, spacing: int) -> np.ndarray:
    """Means over squares of `spacing` pixels."""
    size = (image.shape[1] // spacing, image.shape[0] // spacing)
    return image if spacing == 1 else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _enlarged(motion: Float32, shape: tuple[int, ...]) -> Float32:
    """A motion field of fewer pixels as one of `shape`, in its pixels."""
    rows, columns = shape
    scales = columns / motion.shape[2], rows / motion.shape[1]
    resized = (cv2.resize(axis, (columns, rows), interpolation=cv2.INTER_LINEAR) for axis in motion)
    return np.stack([axis * np.float32(scale) for axis, scale in zip(resized, scales, strict=True)])


def _spread(total: npt.NDArray[np.float32], weights: Float32, sigma: float) -> Float32:
    """Weighted mean of the flow around every pixel; far from all rain, the mean of the whole field."""
    if not weights.any():
        return np.zeros((2, *weights.shape), np.float32)
    mean = total.sum(axis=(0, 1), dtype=np.float64) / weights.sum(dtype=np.float64)
    faint = np.float32(1e-3 * weights.max())
    weight = _gaussian(weights, sigma) + faint
    axes = [(_gaussian(total[..., k], sigma) + faint * np.float32(mean[k])) / weight for k in (0, 1)]
    return np.stack(axes).astype(np.float32, copy=False)


def _gaussian(field: Float32, sigma: float) -> Float32:
    """Gaussian blur, zeros outside; on a smaller copy when sigma is many pixels."""
    factor = max(1, int(sigma // 8))
    if factor > 1:
        size = (max(1, field.shape[1] // factor), max(1, field.shape[0] // factor))
        small = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_CONSTANT)
        return cast(Float32, cv2.resize(blurred, field.shape[::-1], interpolation=cv2.INTER_LINEAR))
    return cast(Float32, cv2.GaussianBlur(field, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT))


class Trajectories:
    """Paths along a motion field, one timestep longer with every call of `extend`.

    Semi-Lagrangian backward (or, with `direction` -1, forward) tracing (Germann and Zawadzki, 2002,
    doi:10.1175/1520-0493(2002)130<2859:SDOTPO>2.0.CO;2), with the displacement at a midpoint. A motion field is smooth,
    so that paths are traced from one pixel in 4 x 4 and interpolated between them.
    """

    def __init__(self, motion: Float32, direction: int = 1) -> None:
        rows, columns = motion.shape[1:]
        self._size = (columns, rows)
        coarse = tuple(-(-size // _PATH_SPACING) if size >= _LEAST_TRACED else size for size in self._size)
        self._spacing = np.array([columns / coarse[0], rows / coarse[1]], np.float32)
        fine = np.ascontiguousarray(np.moveaxis(motion * np.float32(direction), 0, -1))
        coarser = cv2.resize(fine, coarse, interpolation=cv2.INTER_AREA)
        self._motion = cast(Float32, coarser.reshape(*coarse[::-1], 2))
        self._pixels, self._nodes = _places(self._size), _places(coarse)
        self._path = np.zeros_like(self._motion)
        self._from: Float32 = self._pixels

    def extend(self) -> None:
        """Go one timestep further back along the paths."""
        ahead = self._motion_at(self._path) * np.float32(0.5)
        self._path = cast(Float32, self._path + self._motion_at(self._path + ahead))
        fine = cv2.resize(self._path, self._size, interpolation=cv2.INTER_LINEAR).reshape(self._pixels.shape)
        self._from = cast(Float32, self._pixels - fine)

    def carry(self, field: Float32) -> Float32:
        """Carry `field` (H, W) along the paths, bilinearly; NaN where they start outside it or at missing data."""
        known = np.isfinite(field)
        total = self._sample(field if known.all() else np.where(known, field, np.float32(0)))
        weight = self._sample(known.astype(np.float32))
        with np.errstate(invalid="ignore", divide="ignore"):
            total /= weight
        total[weight < 0.5] = np.nan
        return total

    def _sample(self, field: Float32) -> Float32:
        """A field (H, W) where the paths start; 0 outside."""
        return _remapped(field, self._from, cv2.BORDER_CONSTANT)

    def _motion_at(self, path: Float32) -> Float32:
        """The motion at the far ends of paths, between nodes; outside, that of the edge."""
        places = self._nodes - path / self._spacing
        return _remapped(self._motion, places, cv2.BORDER_REPLICATE)


def _remapped(field: Float32, places: Float32, border: int) -> Float32:
    """A field (H, W) or (H, W, 2) at places (H, W, 2), bilinear."""
    return cast(Float32, cv2.remap(field, places, None, cv2.INTER_LINEAR, borderMode=border))  # type: ignore[call-overload]


def _places(size: tuple[int, ...]) -> Float32:
    """Column and row of every pixel, (rows, columns, 2), of a frame of columns x rows."""
    columns, rows = np.meshgrid(*(np.arange(count, dtype=np.float32) for count in size))
    return np.stack([columns, rows], axis=-1)


def extrapolate(rain_rate: Float32, motion: Float32, steps: int) -> Float32:
    """Carry one frame along the motion field: Lagrangian persistence.

    Parameters
    ----------
    rain_rate : float32 (H, W)
        mm/h, NaN = no data.
    motion : float32 (2, H, W)
        Pixels per timestep.
    steps : int

    Returns
    -------
    float32 (steps, H, W)
        NaN where the path starts outside the data.
    """
    return carry_each([rain_rate] * steps, motion)


def carry_each(frames: Iterable[Float32], motion: Float32, direction: int = 1) -> Float32:
    """Carry frame k (k = 1..) by k timesteps forward, or backward with `direction` -1: (K, H, W)."""
    return np.stack(list(carried(frames, motion, direction)))


def carried(frames: Iterable[Float32], motion: Float32, direction: int = 1) -> Iterator[Float32]:
    """As `carry_each`, but lazily: yields one frame (H, W) after the other."""
    paths = Trajectories(motion, direction)
    for frame in frames:
        paths.extend()
        yield paths.carry(frame)


def hold_inflow(forecast: Iterable[Float32], last: Float32) -> Iterator[Float32]:
    """Fill a forecast where its rain would come from missing data: the last known rain persists there.

    Parameters
    ----------
    forecast : iterable of float32 (H, W)
        Leads 1, 2, ...; NaN where the rain would come from missing data.
    last : float32 (H, W)
        The last observed frame.

    Yields
    ------
    float32 (H, W)
        NaN exactly where `last` is NaN. A pixel whose backward path leaves the data keeps the forecast of the previous
        lead, which is the last rain that was carried to it from known data.
    """
    before = last
    for frame in forecast:
        before = np.where(np.isnan(last), last, np.where(np.isnan(frame), before, frame))
        yield before


def smooth(rain_rate: Float32, sigma_pixels: float) -> Float32:
    """Gaussian mean in mm/h of the pixels with data around each; NaN stays NaN and does not spread."""
    if sigma_pixels <= 0:
        return rain_rate
    known = np.isfinite(rain_rate)
    filled = np.where(known, rain_rate, np.float32(0))
    total = cv2.GaussianBlur(filled, (0, 0), sigma_pixels, borderType=cv2.BORDER_CONSTANT)
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma_pixels, borderType=cv2.BORDER_CONSTANT)
    # A pixel with data has a positive weight, since it counts itself.
    return np.where(known, total / np.maximum(weight, np.float32(1e-6)), np.float32(np.nan)).astype(
        np.float32, copy=False
    )


def to_present(rain_rate: Float32, motion: Float32) -> Float32:
    """Observed frames (T, H, W) in Lagrangian coordinates: each carried to the time of the last one.

    NaN where the rain comes from no data. The last frame stays as it is.
    """
    if len(rain_rate) == 1:
        return rain_rate
    return np.concatenate([carry_each(rain_rate[-2::-1], motion)[::-1], rain_rate[-1:]])


def halfway(before: Float32, after: Float32) -> Float32:
    """The rain halfway in time between two frames: it is moved, not cross-faded.

    The earlier frame is carried half the way forward along the motion between the two, the later one half the way
    back, and the mean is taken: semi-Lagrangian advection as in `radar.extrapolation.motion`.

    Parameters
    ----------
    before, after : float32 (H, W)
        mm/h, NaN = no data.

    Returns
    -------
    float32 (H, W)
        Where only one of the two has data, its value; NaN where neither has data.
    """
    motion = motion_field(np.stack([before, after])) * np.float32(0.5)
    forward, back = carry_each([before], motion)[0], carry_each([after], motion, direction=-1)[0]
    mean: Float32 = (forward + back) * np.float32(0.5)
    filled: Float32 = np.where(np.isnan(forward), back, np.where(np.isnan(back), forward, mean))
    return filled
