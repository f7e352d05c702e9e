"""The stored form of a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from radar.counts import STORED
from radar.errors import StoreUnavailable
from radar.sequence import FrameSequence
from service.history.codec import decode, encode, read_header
from tests.service.conftest import sequence


def with_rain(rain_rate: npt.ArrayLike) -> FrameSequence:
    frames = sequence(1)
    return replace(frames, rain_rate=np.broadcast_to(rain_rate, frames.rain_rate.shape).astype(np.float32))


def test_dwd_rates_come_back_to_the_last_bit() -> None:
    frames = sequence(5)
    back = decode(encode(frames))
    np.testing.assert_array_equal(back.rain_rate, frames.rain_rate)
    assert back.valid_times == frames.valid_times
    assert (back.grid, back.product, back.timestep_minutes) == (frames.grid, "RY", 5)


def test_other_rates_come_back_within_half_a_count() -> None:
    rate = np.random.default_rng(0).random((1, 24, 20), np.float32) * 100
    back = decode(encode(with_rain(rate))).rain_rate
    assert np.abs(back - rate).max() <= STORED.step / 2 * 1.001


def test_missing_stays_missing_and_dry_stays_dry() -> None:
    rate = np.where(np.arange(20) % 2, np.float32(np.nan), np.float32(0))
    back = decode(encode(with_rain(rate))).rain_rate
    np.testing.assert_array_equal(back, with_rain(rate).rain_rate)


def test_rain_beyond_the_scale_is_not_clipped() -> None:
    stored = encode(with_rain(np.float32(990.0)))
    assert stored[0].header.scale > STORED.step
    np.testing.assert_allclose(decode(stored).rain_rate, 990.0, rtol=1e-5)


def test_the_heaviest_rain_is_never_taken_for_missing() -> None:
    for rate in (65534 * STORED.step, 65534.4 * STORED.step, 65535 * STORED.step, 999.99):
        assert np.isfinite(decode(encode(with_rain(np.float32(rate)))).rain_rate).all()


def test_header_survives_json() -> None:
    header = encode(sequence(1))[0].header
    assert read_header(header.model_dump_json().encode()) == header


@pytest.mark.parametrize("damage", [lambda data: data[:-4], lambda _: b"text", lambda data: b"\0" + data])
def test_damaged_data_is_an_error_of_the_store(damage: object) -> None:
    stored = encode(sequence(1))[0]
    with pytest.raises(StoreUnavailable):
        decode([replace(stored, data=damage(stored.data))])  # type: ignore[operator]


def test_data_of_another_size_is_an_error_of_the_store() -> None:
    small, large = encode(sequence(1))[0], encode(sequence(2))[0]
    header = large.header.model_copy(update={"grid": replace(large.header.grid, shape=(30, 20))})
    with pytest.raises(StoreUnavailable):
        decode([replace(small, header=header)])


def test_a_header_of_another_form_is_an_error_of_the_store() -> None:
    with pytest.raises(StoreUnavailable, match="header"):
        read_header(b'{"codec": 1}')


def test_data_that_declares_seven_gigabytes_is_refused_before_they_are_allocated() -> None:
    # A zstd frame header with a content size of 8 bytes: magic, descriptor, window, size.
    bomb = b"\x28\xb5\x2f\xfd\xc0\x58" + (7 * 10**9).to_bytes(8, "little") + bytes(20)
    with pytest.raises(StoreUnavailable, match="another number of pixels"):
        decode([replace(encode(sequence(1))[0], data=bomb)])
