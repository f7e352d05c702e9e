"""The stored form of a frame: 16 bits per pixel, byte-shuffled and compressed, with a header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
import zstandard
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from radar.counts import LARGEST_COUNT, STORED, Counts, Quantisation, shuffled, unshuffled
from radar.files.limits import LARGEST_FRAME_PIXELS
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence
from service.errors import StoredValueDamaged

_LONGEST_TIMESTEP = 31 * 24 * 60
_LARGEST_SCALE = 1.001 * float(np.finfo(np.float32).max) / LARGEST_COUNT
"""mm/h per count: a larger scale makes counts from `encode` infinite."""


class SeriesKey(NamedTuple):
    """The key of a series of frames: a product, and the key of its grid."""

    product: str
    grid: str


class FrameHeader(BaseModel):
    """The description of a stored frame, without its counts.

    Unknown fields of later versions are ignored; a version with another meaning has another `codec`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    codec: Literal[1] = 1
    product: str
    grid: Grid
    valid_time: AwareDatetime
    timestep_minutes: int = Field(gt=0, le=_LONGEST_TIMESTEP)
    scale: float = Field(ge=STORED.step / 2, le=_LARGEST_SCALE)
    stored_at: float = 0.0
    """Seconds since 1970, by the store's clock, when it was accepted; earlier withdrawals do not concern it."""

    @field_validator("grid")
    @classmethod
    def _check_grid(cls, grid: Grid) -> Grid:
        check_grid(grid)
        return grid


@dataclass(frozen=True)
class StoredFrame:
    """One stored frame: its header, and zstd of byte-shuffled uint16 counts."""

    header: FrameHeader
    data: bytes

    @property
    def valid_time(self) -> datetime:
        """The end of the frame's interval, UTC."""
        return self.header.valid_time


def series_of(frames: FrameSequence) -> SeriesKey:
    """The key of a sequence."""
    return SeriesKey(frames.product, frames.grid.key)


def series_of_header(header: FrameHeader) -> SeriesKey:
    """The key of a stored frame."""
    return SeriesKey(header.product, header.grid.key)


def encode(frames: FrameSequence) -> list[StoredFrame]:
    """Encode each frame of a sequence in steps of 0.012 mm/h, coarser above 786 mm/h; NaN stays NaN."""
    return [_encode(frame, time, frames) for frame, time in zip(frames.rain_rate, frames.valid_times, strict=True)]


def decode(stored: Sequence[StoredFrame]) -> FrameSequence:
    """The sequence of frames of one series, oldest first.

    Raises
    ------
    IncompleteHistory
        The frames have a gap; the error names it.
    StoredValueDamaged
        A frame does not match its header.
    """
    newest = stored[-1].header
    return FrameSequence(
        rain_rate=np.stack([_decode(frame, newest.grid.shape) for frame in stored]),
        valid_times=tuple(frame.valid_time for frame in stored),
        grid=newest.grid,
        timestep_minutes=newest.timestep_minutes,
        product=newest.product,
    )


def check_grid(grid: Grid) -> None:
    """Raise ValueError for an impossible grid."""
    rows, columns = grid.shape
    if rows < 1 or columns < 1 or rows * columns > LARGEST_FRAME_PIXELS:
        raise ValueError("a shape that no frame has")
    if not (grid.pixel_size_km > 0 and np.isfinite([grid.pixel_size_km, *grid.north_west]).all()):
        raise ValueError("a pixel size or a corner that no grid has")


def read_header(text: bytes) -> FrameHeader:
    """A header from its JSON; raises StoredValueDamaged for anything else."""
    try:
        return FrameHeader.model_validate_json(text)
    except (ValidationError, OverflowError):
        raise _damaged("a header of another form") from None


def _encode(frame: Float32, time: datetime, frames: FrameSequence) -> StoredFrame:
    quantisation = STORED.reaching(float(np.fmax.reduce(frame, axis=None, initial=0)))
    counts, _ = quantisation.to_counts(frame)
    header = FrameHeader(
        product=frames.product,
        grid=frames.grid,
        valid_time=time,
        timestep_minutes=frames.timestep_minutes,
        scale=quantisation.step,
    )
    return StoredFrame(header, zstandard.compress(shuffled(counts), 1))


def decode_one(frame: StoredFrame) -> Float32:
    """The rain (H, W) of one frame in mm/h, NaN = no data; raises StoredValueDamaged as `decode`."""
    return Quantisation(frame.header.scale).to_rates(counts_of(frame))


def counts_of(frame: StoredFrame) -> Counts:
    """The counts (H, W) of one frame, in steps of the header's scale; raises StoredValueDamaged as `decode`."""
    shape = frame.header.grid.shape
    size = 2 * shape[0] * shape[1]
    try:
        # Checked first: zstandard allocates the size that the data declares, even beyond max_output_size.
        if zstandard.frame_content_size(frame.data) != size:
            raise _damaged("another number of pixels")
        content = zstandard.decompress(frame.data, max_output_size=size)
    except zstandard.ZstdError:
        raise _damaged("data that does not decompress") from None
    return unshuffled(content, shape)


def _decode(frame: StoredFrame, shape: tuple[int, int]) -> Float32:
    if frame.header.grid.shape != shape:
        raise _damaged("another number of pixels")
    return decode_one(frame)


def _damaged(got: str) -> StoredValueDamaged:
    return StoredValueDamaged(
        expected="stored frames as this version writes them", got=got, remedy="withdraw the frame, or empty the store"
    )
