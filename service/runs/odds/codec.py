"""The stored form of odds: a plane of bytes for each threshold, each row as its difference from the one above it.

In real rain this takes two thirds of the bytes of the odds themselves, and rows are added up quickly.
"""

from __future__ import annotations

import numpy as np
import zstandard

from models.exceedance.odds import Odds
from service.errors import StoredValueDamaged

_LEVEL = 3


def pack(odds: Odds) -> bytes:
    """Odds (K, H, W) in stored form."""
    differences = odds.copy()
    differences[:, 1:] -= odds[:, :-1]
    return zstandard.compress(differences.tobytes(), _LEVEL)


def unpack(packed: bytes, shape: tuple[int, int, int]) -> Odds:
    """The odds (K, H, W) of a stored value; raises StoredValueDamaged for anything but odds of that shape."""
    size = shape[0] * shape[1] * shape[2]
    try:
        # Checked first: zstandard allocates the size that the data declares, even beyond max_output_size.
        if zstandard.frame_content_size(packed) != size:
            raise _damaged("odds of another number of pixels")
        content = zstandard.decompress(packed, max_output_size=size)
    except zstandard.ZstdError:
        raise _damaged("odds that do not decompress") from None
    odds = np.frombuffer(content, np.uint8).reshape(shape).copy()
    for row in range(1, shape[1]):  # np.cumsum takes three times as long
        odds[:, row] += odds[:, row - 1]
    if (odds[1:] > odds[:-1]).any():
        raise _damaged("odds of a higher threshold above those of a lower one")
    return odds


def _damaged(got: str) -> StoredValueDamaged:
    return StoredValueDamaged(expected="odds as this version writes them", got=got, remedy="wait for the next run")
