from __future__ import annotations

import bz2
import gzip
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radar.errors import RaincellError, UnreadableFile
from radar.files.compression import beginning, decompressed, pieces

COMPRESS = pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])


@given(st.binary(max_size=2000))
def test_what_was_compressed_comes_back(data: bytes) -> None:
    assert decompressed(gzip.compress(data), "f", 2000) == data
    assert decompressed(bz2.compress(data), "f", 2000) == data


@COMPRESS
def test_the_limit_is_the_last_size_that_is_read(compress: Callable[[bytes], bytes]) -> None:
    assert len(decompressed(compress(bytes(1000)), "f", 1000)) == 1000
    with pytest.raises(UnreadableFile, match=r"at most 999 decompressed bytes in f, got more"):
        decompressed(compress(bytes(1000)), "f", 999)
    with pytest.raises(UnreadableFile):
        decompressed(bytes(1000), "f", 999)


@COMPRESS
def test_members_one_after_the_other_are_one_file(compress: Callable[[bytes], bytes]) -> None:
    assert decompressed(compress(b"rain") + compress(b"fall"), "f", 8) == b"rainfall"
    with pytest.raises(UnreadableFile, match="at most 7"):
        decompressed(compress(b"rain") + compress(b"fall"), "f", 7)


@COMPRESS
def test_a_bomb_is_refused_without_being_inflated(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFile):
            decompressed(bomb, "f", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@COMPRESS
def test_truncated_streams_trailing_bytes_and_endless_members_are_refused(compress: Callable[[bytes], bytes]) -> None:
    whole = compress(b"rain" * 1000)
    for cut in (3, 12, len(whole) // 2, len(whole) - 1):
        with pytest.raises(UnreadableFile):
            decompressed(whole[:cut], "f")
    with pytest.raises(UnreadableFile, match="5 bytes after its end"):
        decompressed(whole + b"extra", "f")
    with pytest.raises(UnreadableFile, match="after its end"):
        decompressed(compress(b"") * 100_000, "f")


@given(st.integers(0, 200), st.integers(0, 255))
def test_damage_is_told_or_harmless(position: int, value: int) -> None:
    for whole in (gzip.compress(b"rain" * 500), bz2.compress(b"rain" * 500)):
        damaged = bytearray(whole)
        damaged[position % len(damaged)] = value
        with suppress(RaincellError):
            decompressed(bytes(damaged), "f")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_the_beginning_is_told_without_undoing_the_rest(compress: Callable[[bytes], bytes]) -> None:
    data = bytes(range(256)) * 10_000
    packed = compress(data)
    assert beginning(packed, "f", 600) == data[:600]
    assert beginning(packed[: len(packed) // 2], "f", 600) == data[:600]  # damage further on is not seen here
    assert beginning(compress(b"abc"), "f", 600) == b"abc"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_pieces_are_small_and_make_the_whole(compress: Callable[[bytes], bytes]) -> None:
    data = np.random.default_rng(1).integers(0, 4, 1_000_000, np.uint8).tobytes()
    packed = compress(data[:300_000]) + compress(data[300_000:]) + compress(b"")
    parts = list(pieces(packed, "f", len(data), 1000))
    assert max(len(part) for part in parts) == 1000
    assert b"".join(parts) == data
    with pytest.raises(UnreadableFile, match="at most 999,999 decompressed bytes"):
        list(pieces(packed, "f", len(data) - 1))
