from __future__ import annotations

import bz2
import gzip
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import radar.files.frames as opened
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest, ProductMismatch, RaincellError, UnreadableFile
from radar.files.frames import FrameFormat, read_frames
from radar.files.netcdf.writer import to_netcdf
from radar.files.odim import write_odim
from radar.files.open import NamedBytes, open_sequence
from radar.files.radolan import write_radolan
from radar.frame import Frame, file_label, frames_of, observed, sequence_of
from radar.grid import KNOWN_GRIDS

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def frame(minutes: int = 0, grid: str = "radolan", product: str = "RY") -> Frame:
    """A frame of which one pixel tells the time, in multiples of 0.12 mm/h."""
    rain = np.zeros(KNOWN_GRIDS[grid].shape, np.float32)
    rain[10, 20] = np.float32(minutes + 5) * np.float32(0.6)
    rain[11, 20] = np.nan
    return Frame(rain, NOON + timedelta(minutes=minutes), KNOWN_GRIDS[grid], 5, product, "")


def radolan(minutes: int = 0, **options: str) -> NamedBytes:
    return NamedBytes(f"frame{minutes}.bin", write_radolan(frame(minutes, **options)))


def test_the_container_does_not_change_the_numbers(tmp_path: Path) -> None:
    """Plain, gzip, bzip2, ODIM and CF, under names that say nothing or lie."""
    binary = write_radolan(frame())
    (tmp_path / "forecast.gz").write_bytes(to_netcdf(sequence_of([frame()])))
    (tmp_path / "plain.h5").write_bytes(binary)
    sources: list[str | Path | NamedBytes] = [
        tmp_path / "plain.h5",
        str(tmp_path / "plain.h5"),
        NamedBytes("a.nc", gzip.compress(binary)),
        NamedBytes("b", bz2.compress(binary)),
        NamedBytes("c.bin", write_odim(frame())),
        NamedBytes("d", gzip.compress(write_odim(frame()))),
        tmp_path / "forecast.gz",
    ]
    for source in sources:
        read = open_sequence([source])
        np.testing.assert_array_equal(read.rain_rate, frame().rain_rate[None])
        assert read.grid is KNOWN_GRIDS["radolan"]
        assert (read.valid_times, read.product, read.timestep_minutes) == ((NOON,), "RY", 5)
        assert read.reference_time is None


def test_frames_are_ordered_by_their_own_times() -> None:
    read = open_sequence([radolan(10), radolan(0), radolan(5)])
    assert read.valid_times == tuple(NOON + timedelta(minutes=m) for m in (0, 5, 10))
    np.testing.assert_allclose(read.rain_rate[:, 10, 20], [3, 6, 9])


def test_a_gap_names_times_and_files() -> None:
    with pytest.raises(IncompleteHistory) as caught:
        open_sequence([radolan(0), NamedBytes("/home/me/late.bin", radolan(10).data)])
    assert str(caught.value) == (
        "expected frames 5 minutes apart, got 10 minutes between 2026-06-01T12:00:00Z and 2026-06-01T12:10:00Z "
        "(files frame0.bin and late.bin); send the missing frames, or only those after the gap"
    )


def test_a_time_that_comes_twice_is_named() -> None:
    with pytest.raises(IncompleteHistory, match=r"two frames for 2026-06-01T12:00:00Z \(files frame0.bin and again\)"):
        open_sequence([radolan(0), NamedBytes("again", gzip.compress(radolan(0).data))])


def test_mixtures_are_named() -> None:
    with pytest.raises(ProductMismatch, match=r"files of one product, got RY in frame0.bin and YW in frame5.bin"):
        open_sequence([radolan(0), radolan(5, grid="radklim", product="YW")])
    with pytest.raises(
        GridMismatch, match=r"got radolan of 900x900 in frame0.bin and de1200 of 1200x1100 in frame5.bin"
    ):
        open_sequence([radolan(0), radolan(5, grid="de1200")])


def test_forecasts_of_two_runs_and_unlike_intervals_are_no_sequence() -> None:
    with pytest.raises(IncompleteHistory, match="files of one interval, got 5 minutes in  and 10 minutes in"):
        sequence_of([frame(0), replace(frame(5), timestep_minutes=10)])
    with pytest.raises(IncompleteHistory, match="one reference time, got observed in  and 2026-06-01T12:00:00Z"):
        sequence_of([frame(0), replace(frame(5), reference_time=NOON)])


def test_forecasts_are_no_history() -> None:
    made = replace(frame(5), reference_time=NOON)
    seen = observed([frame(0), made, frame(10)])
    assert next(seen).valid_time == NOON
    with pytest.raises(InvalidRequest, match="got a forecast made at 2026-06-01T12:00:00Z, 5 minutes ahead, in "):
        next(seen)


def test_forecasts_in_netcdf_are_no_history_either(tmp_path: Path) -> None:
    (tmp_path / "f.nc").write_bytes(to_netcdf(sequence_of([replace(frame(5), reference_time=NOON)])))
    assert open_sequence([tmp_path / "f.nc"]).lead_minutes == (5,)
    with pytest.raises(InvalidRequest, match=r"a forecast made at 2026-06-01T12:00:00Z, in f\.nc"):
        open_sequence([tmp_path / "f.nc"], observations_only=True)


def test_frames_outside_the_time_asked_for_are_left_out() -> None:
    """Also a gap that lies outside."""
    sources = [radolan(0), radolan(10), radolan(15)]
    read = open_sequence(sources, start=NOON + timedelta(minutes=10))
    assert read.valid_times == (NOON + timedelta(minutes=10), NOON + timedelta(minutes=15))
    assert len(open_sequence(sources, end=NOON)) == 1


def test_nothing_is_no_sequence() -> None:
    with pytest.raises(IncompleteHistory, match="at least one radar file, got none"):
        open_sequence([])


def test_frames_of_a_sequence_make_the_sequence() -> None:
    sequence = open_sequence([radolan(0), radolan(5)])
    again = sequence_of(frames_of(sequence))
    np.testing.assert_array_equal(again.rain_rate, sequence.rain_rate)
    assert again.valid_times == sequence.valid_times


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "a RADOLAN binary or an ODIM HDF5 composite in f, got no bytes"),
        (b"hello, this is text", "a RADOLAN binary or an ODIM HDF5 composite in f, got neither"),
        (gzip.compress(b"hello", mtime=0), "got neither"),
        (gzip.compress(gzip.compress(radolan().data)), "got neither"),
        (gzip.compress(radolan().data)[:-100], "a whole gzip stream in f"),
        (radolan().data[:-1], "the 1,620,083 bytes that its header states in f, got 1,620,082"),
        (radolan().data + b"x", "got 1,620,084"),
        (to_netcdf(sequence_of([frame()])), "got NetCDF, which is read from a path only"),
        (b"\x89HDF\r\n\x1a\n" + bytes(1000), "a sound HDF5 file in f"),
        (bytes(17 * 2**20), "at most 16,777,216 decompressed bytes in f, got 17,825,792"),
    ],
)
def test_other_bytes_are_refused(data: bytes, text: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read_frames(data, "/secret/folder/f")
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)


def test_paths_that_cannot_be_read_are_named_without_their_folder(tmp_path: Path) -> None:
    for source, text in ((tmp_path / "none.bin", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(UnreadableFile, match=text) as caught:
            open_sequence([source])
        assert str(tmp_path.parent) not in str(caught.value)


def test_netcdf_holds_the_whole_sequence(tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_bytes(to_netcdf(sequence_of([frame(0), frame(5)])))
    assert len(open_sequence([tmp_path / "a.nc"])) == 2
    with pytest.raises(UnreadableFile, match=r"a.nc, got NetCDF"):
        open_sequence([tmp_path / "a.nc", tmp_path / "b.nc"])


def test_labels_are_short_and_printable() -> None:
    assert file_label("/var/data/x.bin") == "x.bin"
    assert file_label("C:\\data\\x.bin") == "x.bin"
    assert file_label("x" * 200) == "x" * 57 + "..."
    assert file_label("a\nb\x1b[31m") == "a?b?[31m"
    assert file_label("") == ""


@pytest.mark.parametrize("make", [write_radolan, write_odim])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_mutated_files_are_read_or_refused(make: Callable[[Frame], bytes], compress: Callable[[bytes], bytes]) -> None:
    whole = compress(make(frame()))
    draw = random.Random(2)
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 3, 10])):
            damaged[draw.randrange(min(len(damaged), 4000))] = draw.randrange(256)
        with suppress(RaincellError):
            read_frames(bytes(damaged), "f")


def test_real_files_read_like_the_events_made_from_them(real_data: Path) -> None:
    for folder, product, grid in (("yw_20170816", "YW", "radklim"), ("ry_20200101", "RY", "radolan")):
        read = open_sequence(sorted((real_data / "dwd" / folder).iterdir(), reverse=True))
        event = open_sequence([real_data / "events" / f"dwd_{folder}.nc"])
        assert (read.product, read.timestep_minutes) == (product, 5)
        assert read.grid is event.grid is KNOWN_GRIDS[grid]
        assert read.valid_times == event.valid_times
        np.testing.assert_array_equal(read.rain_rate, event.rain_rate)


def test_real_files_of_other_kinds_are_refused_by_name(real_data: Path) -> None:
    for pattern, text in (("re_*/*_000.gz", "product RE"), ("*.csv", "got neither")):
        for path in (real_data / "dwd").glob(pattern):
            with pytest.raises(UnreadableFile, match=text):
                open_sequence([path])


def test_a_new_format_of_frames_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    known = frame()

    def read(data: bytes, name: str) -> Frame:
        assert (data, name) == (b"RAIN1 0", "new.rain")
        return known

    row = FrameFormat("a file that begins with RAIN1", lambda data: data.startswith(b"RAIN1"), read)
    monkeypatch.setattr(opened, "FORMATS", (*opened.FORMATS, row))
    assert opened.read_frames(b"RAIN1 0", "new.rain") == [known]
    with pytest.raises(UnreadableFile, match="or a file that begins with RAIN1"):
        opened.read_frames(b"RAIN2", "other.rain")
