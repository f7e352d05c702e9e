"""Fields as cloud-optimised GeoTIFF: tiles and overviews in an order that lets a map read only what it shows."""

from __future__ import annotations

import rasterio
from rasterio.io import MemoryFile

from radar.sequence import FrameSequence, iso
from service.answers.images import RAIN, profile_of, tags_of


def to_cog(forecast: FrameSequence, attribution: str | None = None, quantity: str = RAIN) -> bytes:
    """One float32 band for each lead time, NaN = no data, named with what it holds."""
    profile = {
        **profile_of(forecast.grid, len(forecast)),
        "driver": "COG",
        "compress": "deflate",
        "level": 1,
        "predictor": "floating_point",
        "overviews": "auto",
        "overview_resampling": "nearest",
        "blocksize": 256,
    }
    with rasterio.Env(GDAL_NUM_THREADS="1"), MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(forecast.rain_rate)
            target.update_tags(**tags_of(forecast, attribution, quantity))
            for band, (lead, time) in enumerate(zip(forecast.lead_minutes, forecast.valid_times, strict=True), 1):
                target.set_band_description(band, f"{quantity}, lead {lead} min, valid {iso(time)}")
        return bytes(memory.read())
