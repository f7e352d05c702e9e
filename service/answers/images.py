"""Nowcasts as pictures: PNG and WebP for the eye, GeoTIFF for maps."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from radar.colours import COLOURS as COLOURS
from radar.colours import MISSING_COLOUR
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, iso

Colours = tuple[tuple[float, str], ...]
"""From each value on, this colour, in growing order."""

PROBABILITY_COLOURS: Colours = (
    (0.05, "#e6e6ff"),
    (0.1, "#ccccff"),
    (0.2, "#b399ff"),
    (0.3, "#9966ff"),
    (0.4, "#8040e6"),
    (0.5, "#6619cc"),
    (0.6, "#800099"),
    (0.7, "#990066"),
    (0.8, "#b30033"),
    (0.9, "#cc0000"),
)
"""The same for probabilities, 0 to 1."""

_LOSSLESS_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]


def to_png(frame: Float32, colours: Colours = COLOURS) -> bytes:
    """One frame (H, W) in mm/h as a PNG with transparent dry pixels."""
    return _encode(".png", frame, colours, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def to_webp(frame: Float32, colours: Colours = COLOURS) -> bytes:
    """One frame (H, W) in mm/h as a lossless WebP, the same picture as the PNG."""
    return _encode(".webp", frame, colours, _LOSSLESS_WEBP)


def to_geotiff(forecast: FrameSequence) -> bytes:
    """One float32 band in mm/h for each lead time, NaN = no data, georeferenced where the grid is."""
    profile = {
        **profile_of(forecast.grid, len(forecast)),
        "driver": "GTiff",
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3,
        "tiled": True,
    }
    with rasterio.Env(GDAL_NUM_THREADS="1"), MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(forecast.rain_rate)
            for band, (lead, time) in enumerate(zip(forecast.lead_minutes, forecast.valid_times, strict=True), 1):
                target.set_band_description(band, f"rain rate in mm/h, lead {lead} min, valid {iso(time)}")
            target.update_tags(TIFFTAG_DATETIME=forecast.valid_times[0].astimezone(UTC).strftime("%Y:%m:%d %H:%M:%S"))
        return bytes(memory.read())


def profile_of(grid: Grid, bands: int) -> dict[str, Any]:
    """What rasterio needs to know of float32 bands on a grid."""
    metres = 1000 * grid.pixel_size_km
    west, north = grid.north_west[0] - metres / 2, grid.north_west[1] + metres / 2
    return {
        "dtype": "float32",
        "count": bands,
        "height": grid.shape[0],
        "width": grid.shape[1],
        "nodata": float("nan"),
        "crs": CRS.from_string(grid.projection) if grid.projection else None,
        "transform": rasterio.Affine(metres, 0.0, west, 0.0, -metres, north),
    }


def _encode(extension: str, frame: Float32, scale: Colours, options: list[int]) -> bytes:
    classes = np.digitize(frame, [value for value, _ in scale]).astype(np.uint8)
    classes[np.isnan(frame)] = len(scale) + 1
    _, encoded = cv2.imencode(extension, _palette(scale)[classes], options)
    return bytes(encoded)


def _blue_green_red_alpha(colour: str) -> tuple[int, int, int, int]:
    red, green, blue, alpha = bytes.fromhex(f"{colour[1:]:f<8}")
    return blue, green, red, alpha


@lru_cache(maxsize=4)
def _palette(scale: Colours) -> npt.NDArray[np.uint8]:
    colours = ["#00000000", *(colour for _, colour in scale), MISSING_COLOUR]
    return np.array([_blue_green_red_alpha(colour) for colour in colours], np.uint8)
