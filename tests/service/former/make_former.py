"""Makes written.tar.xz: Redis, ledger, archive, models and answers of a former commit, for test_former.py.

It runs in a checkout of the former commit, and uses the code and the test helpers of that:

    git worktree add FORMER 2596a7b
    cd FORMER && PYTHONPATH=. python PRESENT/tests/service/former/make_former.py PRESENT/tests/service/former
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import tarfile
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import redis

from radar.archive import Archive
from radar.frame import frames_of
from radar.sequence import FrameSequence, iso
from tests.service.conftest import (
    END,
    RedisServer,
    ServiceProcess,
    sequence,
    tiny_card,
    wait_until,
    write_repository,
)

write_odim = import_module("radar.odim").write_odim  # as it was named then
ASKED = (
    "/frames",
    "/models",
    "/nowcast/{run}",
    "/nowcast/{run}/frames/5",
    "/nowcast/{run}/frames/-5",
    "/verification?period=7d",
)


def main(out: Path) -> None:
    """Write former.json, archive/, ledger/ and models/ into a new folder `out`/written."""
    folder = out / "written"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_repository(folder / "models", tiny_card())
    server = RedisServer()
    clock = Path(tempfile.mkdtemp()) / "clock"
    program = [str(Path("tests/service/shifted_clock.py").resolve()), str(clock), "run"]
    settings = {
        "RAINCELL_REDIS_URL": server.url,
        "RAINCELL_MODEL_REPOSITORY": str(folder / "models"),
        "RAINCELL_VERIFICATION": str(folder / "ledger"),
        "RAINCELL_RUN_LEAD_MINUTES": "30",
    }
    observed = sequence(24, end=END)
    set_clock(clock, END)
    service = ServiceProcess(settings, program)
    service.wait_ready()
    for first in range(0, 24, 3):
        known = observed.valid_times[first + 2]
        set_clock(clock, known + timedelta(minutes=1))
        part = cut(observed, slice(first, first + 3))
        files = [("frames", (f"{frame.valid_time:%H%M}.h5", write_odim(frame))) for frame in frames_of(part)]
        answer = httpx.post(f"{service.url}/frames", files=files, timeout=60)
        assert answer.status_code in (200, 201), answer.text
        if first >= 6:
            wait_until(partial(reached, service, known), "the run")
    wait_until(lambda: scored(service) >= 10, "scores")
    time.sleep(3)
    run = latest(service)["run"]
    answers = {path.format(run=run): httpx.get(service.url + path.format(run=run), timeout=60).json() for path in ASKED}
    store: Any = redis.Redis.from_url(server.url)
    written = {key.decode(): dumped(store, key) for key in sorted(store.keys())}
    service.stop()
    server.kill()
    archive = Archive(folder / "archive")
    archive.append(cut(observed, slice(-6, None)))
    about = {"commit": os.environ.get("COMMIT", ""), "run": run, "end": iso(END)}
    (folder / "former.json").write_text(json.dumps({**about, "redis": written, "answers": answers}, indent=1))
    np.save(folder / "observed.npy", observed.rain_rate)
    with tarfile.open(out / "written.tar.xz", "w:xz") as packed:
        packed.add(folder, "written")
    shutil.rmtree(folder)


def set_clock(file: Path, now: datetime) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(str((now - datetime.now(UTC)).total_seconds()))
    fresh.rename(file)


def reached(service: ServiceProcess, time: datetime) -> bool:
    return latest(service).get("reference_time") == iso(time)


def latest(service: ServiceProcess) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{service.url}/nowcast", timeout=60).json()
    return answer


def scored(service: ServiceProcess) -> int:
    answer = httpx.get(f"{service.url}/verification?period=7d", timeout=60)
    return len(answer.json().get("rows", answer.json().get("scores", []))) if answer.status_code == 200 else 0


def cut(frames: FrameSequence, part: slice) -> FrameSequence:
    return FrameSequence(frames.rain_rate[part], frames.valid_times[part], frames.grid, 5, "RY")


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def dumped(store: Any, key: bytes) -> dict[str, Any]:
    """One value by its type, in base64."""
    kind: str = store.type(key).decode()
    value: Any
    if kind == "string":
        value = encoded(store.get(key))
    elif kind == "hash":
        value = [[encoded(field), encoded(entry)] for field, entry in sorted(store.hgetall(key).items())]
    elif kind == "zset":
        value = [[encoded(member), score] for member, score in store.zrange(key, 0, -1, withscores=True)]
    elif kind == "set":
        value = sorted(encoded(member) for member in store.smembers(key))
    else:
        value = [encoded(entry) for entry in store.lrange(key, 0, -1)]
    return {"type": kind, "value": value}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
