from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radar.errors import IncompleteHistory, InvalidRain, InvalidRequest, RaincellError, UnreadableFile
from radar.files.frames import iter_frames
from radar.files.odim import Bits, read_odim, write_odim
from radar.files.open import NamedBytes, open_sequence
from radar.files.rv import ArchiveForm, read_archive, write_archive
from radar.frame import frames_of
from radar.grid import KNOWN_GRIDS
from radar.sequence import FrameSequence

MADE = datetime(2025, 4, 15, 9, 15, tzinfo=UTC)
GRID = KNOWN_GRIDS["radolan-wgs84"]
OLD, NEW = "DE1200_RV2504150915.tar.bz2", "composite_rv_20250415_0915.tar"


def forecast(leads: int = 3) -> FrameSequence:
    """Multiples of 0.12 mm/h, with one missing pixel; each frame tells its lead."""
    rain = np.zeros((leads, *GRID.shape), np.float32)
    rain[:, 10, 20] = (np.arange(1, leads + 1) * 5 * 12 / 100).astype(np.float32)
    rain[:, 0, 0] = np.nan
    times = tuple(MADE + timedelta(minutes=5 * k) for k in range(leads))
    return FrameSequence(rain, times, GRID, 5, "RV", MADE)


def same(read: FrameSequence, wanted: FrameSequence) -> None:
    np.testing.assert_array_equal(read.rain_rate, wanted.rain_rate)
    assert (read.valid_times, read.reference_time) == (wanted.valid_times, wanted.reference_time)
    assert (read.grid, read.product, read.timestep_minutes) == (wanted.grid, "RV", 5)


@pytest.mark.parametrize(("form", "bits", "name"), [("binary", 16, OLD), ("odim", 16, NEW), ("odim", 32, NEW)])
def test_what_is_written_is_read_back(form: ArchiveForm, bits: Bits, name: str, tmp_path: Path) -> None:
    data = write_archive(forecast(), form=form, bits=bits)
    assert data == write_archive(forecast(), form=form, bits=bits)
    (tmp_path / "anything").write_bytes(data)
    read = open_sequence([tmp_path / "anything"])
    same(read, forecast())
    assert read.lead_minutes == (0, 5, 10)
    same(open_sequence([NamedBytes(name, gzip.compress(data) if form == "odim" else data)]), forecast())


def test_members_are_named_as_dwd_names_them() -> None:
    def names(data: bytes) -> list[str]:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return archive.getnames()

    assert names(write_archive(forecast(), form="odim"))[1] == "composite_rv_20250415_0915_005-hd5"
    assert names(write_archive(forecast(), form="binary"))[2] == "DE1200_RV2504150915_010"


def test_both_forms_and_widths_say_the_same() -> None:
    binary = open_sequence([NamedBytes(OLD, write_archive(forecast(), form="binary"))])
    for bits in (16, 32):
        odim = open_sequence([NamedBytes(NEW, write_archive(forecast(), form="odim", bits=bits))])
        np.testing.assert_array_equal(odim.rain_rate, binary.rain_rate)


def test_a_lead_time_alone_is_a_forecast_too() -> None:
    for frame in frames_of(forecast()):
        back = read_odim(write_odim(frame, quantity="ACRR", bits=32), "composite")
        assert (back.reference_time, back.valid_time) == (MADE, frame.valid_time)
    unnamed = replace(frames_of(forecast())[1], product="")
    assert read_odim(write_odim(unnamed), "f").reference_time == MADE


@pytest.mark.parametrize("form", ["binary", "odim"])
def test_forecasts_are_refused_as_history(form: ArchiveForm) -> None:
    source = NamedBytes("rv.tar", write_archive(forecast(), form=form))
    with pytest.raises(InvalidRequest) as caught:
        open_sequence([source], observations_only=True)
    assert "expected observed frames, got a forecast made at 2025-04-15T09:15:00Z, 0 minutes ahead" in str(caught.value)
    assert "a forecast is not history" in caught.value.remedy


def test_a_part_of_a_forecast_can_be_asked_for() -> None:
    source = NamedBytes("rv.tar", write_archive(forecast(), form="odim"))
    read = open_sequence([source], start=MADE + timedelta(minutes=5), end=MADE + timedelta(minutes=5))
    assert read.lead_minutes == (5,)


def test_two_runs_are_no_sequence() -> None:
    later = replace(forecast(1), reference_time=MADE + timedelta(minutes=5), valid_times=(MADE + timedelta(minutes=5),))
    sources = [NamedBytes(f"{k}", write_archive(s, form="odim")) for k, s in enumerate((forecast(1), later))]
    with pytest.raises(IncompleteHistory, match="one reference time"):
        open_sequence(sources)


def test_frames_come_one_at_a_time() -> None:
    """The second member is damaged, and the first is read all the same."""
    data = bytearray(write_archive(forecast(), form="odim"))
    second = data.index(b"composite_rv_20250415_0915_005-hd5")
    data[second + 512 : second + 600] = bytes(88)
    frames = iter_frames(bytes(data), "f")
    assert next(frames).valid_time == MADE
    with pytest.raises(UnreadableFile, match="neither in composite_rv_20250415_0915_005-hd5"):
        next(frames)


def _tar(name: str, contents: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(contents)
        archive.addfile(info, io.BytesIO(contents))
    return stream.getvalue()


def test_names_that_contradict_their_file_are_refused() -> None:
    member = write_odim(frames_of(forecast())[1], quantity="ACRR")
    assert [f.valid_time for f in read_archive(_tar("composite_rv_20250415_0915_005-hd5", member), "f")]
    for name in ("composite_rv_20250415_0915_010-hd5", "composite_rv_20250415_0910_010-hd5"):
        with pytest.raises(UnreadableFile, match="one made at 2025-04-15T09:15:00Z for 2025-04-15T09:20:00Z"):
            list(read_archive(_tar(name, member), "f"))
    with pytest.raises(UnreadableFile, match="a time in the name composite_rv_20251315_0915_005-hd5"):
        list(read_archive(_tar("composite_rv_20251315_0915_005-hd5", member), "f"))


def test_archives_in_archives_are_refused() -> None:
    inner = write_archive(forecast(1), form="odim")
    for contents in (inner, bz2.compress(inner), b"text"):
        with pytest.raises(UnreadableFile, match="neither in inner"):
            list(read_archive(_tar("inner", contents), "f"))


def test_observations_are_not_written_as_forecasts() -> None:
    with pytest.raises(InvalidRain, match="got observations"):
        write_archive(replace(forecast(), reference_time=None), form="odim")
    with pytest.raises(InvalidRain, match="got product RY"):
        write_archive(replace(forecast(), product="RY"), form="binary")


SMALL = write_archive(forecast(1), form="odim")


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=100)
def test_mutated_archives_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(SMALL)
    for place, value in changes:
        damaged[place] = value
    with suppress(RaincellError):
        list(iter_frames(bytes(damaged), "f"))


def test_dwds_archive(real_data: Path) -> None:
    read = open_sequence([real_data / "dwd" / "DE1200_RV2210180700.tar.bz2"])
    assert read.reference_time == datetime(2022, 10, 18, 7, tzinfo=UTC)
    assert read.lead_minutes == tuple(range(0, 121, 5))
    assert (read.grid, read.product) == (KNOWN_GRIDS["de1200"], "RV")
    first = FrameSequence(read.rain_rate[:2], read.valid_times[:2], read.grid, 5, "RV", read.reference_time)
    for form in ("binary", "odim"):
        again = open_sequence([NamedBytes("again", write_archive(first, form=form))])
        np.testing.assert_array_equal(again.rain_rate, first.rain_rate)
