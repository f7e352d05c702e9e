"""Every room, started as a process under the quota of a control group, has its libraries follow the quota."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training.dask_pool import pool

ROOM = """
import json, os, runpy, sys
from pathlib import Path
import radar.system.cpus

folder, room = Path(sys.argv[1]), sys.argv[2]
radar.system.cpus.usable_cpus.__defaults__ = (folder / "self", folder / "mounted")
sys.argv = [room, "--help"]
try:
    runpy.run_module(room, run_name="__main__")
except SystemExit:
    pass
import numpy
numpy.ones((500, 500)) @ numpy.ones((500, 500))
threads = len(os.listdir("/proc/self/task"))
import cv2
from numcodecs import blosc
blosc.compress(numpy.random.default_rng(1).random(2_000_000).tobytes(), b"lz4", 5, 1)
torch = __import__("torch").get_num_threads() if room == "training" else None
found = {"blas": threads, "opencv": cv2.getNumThreads(), "blosc": len(os.listdir("/proc/self/task")), "torch": torch}
print("\\n" + json.dumps(found))
"""


def started(tmp_path: Path, room: str, quota: str, **environment: str) -> dict[str, Any]:
    """How many threads the libraries of a room have that runs under a quota, "microseconds of microseconds"."""
    (tmp_path / "self").write_text("0::/\n")
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "cpu.max").write_text(quota)
    kept = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    command = [sys.executable, "-c", ROOM, str(tmp_path), room]
    done = subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


several_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has one thread with any quota")


@several_cores
@pytest.mark.parametrize("room", ["radar", "service", "training"])
def test_libraries_of_a_room_follow_the_quota(tmp_path: Path, room: str) -> None:
    found = started(tmp_path, room, "100000 100000")
    assert found == {"blas": 1, "opencv": 1, "blosc": 1, "torch": 1 if room == "training" else None}


@several_cores
def test_without_a_quota_libraries_take_the_cores_that_there_are(tmp_path: Path) -> None:
    found = started(tmp_path, "service", "max 100000")
    assert found["opencv"] == len(os.sched_getaffinity(0))
    assert found["blas"] > 1


@several_cores
def test_what_the_operator_sets_stays(tmp_path: Path) -> None:
    found = started(tmp_path, "service", "100000 100000", OPENCV_FOR_THREADS_NUM="2")
    assert (found["opencv"], found["blas"]) == (2, 1)


def test_a_pool_has_as_many_processes_as_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.dask_pool.usable_cpus", lambda: 1)
    with pool(None, None) as client:
        assert client is not None
        assert len(client.scheduler_info()["workers"]) == 1
