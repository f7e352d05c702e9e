"""Forecasts from every start of an archive, in parallel, stored and scored; finished starts are not repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from models.onnx_forecaster import read_card_of
from models.repository import champion_of, version_file
from radar.archive.archive import Archive
from radar.errors import RaincellError, UnreadableFile
from radar.sequence import iso
from radar.system.digest import sha256_of
from radar.system.durable import write_text
from training.dask_pool import run_all
from training.hindcast.plan import HindcastPlan, HindcastQuestion, make_plan
from training.hindcast.scores import FSS_KM, score_rows
from training.hindcast.store import HindcastStore, open_store
from training.hindcast.task import HindcastJob, run_start

if TYPE_CHECKING:
    from distributed import Client

_Start = tuple[int, datetime]


@dataclass(frozen=True)
class Failure:
    """A failed start, and its error."""

    start: datetime
    error: str


@dataclass(frozen=True)
class Hindcast:
    """The result of a run, and the scores of all complete starts.

    Parameters
    ----------
    plan : HindcastPlan
    made, done_before : int
        Numbers of starts that were forecast now, and before.
    failed : tuple of Failure
    rows : list
        One row for each forecaster, lead time and threshold: `training.hindcast.scores.score_rows`.
    """

    plan: HindcastPlan
    made: int
    done_before: int
    failed: tuple[Failure, ...]
    rows: list[dict[str, Any]]


def hindcast(
    model: Path,
    archive: Path,
    out: Path,
    question: HindcastQuestion | None = None,
    *,
    client: Client | None = None,
    show: bool = True,
) -> Hindcast:
    """Forecast every start of an archive with complete input frames, and write the scores beside the store.

    A start that is complete in the store is not repeated. A failed start does not end the run.

    Parameters
    ----------
    model : Path
        An .onnx file, or the folder of a model or a version in a repository.
    archive, out : Path
        The folder of the archive, and of the store: a new one, or that of the same hindcast.
    question : HindcastQuestion or None
    client : distributed.Client or None
        Its workers do the work, and see the same paths; with None this process does it.
    show : bool
        Show progress on standard error.

    Raises
    ------
    RaincellError
        The model or the frames do not exist, the model is for other frames, or `out` holds something else.
    """
    file = model_file(model)
    sha256 = sha256_of(file)
    plan = make_plan(Archive(archive), read_card_of(file), sha256, question or HindcastQuestion())
    store = open_store(out, plan)
    before = store.whole()
    missing = [start for start in enumerate(plan.starts) if start[0] not in before]
    job = HindcastJob(
        archive=str(archive.absolute()),
        store=str(out.absolute()),
        model=str(file.absolute()),
        sha256=sha256,
        series=plan.series,
        input_length=plan.input_length,
        steps=plan.steps,
        thresholds=plan.thresholds,
    )
    with tqdm(total=len(plan.starts), initial=len(before), desc="hindcast", unit=" starts", disable=not show) as bar:
        failed = tuple(sorted(_failures(job, missing, client, bar), key=lambda failure: failure.start))
    return _finish(store, plan, len(before), failed)


def model_file(path: Path) -> Path:
    """The file of a model: an .onnx file itself, the champion's in a model's folder, or that in a version's folder.

    Raises
    ------
    UnreadableFile
        The path is none of these.
    ArtifactRejected, UnknownModel
        The champion is missing, or contradicts its manifest.
    """
    path = path.absolute()
    if path.is_file():
        return path
    if (path / "aliases.json").is_file():
        return version_file(path.parent, path.name, champion_of(path.parent, path.name))
    if (path / "manifest.json").is_file():
        return version_file(path.parent.parent, path.parent.name, path.name)
    raise UnreadableFile(
        expected="a model: an .onnx file, or its folder in a repository (<repository>/<name>)",
        got=f"{'a folder of other things' if path.is_dir() else 'nothing'} at {'/'.join(path.parts[-2:])}",
        remedy="check the name",
    )


def scores_file(out: Path) -> Path:
    """The file of a store's scores."""
    return out.with_name(f"{out.name}.scores.json")


def _failures(job: HindcastJob, starts: Sequence[_Start], client: Client | None, bar: tqdm[Any]) -> Iterator[Failure]:
    """Do all starts; yields the failed ones."""
    failed = 0
    for (_, time), error in run_all(partial(_attempt, job), starts, client):
        if error is None:
            bar.update()
            continue
        failed += 1
        bar.set_postfix(failed=failed)
        yield Failure(time, str(error) if isinstance(error, RaincellError) else _unexpected(error))


def _attempt(job: HindcastJob, start: _Start) -> RaincellError | OSError | None:
    """Do a start; returns an error instead of raising it, so that the others continue."""
    try:
        run_start(job, start)
    except (RaincellError, OSError) as error:
        return error
    return None


def _unexpected(error: BaseException) -> str:
    return f"expected a worker to finish, got {type(error).__name__}: {str(error)[:200]}; run the command again"


def _finish(store: HindcastStore, plan: HindcastPlan, done_before: int, failed: tuple[Failure, ...]) -> Hindcast:
    whole = store.whole()
    if len(whole) == len(plan.starts):
        store.forget_unfinished()
    rows = score_rows(store.total(whole), plan.forecasters, plan.lead_minutes, plan.thresholds)
    done = Hindcast(plan, len(whole) - done_before, done_before, failed, rows)
    write_text(scores_file(store.path), json.dumps(_report(done, len(whole)), indent=1, allow_nan=False) + "\n")
    return done


def _report(done: Hindcast, scored: int) -> dict[str, Any]:
    """The content of the scores file: the starts, those left out, and the scores; it does not depend on the workers."""
    plan = done.plan
    return {
        **plan.description(),
        "first_start": iso(plan.starts[0]),
        "last_start": iso(plan.starts[-1]),
        "scored_starts": scored,
        "left_out": [{"first": iso(gap.first), "last": iso(gap.last), "starts": gap.starts} for gap in plan.left_out],
        "failed": [{"start": iso(failure.start), "error": failure.error} for failure in done.failed],
        "fss_km": FSS_KM,
        "scores": done.rows,
    }
