"""The job killed at random moments, as a real process: the champion serves every time, and the job can end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.aliases import promote, read_aliases
from models.onnx_forecaster import load_forecaster
from models.repository import champions, version_file, versions_of
from tests.preloaded import TRAINING, Program
from tests.training.small_world import NAME, NOON, make_archive, make_champion, storm, write_config
from training.promote.decisions import read_decisions
from training.retrain.run_folder import runs_of

KILLS = 20
WORLDS = 2
"""Repositories with a job each, at the same time, so that no core waits."""


def start(world: Path) -> subprocess.Popen[bytes]:
    options = {"archive": "archive", "repository": "models", "config": "config.toml"}
    command = ["training", "retrain"]
    command += [part for key, name in options.items() for part in (f"--{key}", str(world / name))]
    with (world / "errors.txt").open("ab") as errors:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return Program(command, TRAINING, environment, stdout=subprocess.DEVNULL, stderr=errors)


def finished(world: Path) -> tuple[int, float]:
    """One whole run, which lets a version in or keeps the champion: its steps, and the seconds of each in the mean."""
    begun = time.monotonic()
    assert start(world).wait(timeout=300) in (0, 3), (world / "errors.txt").read_text()[-3000:]
    steps = len(newest_log(world)[1])
    return steps, (time.monotonic() - begun) / steps


def newest_log(world: Path) -> tuple[Path, list[str]]:
    """The log of the newest run, and the steps that it has begun, in order."""
    folder = world / "models" / NAME / "retraining"
    log = runs_of(folder)[-1].path / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return log, [str(json.loads(line)["step"]).split()[0] for line in lines if line.endswith("}")]


def ended_before(process: subprocess.Popen[bytes], world: Path, steps: int, seconds: float) -> bool:
    """Wait until the job has begun so many more steps, and then some seconds; whether it ended meanwhile."""
    log, known = newest_log(world)
    while process.poll() is None:
        newest, begun = newest_log(world)
        if len(begun) - (len(known) if newest == log else 0) >= steps:
            break
        time.sleep(0.02)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def check_repository(world: Path) -> None:
    """All that a service would do with it: load the champion, hold it to its golden case, forecast."""
    repository = world / "models"
    forecaster = load_forecaster(champions(repository)[NAME], "cpu")
    aliases = read_aliases(repository, NAME)
    assert forecaster.card.version == aliases.champion
    assert forecaster.forecast(storm(NOON, 3), 2).rain_rate.shape == (2, 40, 48)
    assert aliases.versions <= set(versions_of(repository, NAME))
    for version in versions_of(repository, NAME):
        version_file(repository, NAME, version)  # whole, as its manifest says
    for line in (repository / NAME / "decisions.jsonl").read_text().splitlines():
        json.loads(line)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_at_twenty_random_moments_the_champion_serves_and_the_job_ends(tmp_path: Path) -> None:
    worlds = [make_world(tmp_path / str(number)) for number in range(WORLDS)]  # in one thread: torch.export warns
    with ThreadPoolExecutor(WORLDS) as threads:
        killed = list(threads.map(kill_and_finish, worlds, range(WORLDS)))
    assert len(set().union(*killed)) >= 3, killed  # in different steps


def make_world(world: Path) -> Path:
    world.mkdir()
    make_archive(world / "archive")
    make_champion(world, world / "models")
    write_config(world / "config.toml", accept="promote", iterations=8)
    text = (world / "config.toml").read_text()
    (world / "config.toml").write_text("keep_versions = 1\nkeep_runs = 2\n" + text)
    return world


def kill_and_finish(world: Path, seed: int) -> set[str]:
    """Kill the job of one world its share of times, then let it end; the steps that were cut off."""
    steps, seconds = finished(world)
    draw = random.Random(seed)
    killed, kills = set(), 0
    while kills < KILLS // WORLDS:
        if read_aliases(world / "models", NAME).champion != "1":
            # The poor one again, so that every run has a better version to let in.
            promote(world / "models", NAME, "1", now=NOON)
        process = start(world)
        # By steps and not by the clock: how long each takes depends on what else the machine does.
        if ended_before(process, world, draw.randrange(steps), draw.uniform(0, seconds)):
            continue  # it goes on after a kill, and has fewer steps left
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        killed.add(last_step(world))
        check_repository(world)
    finished(world)
    check_repository(world)
    check_nothing_is_left(world)
    return killed


def last_step(world: Path) -> str:
    """What the newest run had begun when it was killed."""
    _, steps = newest_log(world)
    return steps[-1] if steps else "nothing"


def check_nothing_is_left(world: Path) -> None:
    """No half-made folders, no more runs and versions than are kept, and every decision once."""
    model = world / "models" / NAME
    runs = runs_of(model / "retraining")
    assert all(run.decision is not None for run in runs)
    assert len(runs) <= 2
    assert len(versions_of(world / "models", NAME)) <= 2 + 1 + 1  # with a role, kept, made by hand
    assert not [path for path in model.iterdir() if path.name.startswith((".publish", ".remove", ".export"))]
    identities = [decision["id"] for decision in read_decisions(world / "models", NAME)]
    assert len(identities) == len(set(identities))
