"""Synthetic rain: seeded storms that move, grow and decay, on any grid, for demos, tests and training.

A storm is a Gaussian random field with the power spectrum of rain. A wind carries it, and its small scales live
shorter than its large ones, as in stochastic nowcasts (Bowler, Pierce and Seed, 2006, doi:10.1256/qj.04.100).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from radar.grid import Grid
from radar.rain import WET_FROM
from radar.sequence import Float32, FrameSequence, times_after

_HEAVIEST = 150.0
_SPECTRAL_SLOPE = 3.0
_LARGEST_SCALE_KM = 150.0


@dataclass(frozen=True)
class Weather:
    """The properties of a storm.

    Parameters
    ----------
    wet_fraction : float
        Share of the area with rain, on average; 0 is a dry case.
    wind_km_per_hour : (float, float)
        Motion towards east and south.
    lifetime_minutes : float
        Lifetime of features of 100 km; smaller ones live shorter.
    growth_per_hour : float
        Change of the rain rate with time: 0.3 is 30 % more after an hour, negative values are decay.
    intensity_db : float
        How much heavier the core of the rain is than its edge, in dB for each standard deviation of the field.
    missing_sector : bool
        Remove the data of one sector (NaN), in addition to those outside the range.
    """

    wet_fraction: float = 0.15
    wind_km_per_hour: tuple[float, float] = (40.0, -10.0)
    lifetime_minutes: float = 120.0
    growth_per_hour: float = 0.0
    intensity_db: float = 9.0
    missing_sector: bool = False


def random_weather(seed: int) -> Weather:
    """Any weather, the same for the same seed; one in ten is dry, one in four has a missing sector."""
    draw = np.random.default_rng(seed)
    speed, direction = draw.uniform(5, 80), draw.uniform(0, 2 * np.pi)
    return Weather(
        wet_fraction=float(draw.choice([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4], p=[0.1, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1])),
        wind_km_per_hour=(float(speed * np.cos(direction)), float(speed * np.sin(direction))),
        lifetime_minutes=float(draw.uniform(40, 240)),
        growth_per_hour=float(draw.uniform(-0.6, 0.8)),
        intensity_db=float(draw.uniform(6, 11)),
        missing_sector=bool(draw.random() < 0.25),
    )


def storm_sequence(
    grid: Grid,
    frames: int,
    *,
    seed: int,
    end_time: datetime,
    timestep_minutes: int = 5,
    product: str = "",
    weather: Weather | None = None,
) -> FrameSequence:
    """The first `frames` frames of a storm, of which the last is valid at `end_time`.

    Equal arguments give equal frames: float32 (frames, H, W) in mm/h, NaN outside the radars' range.
    """
    storm = storm_frames(grid, seed=seed, timestep_minutes=timestep_minutes, weather=weather)
    return FrameSequence(
        rain_rate=np.stack(list(islice(storm, frames))),
        valid_times=times_after(end_time - timedelta(minutes=timestep_minutes * frames), frames, timestep_minutes),
        grid=grid,
        timestep_minutes=timestep_minutes,
        product=product,
    )


def storm_frames(
    grid: Grid, *, seed: int, timestep_minutes: int = 5, weather: Weather | None = None
) -> Iterator[Float32]:
    """An endless storm: yields frames (H, W) in mm/h, NaN outside the radars' range."""
    weather = Weather() if weather is None else weather
    draw = np.random.default_rng(seed)
    covered = _coverage(grid.shape, weather.missing_sector, draw)
    for step, field in enumerate(_evolving_field(grid, weather, timestep_minutes, draw)):
        rate = _rain_rate(field, weather, hours=step * timestep_minutes / 60)
        yield np.where(covered, rate, np.float32(np.nan))


def _rain_rate(field: Float32, weather: Weather, hours: float) -> Float32:
    """Rain where the field is highest; a higher field is heavier rain."""
    if weather.wet_fraction <= 0:
        return np.zeros_like(field)
    edge = np.float32(NormalDist().inv_cdf(1 - weather.wet_fraction))
    trend = max(0.05, 1 + weather.growth_per_hour * min(hours, 2.0))
    rate = np.float32(WET_FROM * trend) * np.power(
        np.float32(10), (field - edge) * np.float32(weather.intensity_db / 10)
    )
    return np.where(rate < WET_FROM, np.float32(0), np.minimum(rate, np.float32(_HEAVIEST)))


def _evolving_field(grid: Grid, weather: Weather, minutes: int, draw: np.random.Generator) -> Iterator[Float32]:
    """A standard normal field, carried by the wind; each of its scales decorrelates at its own rate."""
    rows, columns = grid.shape
    north, east = np.meshgrid(np.fft.fftfreq(rows), np.fft.rfftfreq(columns), indexing="ij")
    per_km = np.hypot(north, east) / grid.pixel_size_km
    amplitude = (per_km**2 + _LARGEST_SCALE_KM**-2) ** (-_SPECTRAL_SLOPE / 4 - 0.25)
    amplitude[0, 0] = 0
    lifetime = weather.lifetime_minutes * (1 / np.maximum(per_km, 1e-6) / 100) ** 0.7
    memory = np.exp(-minutes / lifetime)
    u, v = (speed / 60 * minutes / grid.pixel_size_km for speed in weather.wind_km_per_hour)
    carried = (memory * np.exp(-2j * np.pi * (east * u + north * v))).astype(np.complex64)
    fresh = (amplitude * np.sqrt(1 - memory**2)).astype(np.float32)

    spectrum = np.fft.rfft2(_noise(grid.shape, draw)) * amplitude.astype(np.float32)
    scale = 1 / np.fft.irfft2(spectrum, grid.shape).std()
    while True:
        field = np.fft.irfft2(spectrum, grid.shape) * scale
        yield np.asarray(field, np.float32)
        spectrum = spectrum * carried + np.fft.rfft2(_noise(grid.shape, draw)) * fresh


def _noise(shape: tuple[int, int], draw: np.random.Generator) -> Float32:
    return draw.standard_normal(shape, dtype=np.float32)


def _coverage(shape: tuple[int, int], missing_sector: bool, draw: np.random.Generator) -> npt.NDArray[np.bool_]:
    """The radars' range: an ellipse that fills the grid, without one sector if `missing_sector` is set."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    south, east = (row + 0.5) / shape[0] * 2 - 1, (column + 0.5) / shape[1] * 2 - 1
    covered = np.hypot(south, east) < 1.08
    if missing_sector:
        middle, width = draw.uniform(-np.pi, np.pi), draw.uniform(0.2, 0.8)
        turned = np.angle(np.exp(1j * (np.arctan2(south, east) - middle)))
        covered &= np.abs(turned) > width / 2
    return np.asarray(covered)
