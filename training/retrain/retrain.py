"""The batch job, step by step. Each step leaves a complete file, so that a killed job resumes after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models.aliases import read_aliases
from models.onnx_forecaster import read_card_of
from models.repository import version_file
from radar.archive.archive import Archive
from radar.errors import InvalidRequest, UnreadableFile
from radar.sequence import iso
from radar.system.digest import sha256_of
from radar.system.locks import locked
from training.export.environment import code_commit, environment
from training.export.weights import network_of
from training.fit.loop import fit
from training.fit.workers import Rank, joined
from training.retrain.conclude import Outcome, conclude
from training.retrain.config import RetrainConfig
from training.retrain.data_set import DataSet, Need, make_data_set, open_data_set
from training.retrain.examine import examine
from training.retrain.plan import RetrainPlan, fit_config, plan_of, trained_by_of
from training.retrain.repository_change import sweep
from training.retrain.run_folder import RunFolder, new_run, prune_runs, runs_of


@dataclass(frozen=True)
class RetrainJob:
    """The inputs of a retraining.

    Parameters
    ----------
    archive, repository : Path
    model : str
    out : Path
        Folder of run folders.
    config : RetrainConfig
    now : function
        Returns the time, UTC.
    """

    archive: Path
    repository: Path
    model: str
    out: Path
    config: RetrainConfig
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def retrain(job: RetrainJob) -> Outcome | None:
    """Make a challenger and accept it if it is better; returns None in workers that only help to train.

    Raises
    ------
    InvalidRequest
        Another retraining of this repository is running.
    RaincellError, ValueError, OSError
        The retraining fails; the run's decision is "failed" with the reason.
    """
    with joined() as rank, _only_one(job.repository, rank):
        run = RunFolder(Path(rank.broadcast(str(_begun(job).path) if rank.leads else "")))
        try:
            return _carried_out(job, run, rank)
        except Exception as error:
            if rank.leads:
                _tell_failure(job, run, error)
            raise


def _carried_out(job: RetrainJob, run: RunFolder, rank: Rank) -> Outcome | None:
    plan = plan_of(run, job.repository, job.config)
    judged = rank.broadcast(run.read("gate") is not None)
    if not judged:
        if rank.leads:
            _data_set(job, run, plan)
        rank.wait()
        _fit(run, plan, rank)
    if not rank.leads:
        return None
    if not judged:
        examine(run, plan)
    outcome = conclude(run, job.repository, job.config, job.now())
    prune_runs(job.out, job.config.keep_runs)
    return outcome


def _tell_failure(job: RetrainJob, run: RunFolder, error: Exception) -> None:
    """Record the failure in the run's folder; if that fails too, the first error is still the one reported."""
    try:
        run.write("decision", _failed(job, run, f"{type(error).__name__}: {error}"))
        run.log(f"failed: {error}")
    except (OSError, UnreadableFile) as second:
        tqdm.write(f"{run.version}: its failure cannot be written: {second}", file=sys.stderr)


@contextmanager
def _only_one(repository: Path, rank: Rank) -> Iterator[None]:
    """Refuse a second job on a repository; the lock ends with its process."""
    if not rank.leads:
        yield
        return
    path = repository / ".retrain.lock"
    if path.is_dir():
        raise InvalidRequest(expected=f"{path.name} as a file to lock", got="a folder", remedy="remove it")
    with ExitStack() as held:
        try:
            held.enter_context(locked(path, wait=False))
        except BlockingIOError:
            raise InvalidRequest(
                expected="no other retraining of this repository", got="one at work", remedy="wait until it ends"
            ) from None
        yield


def _begun(job: RetrainJob) -> RunFolder:
    """The unfinished run, if its champion and configuration are unchanged, or a new one."""
    sweep(job.repository, job.model)
    prune_runs(job.out, job.config.keep_runs)
    about = _about(job)
    for run in (run for run in runs_of(job.out) if run.decision is None):
        if _still_holds(job, run, about):
            run.log("goes on")
            return run
        run.write("decision", _failed(job, run, "given up: the champion or the configuration is another by now"))
    run = new_run(job.out, about, job.now())
    run.log(f"begins: {job.model}, from {about['parent']}")
    return run


_SAME = ("model", "parent", "parent_sha256", "configuration_sha256")


def _still_holds(job: RetrainJob, run: RunFolder, about: dict[str, Any]) -> bool:
    same = [key for key in _SAME if run.about[key] != about[key]]
    concluding = run.version in read_aliases(job.repository, job.model).versions
    return not same or (concluding and run.about["model"] == job.model)


def _about(job: RetrainJob) -> dict[str, Any]:
    """The initial description of a run."""
    champion = read_aliases(job.repository, job.model).champion
    path = version_file(job.repository, job.model, champion)
    trained_by = trained_by_of(job.repository, job.model, champion)
    return {
        "model": job.model,
        "parent": champion,
        "parent_sha256": sha256_of(path),
        "configuration": job.config.content,
        "configuration_sha256": job.config.sha256,
        "seed": fit_config(job.config, read_card_of(path), trained_by).optimiser.seed,
        "archive": str(job.archive.absolute()),
        "code_commit": code_commit(),
        "environment": environment(),
        "began": iso(job.now()),
    }


def _data_set(job: RetrainJob, run: RunFolder, plan: RetrainPlan) -> DataSet:
    there = open_data_set(run.data)
    if there is not None:
        return there
    run.log("makes the data set")
    config = plan.trained
    need = Need(config.framing, config.leads, config.optimiser.crop, plan.frames_tested, config.optimiser.seed)
    return make_data_set(Archive(job.archive), run.data, need, job.config.parts)


def _fit(run: RunFolder, plan: RetrainPlan, rank: Rank) -> None:
    config = plan.fit_config()
    if rank.leads:
        run.log(f"trains, {config.optimiser.iterations} iterations")
    start = network_of(plan.champion) if plan.config.start == "champion" else None
    resume = rank.broadcast(run.fit.is_dir())
    fit(config, run.data, run.fit, resume=resume, start=start)


def _failed(job: RetrainJob, run: RunFolder, reason: str) -> dict[str, Any]:
    return {
        "decision": "failed",
        "model": job.model,
        "version": run.version,
        "parent": run.about["parent"],
        "made": iso(job.now()),
        "reasons": [reason],
    }
