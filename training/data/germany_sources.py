"""Sources of German radar frames by time; a file is read only when a window needs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from radar.archive.archive import Archive
from radar.files.netcdf.reader import netcdf_times
from radar.files.open import holds_sequence, open_sequence
from radar.files.rydl import is_rydl_file, rydl_times
from radar.sequence import Float32

_DWD_NAME = re.compile(r"raa01-(ry|yw|rz)[^-]*-(\d{10})-dwd---bin", re.IGNORECASE)
_SEQUENCE_FILES = (".nc", ".h5", ".hdf5")


class RadarSource(Protocol):
    """Frames of one product on one grid."""

    def times(self) -> Sequence[datetime]:
        """The times of all frames, UTC, in order."""

    def rain_rate(self, times: Sequence[datetime]) -> Float32:
        """The frames at these times, (T, H, W) in mm/h, NaN = no data."""


def open_sources(folder: Path) -> list[RadarSource]:
    """The sources in `folder`: an archive, or else sequence files and DWD's single-frame files at any depth.

    Raises
    ------
    FileNotFoundError
        The folder holds none of these.
    """
    if pairs := Archive(folder).products():
        return [ArchivedFrames(folder, product, grid) for product, grid in pairs]
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    sources: list[RadarSource] = [
        SequenceFile(path) for path in paths if path.suffix in _SEQUENCE_FILES and holds_sequence(path)
    ]
    products: dict[str, dict[datetime, Path]] = {}
    for path in paths:
        if match := _DWD_NAME.match(path.name):
            time = datetime.strptime(match[2], "%y%m%d%H%M").replace(tzinfo=UTC)
            products.setdefault(match[1].lower(), {})[time] = path
    sources += [SingleFiles(files) for files in products.values()]
    if not sources:
        raise FileNotFoundError(
            f"expected RYDL HDF5, RADKLIM NetCDF, an archive, or raa01-ry_* or raa01-yw* files in {folder}, got none; "
            "get them from the open-data server of Deutscher Wetterdienst and put them there"
        )
    return sources


@dataclass(frozen=True)
class SequenceFile:
    """A NetCDF or RYDL file with many frames."""

    path: Path

    def times(self) -> Sequence[datetime]:
        """See `RadarSource`."""
        return sorted(rydl_times(self.path) if is_rydl_file(self.path) else netcdf_times(self.path))

    def rain_rate(self, times: Sequence[datetime]) -> Float32:
        """See `RadarSource`."""
        read = open_sequence([self.path], start=times[0], end=times[-1], observations_only=True)
        wanted = [read.valid_times.index(time) for time in times]
        return read.rain_rate[wanted]


@dataclass(frozen=True)
class SingleFiles:
    """DWD's files of one frame each, by the times in their names."""

    files: dict[datetime, Path]

    def times(self) -> Sequence[datetime]:
        """See `RadarSource`."""
        return sorted(self.files)

    def rain_rate(self, times: Sequence[datetime]) -> Float32:
        """See `RadarSource`.

        Raises
        ------
        ValueError
            A file's time differs from the one in its name.
        """
        frames = []
        for time in times:
            path = self.files[time]
            sequence = open_sequence([path], observations_only=True)
            if list(sequence.valid_times) != [time]:
                raise ValueError(f"expected {time:%Y-%m-%dT%H:%MZ} in {path.name}, got another time; download it again")
            frames.append(sequence.rain_rate[0])
        return np.stack(frames)


@dataclass(frozen=True)
class ArchivedFrames:
    """A product on a grid in this project's archive."""

    folder: Path
    product: str
    grid: str

    def times(self) -> Sequence[datetime]:
        """See `RadarSource`."""
        return Archive(self.folder).times(self.product, self.grid)

    def rain_rate(self, times: Sequence[datetime]) -> Float32:
        """See `RadarSource`."""
        read = Archive(self.folder).read(self.product, self.grid, times[0], times[-1])
        return read.rain_rate[[read.valid_times.index(time) for time in times]]
