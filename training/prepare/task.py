"""One piece of work of `prepare`, done in any process: it turns files into packed days, and records each file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from radar.archive.archive import Archive
from radar.archive.file import Series
from radar.archive.frame import ArchivedFrame, archived
from radar.errors import RaincellError, UnreadableFile
from radar.files.netcdf.reader import netcdf_times
from radar.files.open import holds_sequence, open_sequence
from radar.files.own_files import own_frames
from radar.files.rydl import is_rydl_file, rydl_sequences
from radar.frame import Frame, frames_of
from radar.sequence import FrameSequence
from radar.system.digest import sha256_of
from radar.system.regular_file import is_regular
from radar.times import runs
from training.prepare.plan import Piece, Task

_FRAMES_AT_ONCE = 12
_PROBLEMS_NAMED = 5
_FRAMES_KEPT = 288
"""The most compressed frames that wait for their day to be written."""


@dataclass(frozen=True)
class SourceRecord:
    """The outcome of a file, or of one of its days.

    Parameters
    ----------
    key, path : str
    sha256 : str
        Digest of the whole file; for a file of years only with its first day.
    frames, forecasts, others : int
        Numbers of archived observed frames, of forecasts left out, and of frames of unwanted products.
    error : str
        Why not all of it was taken; empty without an error.
    settled : bool
        Whether the same file need not be read again: it is done, or is itself bad.
    product : str or None
        The only wanted product.
    variable : str or None
        The named variable of NetCDF files.
    found : dict of str to int
        Frames by outcome: "kept RY", "product RW, not asked for", "forecasts of RV".
    """

    key: str
    path: str
    sha256: str = ""
    frames: int = 0
    forecasts: int = 0
    others: int = 0
    error: str = ""
    settled: bool = True
    product: str | None = None
    variable: str | None = None
    found: dict[str, int] = field(default_factory=dict)


def run_task(root: str, task: Task, product: str | None = None, variable: str | None = None) -> list[SourceRecord]:
    """Put the observed frames of a task's files into the archive at `root`; a bad file is a record with an error."""
    writer = _Writer(Archive(root), product)
    records = [_one(writer, piece, variable) for piece in task]
    refused = writer.flush()
    return [replace(r, frames=0, found={}, error=r.error or refused) for r in records] if refused else records


def _one(writer: _Writer, piece: Piece, variable: str | None) -> SourceRecord:
    record = SourceRecord(piece.key, piece.path, product=writer.product, variable=variable)
    problems, before, found = list[str](), writer.counts(), writer.found.copy()
    try:
        for frame in _frames(piece, problems, variable):
            writer.take(frame)
        if piece.is_first:
            record = replace(record, sha256=sha256_of(Path(piece.path)))
    except RaincellError as error:
        problems.append(_named(error))
    except OSError as error:  # the disk fails, not the file: a later try may succeed
        problems.append(_named(error))
        record = replace(record, settled=False)
    frames, forecasts, others = (now - then for now, then in zip(writer.counts(), before, strict=True))
    now_found = dict(writer.found - found)
    return replace(
        record, frames=frames, forecasts=forecasts, others=others, error=_shortened(problems), found=now_found
    )


def _named(error: Exception) -> str:
    return str(error) if isinstance(error, RaincellError) else f"expected a sound file, got {error}; fetch it again"


def _shortened(problems: list[str]) -> str:
    more = f"; and {len(problems) - _PROBLEMS_NAMED} more" if len(problems) > _PROBLEMS_NAMED else ""
    return "; ".join(problems[:_PROBLEMS_NAMED]) + more


def _frames(piece: Piece, problems: list[str], variable: str | None) -> Iterator[Frame]:
    """The frames of a file of any kind, one by one."""
    path = Path(piece.path)
    if path.exists() and not is_regular(path):
        raise UnreadableFile(
            expected="a file", got=f"a pipe, a device or a socket: {path.name}", remedy="leave it out of the sources"
        )
    if piece.start is not None and piece.end is not None:
        for sequence in _sequences(path, piece.start, piece.end, variable):
            yield from frames_of(sequence)
    elif holds_sequence(path):  # a file that could not be opened when the work was planned
        yield from frames_of(open_sequence([path], variable=variable))
    else:
        # Bad files in an archive are named, and skipped.
        yield from own_frames(path, lambda error: problems.append(str(error)))


def _sequences(path: Path, start: datetime, end: datetime, variable: str | None) -> Iterator[FrameSequence]:
    """Pieces of a file of years that fit into memory; gaps are allowed."""
    if is_rydl_file(path):
        yield from rydl_sequences(path, start=start, end=end, longest=_FRAMES_AT_ONCE)
        return
    times = netcdf_times(path, variable)
    step = times[1] - times[0] if len(times) > 1 else timedelta()
    chosen = (time for time in times if start <= time <= end)
    for run in runs(chosen, step, _FRAMES_AT_ONCE):
        yield open_sequence([path], start=run[0], end=run[-1], variable=variable)


class _Writer:
    """Collects compressed frames, and writes them to the archive once there are a day of them."""

    def __init__(self, archive: Archive, product: str | None) -> None:
        self._archive, self.product = archive, product
        self._waiting: dict[Series, list[ArchivedFrame]] = defaultdict(list)
        self._taken = self._forecasts = self._others = 0
        self.found: Counter[str] = Counter()

    def counts(self) -> tuple[int, int, int]:
        return self._taken, self._forecasts, self._others

    def take(self, frame: Frame) -> None:
        if self.product is not None and frame.product != self.product:
            self._others += 1
            self.found[f"product {frame.product or 'without a name'}, not asked for"] += 1
        elif frame.reference_time is not None and frame.valid_time != frame.reference_time:
            self._forecasts += 1
            self.found[f"forecasts of {frame.product or 'a product without a name'}"] += 1
        else:
            self._taken += 1
            self.found[f"kept {frame.product or 'a product without a name'}"] += 1
            series = Series(frame.product, frame.grid, frame.timestep_minutes)
            self._waiting[series].append(archived(frame.rain_rate, frame.valid_time))
            if sum(map(len, self._waiting.values())) >= 2 * _FRAMES_KEPT:
                self.write()

    def write(self) -> None:
        for series in list(self._waiting):
            self._archive.add_days(series, self._waiting[series])
            del self._waiting[series]  # only after they are written, since other files' frames are among them

    def flush(self) -> str:
        """Write the waiting frames; returns the error if some could not be written, else an empty text."""
        try:
            self.write()
        except RaincellError as error:
            self._waiting.clear()
            return str(error)
        return ""
