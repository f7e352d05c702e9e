"""Conversion of years of radar files to the archive, day by day, in bounded memory; finished files are skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from radar.archive.archive import Archive
from radar.system.journal import append_lines, journal_lines
from training.dask_pool import run_all
from training.prepare.plan import Task, find_files, plan
from training.prepare.task import SourceRecord, run_task

if TYPE_CHECKING:
    from distributed import Client

_JOURNAL = "sources.jsonl"


@dataclass(frozen=True)
class Summary:
    """The result of a run: files read now, files done before, frames and forecasts in the files of this run, bad files.

    `found` counts the frames in the files of this run by outcome; see SourceRecord. `kept_before` counts the archive's
    frames from files that were done before.
    """

    files: int
    done_before: int
    frames: int
    forecasts: int
    bad: tuple[SourceRecord, ...]
    found: Mapping[str, int]
    kept_before: int


def prepare(
    sources: Iterable[Path],
    root: Path,
    *,
    product: str | None = None,
    variable: str | None = None,
    client: Client | None = None,
    show: bool = True,
) -> Summary:
    """Put the observed frames of all sources into the archive at `root`, and write its manifest.

    Archived frames stay. A file that was done before, by its path, size and time of change, is not opened. Of forecasts
    only lead 0, which is observed, is taken. A bad file is recorded and does not end the run.

    Parameters
    ----------
    sources : iterable of Path
        Files and folders.
    root : Path
        Folder of the archive.
    product : str or None
        The only product to take.
    variable : str or None
        The variable of rain in NetCDF files that have several.
    client : distributed.Client or None
        Its workers do the work, and see the same paths; with None this process does it.
    show : bool
        Show progress on standard error.

    Raises
    ------
    FileNotFoundError
        A source does not exist.
    """
    files = find_files(sources)
    root.mkdir(parents=True, exist_ok=True)
    before = read_journal(root)
    settled = {key for key, record in before.items() if record.settled and _asked_alike(record, product, variable)}
    tasks = plan(files, settled, variable)
    now: dict[str, SourceRecord] = {}
    with tqdm(total=sum(map(len, tasks)), unit=" files", disable=not show) as bar:
        for records in _results(tasks, partial(run_task, str(root), product=product, variable=variable), client):
            now |= {record.key: record for record in records}
            append_lines(root / _JOURNAL, map(asdict, records))
            bar.update(len(records))
    every = _of_last_variable({**{key: r for key, r in before.items() if key not in now}, **now})
    Archive(root).write_manifest(_sources(every))
    return Summary(
        files=len({record.path for record in now.values()}),
        done_before=len(files) - len({piece.path for task in tasks for piece in task}),
        frames=sum(record.frames for record in now.values()),
        forecasts=sum(record.forecasts for record in now.values()),
        bad=tuple(record for record in every.values() if record.error),
        found=sum((Counter(record.found) for record in now.values()), Counter[str]()),
        kept_before=sum(record.frames for key, record in every.items() if key not in now),
    )


def read_journal(root: Path) -> dict[str, SourceRecord]:
    """The outcome of each file so far; an unfinished last line, left by a kill, is skipped."""
    records: dict[str, SourceRecord] = {}
    for line in journal_lines(root / _JOURNAL):
        try:
            record = SourceRecord(**line)
        except TypeError:
            continue
        if not _is_sound(record):
            continue
        records.pop(record.key, None)  # so that the new record moves to the end
        records[record.key] = record
    return _of_last_variable(records)


def _is_sound(record: SourceRecord) -> bool:
    """Whether a line of the journal is a valid record; otherwise its file is read again."""
    texts = (record.key, record.path, record.sha256, record.error)
    counts = (record.frames, record.forecasts, record.others)
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(record.settled, bool)
        and isinstance(record.found, dict)
        and all(isinstance(count, int) for count in record.found.values())
        and all(name is None or isinstance(name, str) for name in (record.product, record.variable))
    )


def _of_last_variable(records: dict[str, SourceRecord]) -> dict[str, SourceRecord]:
    """The records without those of a file's earlier variables; later records come last."""
    last = {record.path: record.variable for record in records.values()}
    return {key: record for key, record in records.items() if record.variable == last[record.path]}


def _asked_alike(record: SourceRecord, product: str | None, variable: str | None) -> bool:
    """Whether a file was done for the same options: one with frames left out is read again for all products.

    A file that was refused for having several variables is read again once one is named.
    """
    return record.product in (None, product) and record.variable == variable


def _results(
    tasks: Sequence[Task], run: Callable[[Task], list[SourceRecord]], client: Client | None
) -> Iterator[list[SourceRecord]]:
    for task, done in run_all(run, tasks, client):
        yield _failed(task, done) if isinstance(done, BaseException) else done


def _failed(task: Task, error: BaseException) -> list[SourceRecord]:
    """Records for a worker that was killed, or ran out of memory: its files are tried again next time."""
    text = f"expected a worker to finish, got {type(error).__name__}: {str(error)[:200]}; run the command again"
    return [SourceRecord(piece.key, piece.path, error=text, settled=False) for piece in task]


def _sources(records: dict[str, SourceRecord]) -> dict[str, Any]:
    """A summary for the manifest; the journal lists every file with its digest."""
    bad = sorted((record.path, record.error) for record in records.values() if record.error)
    return {
        "journal": _JOURNAL,
        "files": len({record.path for record in records.values()}),
        "frames": sum(record.frames for record in records.values()),
        "forecasts_left_out": sum(record.forecasts for record in records.values()),
        "bad": [{"path": path, "error": error} for path, error in bad],
    }
