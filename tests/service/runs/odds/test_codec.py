"""Odds as bytes: they come back as they were, small, and nothing else is taken for them."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard

from models.exceedance.odds import NO_DATA, Odds, quantised
from service.errors import StoredValueDamaged
from service.runs.odds.codec import pack, unpack

SHAPE = (3, 60, 80)


def odds() -> Odds:
    """Smooth ones, with a corner without data."""
    rows, columns = np.mgrid[:60, :80]
    hill = 4 - ((rows - 30) ** 2 + (columns - 40) ** 2) / 300
    log_odds = np.stack([hill - 2 * index for index in range(3)]).astype(np.float32)
    log_odds[:, :10, :10] = np.nan
    return quantised(log_odds)


def test_odds_come_back_as_they_were() -> None:
    packed = pack(odds())
    np.testing.assert_array_equal(unpack(packed, SHAPE), odds())
    assert (unpack(packed, SHAPE)[:, :10, :10] == NO_DATA).all()
    assert len(packed) < odds().size / 2


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (b"", "do not decompress"),
        (b"x" * 100, "do not decompress"),
        (pack(odds())[:-5], "do not decompress"),
        (pack(odds()[:2]), "another number of pixels"),
        (zstandard.compress(bytes(10**7)), "another number of pixels"),
        (pack(odds()[::-1].copy()), "a higher threshold above"),
    ],
)
def test_what_are_no_odds_is_refused(packed: bytes, why: str) -> None:
    with pytest.raises(StoredValueDamaged, match=why):
        unpack(packed, SHAPE)
