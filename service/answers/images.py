"""Nowcasts as pictures: PNG and WebP for the eye, GeoTIFF for maps."""

from __future__ import annotations

from datetime import UTC

import cv2
import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from radar.colours import COLOURS as COLOURS
from radar.colours import MISSING_COLOUR
from radar.sequence import Float32, FrameSequence, iso

_LOSSLESS_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]


def to_png(frame: Float32) -> bytes:
    """One frame (H, W) in mm/h as a PNG with transparent dry pixels."""
    return _encode(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def to_webp(frame: Float32) -> bytes:
    """One frame (H, W) in mm/h as a lossless WebP, the same picture as the PNG."""
    return _encode(".webp", frame, _LOSSLESS_WEBP)


def to_geotiff(forecast: FrameSequence) -> bytes:
    """One float32 band in mm/h for each lead time, NaN = no data, georeferenced where the grid is."""
    grid = forecast.grid
    metres = 1000 * grid.pixel_size_km
    west, north = grid.north_west[0] - metres / 2, grid.north_west[1] + metres / 2
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": len(forecast),
        "height": grid.shape[0],
        "width": grid.shape[1],
        "nodata": float("nan"),
        "crs": CRS.from_string(grid.projection) if grid.projection else None,
        "transform": rasterio.Affine(metres, 0.0, west, 0.0, -metres, north),
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


def _encode(extension: str, frame: Float32, options: list[int]) -> bytes:
    classes = np.digitize(frame, [rate for rate, _ in COLOURS]).astype(np.uint8)
    classes[np.isnan(frame)] = len(COLOURS) + 1
    _, encoded = cv2.imencode(extension, _PALETTE[classes], options)
    return bytes(encoded)


def _blue_green_red_alpha(colour: str) -> tuple[int, int, int, int]:
    red, green, blue, alpha = bytes.fromhex(f"{colour[1:]:f<8}")
    return blue, green, red, alpha


def _palette() -> npt.NDArray[np.uint8]:
    colours = ["#00000000", *(colour for _, colour in COLOURS), MISSING_COLOUR]
    return np.array([_blue_green_red_alpha(colour) for colour in colours], np.uint8)


_PALETTE = _palette()
