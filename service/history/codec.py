"""The stored form of a frame: 16 bits a pixel, byte-shuffled and compressed, with a header."""

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
"""mm/h a count: what is larger makes infinity of counts that `encode` writes."""


class SeriesKey(NamedTuple):
    """What frames are kept under: a product, and the key of its grid."""

    product: str
    grid: str


class FrameHeader(BaseModel):
    """All that a stored frame is besides its counts.

    A later version may say more in it, which is passed over; one that means something else has another `codec`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    codec: Literal[1] = 1
    product: str
    grid: Grid
    valid_time: AwareDatetime
    timestep_minutes: int = Field(gt=0, le=_LONGEST_TIMESTEP)
    scale: float = Field(ge=STORED.step / 2, le=_LARGEST_SCALE)
    stored_at: float = 0.0
    """Seconds since 1970, by the store's clock, at which it was accepted: a withdrawal before that is not its own."""

    @field_validator("grid")
    @classmethod
    def _check_grid(cls, grid: Grid) -> Grid:
        check_grid(grid)
        return grid


@dataclass(frozen=True)
class StoredFrame:
    """One frame as it is stored: its header, and zstd of byte-shuffled uint16 counts."""

    header: FrameHeader
    data: bytes

    @property
    def valid_time(self) -> datetime:
        """UTC, the end of the frame's interval."""
        return self.header.valid_time


def series_of(frames: FrameSequence) -> SeriesKey:
    """What a sequence is kept under."""
    return SeriesKey(frames.product, frames.grid.key)


def series_of_header(header: FrameHeader) -> SeriesKey:
    """What a stored frame is kept under."""
    return SeriesKey(header.product, header.grid.key)


def encode(frames: FrameSequence) -> list[StoredFrame]:
    """Each frame of a sequence in steps of 0.012 mm/h, or coarser if it rains more than 786 mm/h; NaN survives."""
    return [_encode(frame, time, frames) for frame, time in zip(frames.rain_rate, frames.valid_times, strict=True)]


def decode(stored: Sequence[StoredFrame]) -> FrameSequence:
    """The sequence that frames of one series make, oldest first.

    Raises
    ------
    IncompleteHistory
        A gap, named.
    StoredValueDamaged
        Frames that are not what their header says.
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
    """Raise ValueError for a grid that no frame can have."""
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
        # Asked first: zstandard allocates whatever size the data declares, max_output_size or not.
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
