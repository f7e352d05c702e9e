"""Fields as GeoTIFF, for maps: one float32 band for each time, NaN = no data, georeferenced if the grid is."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import rasterio
from rasterio.crs import CRS
from rasterio.io import DatasetWriter, MemoryFile

from radar.grid import Grid
from radar.sequence import iso
from service.answers.field import Field
from service.answers.large import Content

_PLAIN = {"driver": "GTiff", "compress": "deflate", "zlevel": 1, "predictor": 3, "tiled": True}
_IN_PARTS = {
    "driver": "COG",
    "compress": "deflate",
    "level": 1,
    "predictor": "floating_point",
    "overviews": "auto",
    "overview_resampling": "nearest",
    "blocksize": 256,
}


def to_geotiff(field: Field) -> Content:
    """A GeoTIFF; cloud-optimised if callers may request parts: its tiles and overviews let a map read only a few."""
    frames = field.frames
    profile = _profile(frames.grid, len(frames)) | (_IN_PARTS if field.in_parts else _PLAIN)
    with rasterio.Env(GDAL_NUM_THREADS="1"), MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(frames.rain_rate)
            # The order determines the bytes of an answer.
            if field.in_parts:
                _tag(target, field)
            for band, (lead, time) in enumerate(zip(frames.lead_minutes, frames.valid_times, strict=True), 1):
                target.set_band_description(band, f"{field.title}, lead {lead} min, valid {iso(time)}")
            if not field.in_parts:
                _tag(target, field)
                written = frames.valid_times[0].astimezone(UTC)
                target.update_tags(TIFFTAG_DATETIME=written.strftime("%Y:%m:%d %H:%M:%S"))
        return [bytes(memory.read())]


def _tag(target: DatasetWriter, field: Field) -> None:
    """Set TIFF's own tags: the content of the file, and the owner of the data; and GDAL's of the statistic."""
    own = {"TIFFTAG_IMAGEDESCRIPTION": field.about, "TIFFTAG_COPYRIGHT": field.attribution}
    tags = {**own, "STATISTIC": field.statistic}
    target.update_tags(**{name: text for name, text in tags.items() if text})


def _profile(grid: Grid, bands: int) -> dict[str, Any]:
    """The profile that rasterio needs for float32 bands on a grid."""
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
