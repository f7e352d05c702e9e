"""The pixels that a radar has ever covered: a place without rain differs from a place without radar."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import zstandard

from radar.counts import MISSING
from service.errors import StoredValueDamaged
from service.history.codec import StoredFrame, counts_of

Mask = npt.NDArray[np.bool_]


def pack(mask: Mask) -> bytes:
    """A mask (H, W) as bits, compressed."""
    return zstandard.compress(np.packbits(mask).tobytes(), 1)


def unpack(packed: bytes, shape: tuple[int, int]) -> Mask:
    """The mask (H, W) of packed bits; raises StoredValueDamaged for anything but a mask of that shape."""
    size = -(-shape[0] * shape[1] // 8)
    try:
        if zstandard.frame_content_size(packed) != size:
            raise _damaged()
        bits = np.frombuffer(zstandard.decompress(packed, max_output_size=size), np.uint8)
    except zstandard.ZstdError:
        raise _damaged() from None
    return np.unpackbits(bits, count=shape[0] * shape[1]).astype(bool).reshape(shape)


def covered_by(frames: Iterable[StoredFrame], shape: tuple[int, int], before: bytes | None) -> bytes:
    """Where any of the frames has data, or any earlier one had."""
    mask = np.zeros(shape, bool) if before is None else unpack(before, shape)
    for frame in frames:
        mask |= counts_of(frame) != MISSING
    return pack(mask)


def _damaged() -> StoredValueDamaged:
    return StoredValueDamaged(
        expected="a coverage mask as this version writes it", got="something else", remedy="wait for the next run"
    )
