"""Two service processes on one Redis, one of which is killed in the middle: the ledger holds what happened, once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from models.aliases import set_challenger
from radar.ledger.ledger import read_records
from radar.sequence import FrameSequence
from service.history.codec import decode_one
from service.history.redis.store import RedisHistory
from service.redis.client import connect
from service.runs.redis_store import RedisRuns
from service.runs.run import WholeRun
from service.verification.stores.redis_unserved_forecasts import RedisUnservedForecasts
from tests.service.conftest import (
    SMALL,
    RedisServer,
    ServiceProcess,
    tiny_card,
    wait_until,
    write_repository,
    write_version,
)
from tests.service.runs_made import END
from tests.service.verification.offline import evaluate
from tests.service.verification.replicas import RETENTION, SERIES, one, storm
from tests.service.verification.test_scorer import assert_same, observations

FRAMES, FIRST, LEADS = 15, 5, 6


def wholes_in(server: RedisServer) -> list[WholeRun]:
    """The runs that the processes made, those that only answered meanwhile left out."""
    runs = RedisRuns(connect(server.url), timedelta(days=1))
    found = []
    for run in runs.runs(SERIES):
        minutes = [*run.observed_minutes, *run.lead_minutes]
        frames = dict(zip(minutes, runs.frames(run.id, minutes), strict=True))
        found.append(WholeRun(run, frames, runs.covered(run.id)))
    return [whole for whole in reversed(found) if not whole.run.interim]


def tells_all(replica: ServiceProcess) -> bool:
    return frames_told(replica) == FRAMES - FIRST


@pytest.mark.slow
def test_counts_equal_an_offline_evaluation(
    service_process: Callable[..., ServiceProcess], redis_server: RedisServer, tmp_path: Path
) -> None:
    ledger, frames = tmp_path / "ledger", storm(FRAMES, END)
    settings = {
        "RAINCELL_REDIS_URL": redis_server.url,
        "RAINCELL_VERIFICATION": str(ledger),
        "RAINCELL_RUN_LEAD_MINUTES": "30",
        "RAINCELL_RUN_MINUTES": "600",
    }
    replicas = [service_process(**settings) for _ in range(2)]
    history = RedisHistory(connect(redis_server.url), RETENTION)
    history.append(FrameSequence(frames.rain_rate[:FIRST], frames.valid_times[:FIRST], SMALL, 5, "RY"))
    runs = RedisRuns(connect(redis_server.url), RETENTION)
    for place in range(FIRST, FRAMES + 1):
        base = frames.valid_times[place - 1]
        wait_until(partial(runs_from, runs, base), f"the run from frame {place}")
        if place == FRAMES:
            break
        history.append(one(frames, place))
        if place == 9:  # whatever it is doing; what it had claimed is done by others in a minute
            replicas[0].process.send_signal(signal.SIGKILL)
            replicas[0].process.wait()
        if place == 11:
            replicas.append(service_process(**settings))
    due = sum(min(LEADS, FRAMES - 1 - place) for place in range(FIRST - 1, FRAMES))
    wait_until(lambda: len(list(read_records(ledger))) == due, f"{due} records", seconds=240)
    assert_same(ledger, evaluate(wholes_in(redis_server), observations(frames)))
    for replica in replicas[1:]:  # each tells the others' work once it has read of it
        wait_until(partial(tells_all, replica), "the tallies of both replicas")


def runs_from(runs: RedisRuns, base: object) -> bool:
    """Whether the run from that time is there."""
    latest = runs.latest(SERIES)
    return latest is not None and latest.reference_time == base and not latest.interim


def frames_told(replica: ServiceProcess) -> int:
    """How many runs a replica says were scored five minutes ahead."""
    answer = httpx.get(f"{replica.url}/verification?product=RY&period=all&lead_minutes=5", timeout=30).json()
    return sum(score["frames"] for score in answer["scores"] if score["model"] == "still/1")


@pytest.mark.slow
def test_a_challenger_is_scored_by_a_real_process(
    service_process: Callable[..., ServiceProcess], redis_server: RedisServer, tmp_path: Path
) -> None:
    ledger, frames, models = tmp_path / "ledger", storm(9, END), write_repository(tmp_path / "models", tiny_card())
    write_version(models, tiny_card(version="2"), offset=0.05, golden_offset=0.05)
    set_challenger(models, "still", "2", END)
    replica = service_process(
        RAINCELL_REDIS_URL=redis_server.url,
        RAINCELL_VERIFICATION=str(ledger),
        RAINCELL_RUN_LEAD_MINUTES="30",
        RAINCELL_MODEL_REPOSITORY=str(models),
    )
    history, runs = RedisHistory(connect(redis_server.url), RETENTION), RedisRuns(connect(redis_server.url), RETENTION)
    beside = RedisUnservedForecasts(connect(redis_server.url))
    history.append(FrameSequence(frames.rain_rate[:FIRST], frames.valid_times[:FIRST], SMALL, 5, "RY"))
    for place in range(FIRST, 10):
        wait_until(partial(runs_from, runs, frames.valid_times[place - 1]), f"the run from frame {place}")
        latest = runs.latest(SERIES)
        assert latest is not None
        wait_until(lambda run_id=latest.id: "still/2" in beside.at(run_id, 5), "the shadow's forecast")  # type: ignore[misc]
        if place < len(frames):
            history.append(one(frames, place))
    wait_until(lambda: len(list(read_records(ledger))) == 4 + 3 + 2 + 1, "all records")
    wholes = wholes_in(redis_server)
    shadows = {}
    for whole in wholes:
        said = {minutes: beside.at(whole.run.id, minutes)["still/2"] for minutes in whole.run.lead_minutes}
        shadows[whole.run.id] = {"still/2": {minutes: decode_one(frame) for minutes, frame in said.items()}}
    assert_same(ledger, evaluate(wholes, observations(frames), shadows))
    answer = httpx.get(f"{replica.url}/verification?product=RY", timeout=30).json()
    assert answer["shadows"] == ["still/2"]
    assert 'raincell_shadow_forecasts_total{outcome="made"} 5.0' in httpx.get(f"{replica.url}/metrics", timeout=30).text
