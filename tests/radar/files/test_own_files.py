"""Archives of any size and depth, as an operator has them on a disk."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from radar.errors import RaincellError, UnreadableFile
from radar.files.odim import write_odim
from radar.files.open import NamedBytes, open_sequence
from radar.files.own_files import own_frames
from radar.frame import Frame
from radar.grid import Grid

GRID = Grid("8x9", (8, 9), 1.0, "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +ellps=WGS84 +units=m", (0.0, -4e6))
TIME = datetime(2017, 8, 1, tzinfo=UTC)


def frames(count: int) -> dict[str, bytes]:
    first = Frame(np.ones((8, 9), np.float32), TIME, GRID, 5, "RY", "")
    times = [TIME + timedelta(minutes=5 * k) for k in range(1, count + 1)]
    return {f"ry_{time:%Y%m%d_%H%M}.h5": write_odim(replace(first, valid_time=time)) for time in times}


def tar(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT, mode: Literal["w", "w:gz", "w:xz"] = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=form) as archive:
        folder = tarfile.TarInfo("./a folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            described = tarfile.TarInfo(f"./a folder/{name}")
            described.size = len(content)
            archive.addfile(described, io.BytesIO(content))
    return stream.getvalue()


def read(tmp_path: Path, content: bytes, problems: list[RaincellError] | None = None) -> list[datetime]:
    path = tmp_path / "month"
    path.write_bytes(content)
    return [f.valid_time for f in own_frames(path, problems.append if problems is not None else None)]


def test_a_month_of_days_loses_nothing(tmp_path: Path) -> None:
    days = {f"day{k}.tar{end}": tar(frames(70), mode=mode) for k, (end, mode) in enumerate(MODES.items())}
    assert read(tmp_path, tar(days)) == [TIME + timedelta(minutes=5 * k) for k in range(1, 71)] * len(MODES)


MODES: dict[str, Literal["w", "w:gz"]] = {"": "w", ".gz": "w:gz"}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_folders_long_names_and_every_form_of_tar(tmp_path: Path, form: int) -> None:
    long = {f"{'x' * (80 if form == tarfile.USTAR_FORMAT else 180)}.h5": next(iter(frames(1).values()))}
    assert len(read(tmp_path, tar(long, form))) == 1


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_compressed_month_of_compressed_days(tmp_path: Path, compress: type[bytes]) -> None:
    assert len(read(tmp_path, compress(tar({"day.tar.gz": tar(frames(3), mode="w:gz")})))) == 3


def test_bad_files_are_told_by_name_and_passed_by(tmp_path: Path) -> None:
    problems: list[RaincellError] = []
    good = frames(3)
    names = list(good)
    day = tar({names[0]: good[names[0]], "notes.txt": b"rain", "cut.tar.gz": tar(frames(2), mode="w:gz")[:300]})
    found = read(
        tmp_path, tar({"day.tar": day, names[1]: good[names[1]], "empty": b"", names[2]: good[names[2]]}), problems
    )
    assert found == [TIME + timedelta(minutes=5 * k) for k in (1, 2, 3)]
    assert len(problems) == 3
    for name, problem in zip(("notes.txt", "cut.tar.gz", "empty"), problems, strict=True):
        assert name in str(problem)


def test_without_anybody_to_tell_the_first_bad_file_is_raised(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"notes\.txt"):
        read(tmp_path, tar({"notes.txt": b"rain", **frames(1)}))


def test_archives_without_end_are_refused(tmp_path: Path) -> None:
    content = tar(frames(1))
    for _ in range(5):
        content = tar({"inner.tar": content})
    problems: list[RaincellError] = []
    assert read(tmp_path, content, problems) == []
    assert "4 deep at most" in str(problems[0])


def test_an_archive_that_ends_too_early_is_refused_and_what_came_before_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "month.tar.gz"
    path.write_bytes(tar(frames(60), mode="w:gz")[:-4000])
    came: list[datetime] = []

    def all_frames() -> None:
        for frame in own_frames(path):
            came.append(frame.valid_time)

    with pytest.raises(UnreadableFile, match=r"a whole file in .*, got a damaged one"):
        all_frames()
    assert len(came) > 10


def test_what_is_too_much_for_an_upload_is_read_from_a_path(tmp_path: Path) -> None:
    content = tar(frames(70), tarfile.USTAR_FORMAT)
    path = tmp_path / "day.tar"
    path.write_bytes(content)
    assert len(open_sequence([path])) == 70
    with pytest.raises(UnreadableFile):
        open_sequence([NamedBytes("day.tar", content)])


def test_a_damaged_header_costs_one_file_and_is_told(tmp_path: Path) -> None:
    content = bytearray(tar(frames(6), tarfile.USTAR_FORMAT))
    third = [start for start in range(0, len(content), 512) if content[start + 257 : start + 262] == b"ustar"][3]
    content[third + 20] ^= 0xFF
    problems: list[RaincellError] = []
    assert len(read(tmp_path, bytes(content), problems)) == 5
    assert len(problems) == 1
    assert "a damaged header" in str(problems[0])


def test_archives_one_after_the_other_and_streams_in_parts_lose_nothing(tmp_path: Path) -> None:
    first, both = tar(frames(3)), tar(frames(6))
    assert len(read(tmp_path, first + both)) == 9
    half = len(both) // 2
    for compress in (gzip.compress, bz2.compress):
        assert len(read(tmp_path, compress(both[:half]) + compress(both[half:]))) == 6
