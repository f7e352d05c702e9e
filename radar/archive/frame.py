"""One archived frame: 16-bit counts of 0.01 mm/h, compressed like a chunk of HDF5."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from radar.counts import ARCHIVED, MISSING, Counts, shuffled, unshuffled
from radar.errors import UnreadableFile
from radar.rain import WET_FROM
from radar.sequence import Float32, iso

_WET_COUNTS = round(WET_FROM / ARCHIVED.step)
DEFLATE_LEVEL = 4


@dataclass(frozen=True)
class ArchivedFrame:
    """One frame as it lies in the archive.

    Parameters
    ----------
    valid_time : datetime
        UTC, the end of the interval.
    chunk : bytes
        Byte-shuffled and deflated counts (H, W), as HDF5 stores them, so that they move between files still compressed.
    wet_pixels, missing_pixels, saturated_pixels : int
        Pixels of 0.1 mm/h or more, without data, and above the range.
    corrections : int
        How often another frame for this time has replaced the stored one.
    """

    valid_time: datetime
    chunk: bytes
    wet_pixels: int
    missing_pixels: int
    saturated_pixels: int
    corrections: int = 0

    def rain_rate(self, shape: tuple[int, int]) -> Float32:
        """float32 (H, W) in mm/h, NaN where there is no data.

        Raises
        ------
        UnreadableFile
            The chunk is damaged.
        """
        return ARCHIVED.to_rates(self.counts(shape))

    def counts(self, shape: tuple[int, int]) -> Counts:
        """uint16 (H, W), `MISSING` where there is no data; raises as `rain_rate`."""
        size = 2 * shape[0] * shape[1]
        try:
            content = zlib.decompressobj().decompress(self.chunk, size + 1)
        except zlib.error:
            content = b""
        if len(content) != size:
            raise UnreadableFile(
                expected="a sound frame in the archive",
                got=f"a damaged one for {iso(self.valid_time)}",
                remedy="remove the day's file and prepare the day again",
            )
        return unshuffled(content, shape)


def archived(rain_rate: Float32, valid_time: datetime) -> ArchivedFrame:
    """Compress a frame for the archive.

    Parameters
    ----------
    rain_rate : float32 (H, W)
        mm/h; rounded to 0.01. NaN stays NaN; rates above 655.34 mm/h become 655.34 mm/h and are counted.
    valid_time : datetime
    """
    counts, saturated = ARCHIVED.to_counts(rain_rate.astype(np.float64))
    known = counts != MISSING
    return ArchivedFrame(
        valid_time=valid_time,
        chunk=zlib.compress(shuffled(counts), DEFLATE_LEVEL),
        wet_pixels=int(np.count_nonzero(known & (counts >= _WET_COUNTS))),
        missing_pixels=int(known.size - np.count_nonzero(known)),
        saturated_pixels=int(np.count_nonzero(saturated)),
    )


def same_rain(one: ArchivedFrame, other: ArchivedFrame, shape: tuple[int, int]) -> bool:
    """Whether two frames hold the same counts; their compression may differ."""
    return one.chunk == other.chunk or bool((one.counts(shape) == other.counts(shape)).all())
