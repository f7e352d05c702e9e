"""Nowcasts as pictures: PNG and WebP for the eye, GeoTIFF for maps."""

from __future__ import annotations

import struct
import zlib
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

RAIN = "rain rate in mm/h"
_PNG_HEAD = 33
"""Bytes of the signature and of the first chunk, after which texts may come."""
_LOSSLESS_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]


def to_png(
    forecast: FrameSequence, attribution: str | None = None, quantity: str = RAIN, colours: Colours = COLOURS
) -> bytes:
    """The last frame as a PNG with transparent dry pixels, which holds as texts what it is and whose data."""
    png = _encode(".png", forecast.rain_rate[-1], colours, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    lead, time = forecast.lead_minutes[-1], iso(forecast.valid_times[-1])
    texts = {"Title": f"{about(forecast, quantity)}, lead {lead} min, valid {time}", "Copyright": attribution}
    chunks = [_text_chunk(name, text) for name, text in texts.items() if text]
    return b"".join([png[:_PNG_HEAD], *chunks, png[_PNG_HEAD:]])


def to_webp(frame: Float32, colours: Colours = COLOURS) -> bytes:
    """One frame (H, W) in mm/h as a lossless WebP, the same picture as the PNG."""
    return _encode(".webp", frame, colours, _LOSSLESS_WEBP)


def to_geotiff(forecast: FrameSequence, attribution: str | None = None) -> bytes:
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
                target.set_band_description(band, f"{RAIN}, lead {lead} min, valid {iso(time)}")
            target.update_tags(**tags_of(forecast, attribution))
            target.update_tags(TIFFTAG_DATETIME=forecast.valid_times[0].astimezone(UTC).strftime("%Y:%m:%d %H:%M:%S"))
        return bytes(memory.read())


def about(forecast: FrameSequence, quantity: str = RAIN) -> str:
    """What a file holds, for those who find it without its headers."""
    start = f" from {iso(forecast.reference_time)}" if forecast.reference_time else ""
    return f"{quantity}, {forecast.product or 'no product'} on {forecast.grid.name}{start}"


def tags_of(forecast: FrameSequence, attribution: str | None, quantity: str = RAIN) -> dict[str, str]:
    """The same as TIFF's own tags, and whose data it is."""
    tags = {"TIFFTAG_IMAGEDESCRIPTION": about(forecast, quantity), "TIFFTAG_COPYRIGHT": attribution}
    return {name: text for name, text in tags.items() if text}


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


def _text_chunk(keyword: str, text: str) -> bytes:
    content = b"tEXt" + f"{keyword}\0{text}".encode("latin-1", "replace")
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _blue_green_red_alpha(colour: str) -> tuple[int, int, int, int]:
    red, green, blue, alpha = bytes.fromhex(f"{colour[1:]:f<8}")
    return blue, green, red, alpha


@lru_cache(maxsize=4)
def _palette(scale: Colours) -> npt.NDArray[np.uint8]:
    colours = ["#00000000", *(colour for _, colour in scale), MISSING_COLOUR]
    return np.array([_blue_green_red_alpha(colour) for colour in colours], np.uint8)
