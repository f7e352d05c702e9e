"""The archive as a data set: frames from `python -m training prepare` and the feed, in windows drawn towards rain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from radar.archive.archive import Archive
from radar.archive.day import StoredDay
from radar.archive.file import Series
from radar.archive.manifest import file_digests
from radar.errors import IncompleteHistory, InvalidRequest, UnknownProduct
from radar.rain import RainScaling
from radar.sequence import Float32, iso
from radar.times import runs
from training.data.archive_days import Days, apart, days_in, split_days
from training.data.archive_windows import Block, Cut, Window, draw_windows
from training.data.base import Part, checked
from training.data.digest import joint_sha256

_PARTS: tuple[Part, ...] = ("train", "validation", "test")
VALIDATION_SHARE, TEST_SHARE = 0.15, 0.2
"""Share of the days, if none are named."""


@dataclass(frozen=True, eq=False)
class ArchiveDataset:
    """Windows of an archive, each cut to a piece of its grid, and read on demand.

    Parameters
    ----------
    archive : Archive
    windows : sequence of Window
    input_length, leads : int
    scaling : RainScaling
        mm/h to [0, 1].
    """

    archive: Archive
    windows: Sequence[Window]
    input_length: int
    leads: int
    scaling: RainScaling = RainScaling()
    name: str = "archive"

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Float32:
        """(T, 1, H, W) in [0, 1]; NaN = no data."""
        return self.scaling.to_network(self.rain_rate(index))[:, None]

    def rain_rate(self, index: int) -> Float32:
        """The same frames (T, H, W) in mm/h."""
        return self.windows[checked(index, len(self))].read(self.archive)

    def scaled(self, scaling: RainScaling) -> ArchiveDataset:
        """The same data set in the units of another scaling."""
        return replace(self, scaling=scaling)


def open_archive(
    folder: Path,
    part: Part,
    *,
    product: str | None = None,
    grid: str | None = None,
    input_length: int = 5,
    leads: int = 12,
    train_days: Sequence[str] | None = None,
    validation_days: Sequence[str] | None = None,
    test_days: Sequence[str] | None = None,
    validation_share: float = VALIDATION_SHARE,
    test_share: float = TEST_SHARE,
    separation_hours: float = 6.0,
    windows: int = 1000,
    validation_windows: int = 64,
    tile: int = 256,
    stride: int = 2,
    seed: int = 1,
) -> ArchiveDataset:
    """Windows of one series of the archive in `folder`, on the days of one part.

    Parameters
    ----------
    folder : Path
        Root of the archive.
    part : "train", "validation" or "test"
    product, grid : str
        May be left out if the archive has only one series.
    input_length, leads : int
    train_days, validation_days, test_days : sequence of str
        UTC days, as "2024-06-01", and stretches, as "2024-06-01/2024-06-30". By default the newest days are for the
        test, those before them for the validation, all others for training.
    validation_share, test_share : float
        Shares of the days, if none are named.
    separation_hours : float
        Up to 24. Frames this near to a day of a later part are in no part, since they show its weather.
    windows, validation_windows : int
        The most windows of training and of the other parts.
    tile : int
        Largest edge of a window's piece of the grid, in pixels.
    stride : int
        Timesteps from one window's start to the next.
    seed : int

    Raises
    ------
    FileNotFoundError
        `folder` holds no archive.
    UnknownProduct, InvalidRequest
        No series matches, or several do.
    IncompleteHistory
        The named days have no frames, there are too few days, or no window has enough frames.
    UnreadableFile
        A day is damaged; the error names its file.
    ValueError
        Options are out of range.
    """
    cut = Cut(input_length, leads, stride, tile)
    if min(input_length, leads, windows, validation_windows, tile, stride) < 1:
        raise ValueError(
            "expected input_length, leads, windows, validation_windows, tile and stride of 1 or more; correct them"
        )
    if not 0 <= separation_hours <= 24 or not 0 <= validation_share < 1 or not 0 <= test_share < 1:
        raise ValueError(
            "expected separation_hours of 0 to 24, validation_share and test_share from 0 to below 1; correct them"
        )
    split = day_split(
        folder,
        product=product,
        grid=grid,
        train_days=train_days,
        validation_days=validation_days,
        test_days=test_days,
        validation_share=validation_share,
        test_share=test_share,
    )
    archive = Archive(folder)
    series = archive_series(archive, product, grid)
    blocks = _blocks(archive, series, part, split, cut, separation_hours)
    number = _PARTS.index(part)
    drawn = draw_windows(archive, blocks, cut, windows if part == "train" else validation_windows, (seed, number))
    return ArchiveDataset(archive, drawn, input_length, leads)


def day_split(
    folder: Path,
    *,
    product: str | None = None,
    grid: str | None = None,
    train_days: Sequence[str] | None = None,
    validation_days: Sequence[str] | None = None,
    test_days: Sequence[str] | None = None,
    validation_share: float = VALIDATION_SHARE,
    test_share: float = TEST_SHARE,
) -> Days:
    """The days of every part; parameters and errors as in `open_archive`."""
    archive = Archive(folder)
    series = archive_series(archive, product, grid)
    days = [day.day for day in archive.days(series.product, series.grid.key)]
    named = dict(zip(_PARTS, (train_days, validation_days, test_days), strict=True))
    return split_days(days, named, {"validation": validation_share, "test": test_share}, _name(series))


def archive_series(archive: Archive, product: str | None, grid: str | None) -> Series:
    """The series that the options of a data set name; raises the errors of `open_archive`."""
    if not archive.products():
        raise FileNotFoundError(
            f"expected an archive of radar frames in {archive.root}, got none; get radar files and put them there with "
            "`python -m training prepare FILES --out ARCHIVE`"
        )
    return only_series(archive, product, grid, "name it as product and grid in [data.options]")


def only_series(archive: Archive, product: str | None, grid: str | None, how: str) -> Series:
    """The only series of a product and grid; None stands for any.

    Raises
    ------
    UnknownProduct
        The archive is empty, or has no such series; the error suggests the nearest name.
    InvalidRequest
        There are several; `how` describes how to name one.
    """
    pairs = archive.products()
    chosen = [pair for pair in pairs if product in (None, pair[0]) and grid in (None, pair[1])]
    if len(chosen) == 1:
        return archive.series(*chosen[0])
    there = ", ".join(f"{name} on {key}" for name, key in pairs)
    asked = f"{product or 'any product'} on {grid or 'any grid'}"[:120]
    if not pairs:
        raise UnknownProduct(
            expected="an archive with frames", got="none in it", remedy="fill it with `python -m training prepare`"
        )
    if not chosen:
        names = [name for pair in pairs for name in pair]
        near = [match for name in (product, grid) if name and name not in names for match in _near(name, names)]
        remedy = f"did you mean {' and '.join(near)}?" if near else f"check the names, or {how}"
        raise UnknownProduct(expected=f"one series of {there}", got=f"{asked}, which are 0", remedy=remedy)
    raise InvalidRequest(expected=f"one series of {there}", got=f"{asked}, which are {len(chosen)}", remedy=how)


def _near(name: str, names: Sequence[str]) -> list[str]:
    """The nearest name, ignoring case."""
    by_lower = {each.lower(): each for each in names}
    return [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)]


def _name(series: Series) -> str:
    return f"{series.product} on {series.grid.key}"


def _days_of(archive: Archive, series: Series, stretches: Sequence[str]) -> Iterator[StoredDay]:
    days = list(archive.days(series.product, series.grid.key))
    chosen = days_in((day.day for day in days), stretches)
    return (day for day in days if day.day in chosen)


def _blocks(
    archive: Archive, series: Series, part: Part, split: Days, cut: Cut, separation_hours: float
) -> list[Block]:
    """The runs of a part's frames that are long enough for a window."""
    later = [stretch for other in _PARTS[_PARTS.index(part) + 1 :] for stretch in split[other]]
    others: set[date] = {day.day for day in _days_of(archive, series, later)}
    times = [time for day in _days_of(archive, series, split[part]) for time in day.times()]
    kept = apart(times, others, separation_hours)
    blocks = [Block(run[0], run[-1], series.product, series.grid.key, len(run)) for run in runs(kept, series.timestep)]
    long_enough = [block for block in blocks if block.frames >= cut.length]
    if not long_enough:
        longest = max((block.frames for block in blocks), default=0)
        raise IncompleteHistory(
            expected=f"{cut.length} frames of {_name(series)}, {series.timestep_minutes} minutes apart, to "
            f"{'train on' if part == 'train' else part}",
            got=f"{len(kept)} frames on {', '.join(split[part]) or 'no days'}, at most {longest} without a gap",
            remedy="prepare more days, ask for fewer frames (framing.input_length and leads), or name other days in "
            "[data.options]",
        )
    return long_enough


def archive_records(folder: Path, product: str | None, grid: str | None, split: Days) -> tuple[dict[str, Any], ...]:
    """The manifest's records of the training and validation days, one for each stretch, as JSON values."""
    archive = Archive(folder)
    series = archive_series(archive, product, grid)
    digest = file_digests(archive.root)
    return tuple(_record(archive, series, part, stretch, digest) for part in _PARTS[:2] for stretch in split[part])


def _record(archive: Archive, series: Series, part: str, stretch: str, digest: Callable[[Path], str]) -> dict[str, Any]:
    days = list(_days_of(archive, series, [stretch]))
    times = [time for day in days for time in day.times()]
    files = (path for day in days for path in day.files())
    return {
        "name": _name(series),
        "part": part,
        "product": series.product,
        "first": iso(times[0]),
        "last": iso(times[-1]),
        "frames": len(times),
        "sha256": joint_sha256(f"{digest(path)} {path.relative_to(archive.root).as_posix()}" for path in files),
    }
