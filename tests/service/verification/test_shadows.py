"""Shadow models forecast beside the champion, are scored as it is, and never harm it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models.aliases import drop_challenger, promote, rollback, set_challenger
from models.onnx_forecaster import load_forecaster
from radar.ledger.ledger import PERSISTENCE, read_scores
from radar.sequence import FrameSequence, times_after
from service.forecasting.catalogue import load_catalogue
from service.history.codec import decode_one
from service.verification import shadows as shadows_module
from tests.service.conftest import SMALL, RedisServer, tiny_card, write_repository, write_version
from tests.service.runs_made import END
from tests.service.verification.offline import evaluate
from tests.service.verification.replicas import NOW, SERIES, Replica, make_replica, one, storm
from tests.service.verification.test_scorer import assert_same, observations, play

LOAD = partial(load_forecaster, provider="cpu")
CHAMPION, CHALLENGER = "still/1", "still/2"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A champion, and one that always says a little more rain."""
    folder = write_repository(tmp_path / "models", tiny_card())
    write_version(folder, tiny_card(version="2"), offset=0.05, golden_offset=0.05)
    return folder


@pytest.fixture
def replica_on(models: Path, tmp_path: Path) -> Callable[..., Replica]:
    catalogue = load_catalogue(models, LOAD)
    return partial(make_replica, catalogue, tmp_path / "ledger", repository=models, load=LOAD)


def start(replica: Replica) -> FrameSequence:
    """The frames, of which the first five are there."""
    frames = storm(9, END)
    replica.history.append(FrameSequence(frames.rain_rate[:5], frames.valid_times[:5], SMALL, 5, "RY"))
    return frames


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_a_challenger_is_scored_beside_the_champion(
    store: str, replica_on: Callable[..., Replica], models: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    set_challenger(models, "still", "2", NOW)
    server: RedisServer | None = request.getfixturevalue("redis_server") if store == "redis" else None
    replica = replica_on(url=server.url) if server else replica_on()
    frames = storm(9, END)
    made = play(replica, frames)
    beside = {
        whole.run.id: {
            CHALLENGER: {
                minutes: decode_one(replica.unserved.at(whole.run.id, minutes)[CHALLENGER])
                for minutes in whole.run.lead_minutes
            }
        }
        for whole in made
    }
    assert replica.outcomes.count("made") == 5
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames), beside))
    totals = {key.model: sums for key, sums in read_scores(tmp_path / "ledger").items() if key.lead_minutes == 5}
    assert {CHAMPION, CHALLENGER, PERSISTENCE} <= set(totals)
    assert totals[CHAMPION].pixels == totals[CHALLENGER].pixels
    said = replica.runs.frames(made[0].run.id, [5])[0]  # what is served is the champion's alone
    assert not np.array_equal(decode_one(said), beside[made[0].run.id][CHALLENGER][5], equal_nan=True)


def test_the_roles_say_who_is_a_shadow(replica_on: Callable[..., Replica], models: Path) -> None:
    replica = replica_on(now=NOW)

    def references() -> list[str]:
        replica.shadows.look()
        return replica.shadows.references

    assert references() == []
    set_challenger(models, "still", "2", NOW)
    assert references() == [CHALLENGER]
    drop_challenger(models, "still")
    assert references() == []
    set_challenger(models, "still", "2", NOW)
    promote(models, "still", now=NOW, probation=timedelta(hours=1))
    # The service serves version 1 until its watch has loaded the new champion; then the former is the shadow.
    replica.shadows._catalogue = load_catalogue(models, LOAD)
    assert references() == [CHAMPION]
    later = replica_on(now=NOW + timedelta(hours=2))
    later.shadows._catalogue = replica.shadows._catalogue
    later.shadows.look()
    assert later.shadows.references == []
    rollback(models, "still")
    replica.shadows._catalogue = load_catalogue(models, LOAD)
    assert references() == []


def test_while_the_aliases_cannot_be_read_shadows_stay(
    replica_on: Callable[..., Replica], models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    set_challenger(models, "still", "2", NOW)
    replica = replica_on(now=NOW)
    replica.shadows.look()
    aliases = models / "still" / "aliases.json"
    sound = aliases.read_bytes()
    aliases.write_bytes(sound[:20])
    replica.shadows.look()
    assert replica.shadows.references == [CHALLENGER]
    assert "shadows of still stay as they are" in caplog.text
    aliases.write_bytes(sound)
    drop_challenger(models, "still")
    replica.shadows.look()
    assert replica.shadows.references == []


def test_a_shadow_that_cannot_be_loaded_is_told_and_tried_again_when_it_changes(
    replica_on: Callable[..., Replica], models: Path
) -> None:
    set_challenger(models, "still", "2", NOW)
    file = models / "still" / "2" / "model.onnx"
    sound = file.read_bytes()
    file.write_bytes(sound[:-10])
    replica = replica_on()
    loads: list[Path] = []
    load = replica.shadows._load
    replica.shadows._load = lambda path: loads.append(path) or load(path)  # type: ignore[func-returns-value]
    for _ in range(2):
        replica.shadows.look()
    assert replica.shadows.references == []
    assert "sha256" in replica.shadows.refused[CHALLENGER]
    file.write_bytes(sound)
    replica.shadows.look()
    assert (replica.shadows.references, replica.shadows.refused, len(loads)) == ([CHALLENGER], {}, 1)


def test_a_shadow_that_fails_harms_nobody(
    replica_on: Callable[..., Replica], models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("on purpose")

    set_challenger(models, "still", "2", NOW)
    monkeypatch.setattr(shadows_module, "_forecast", fail)
    replica, frames = replica_on(), storm(7, END)
    made = play(replica, frames)
    assert replica.outcomes.count("failed") == 3
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames)))


def test_a_shadow_waits_for_an_idle_worker_and_then_gives_up(
    replica_on: Callable[..., Replica], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows_module, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(shadows_module, "_PAUSE_SECONDS", 0.01)
    set_challenger(models, "still", "2", NOW)
    replica = replica_on()
    start(replica)
    whole = replica.make_run()
    assert whole is not None
    assert replica.outcomes == ["made"]

    async def while_busy() -> None:
        with replica.shadows._worker.admitted():
            await replica.shadows.forecast_beside(whole)

    asyncio.run(while_busy())
    assert replica.outcomes == ["made", "late"]


@pytest.mark.parametrize(("frames", "timestep_minutes"), [(1, 5), (5, 10)])
def test_beside_a_stand_in_for_the_champion_shadows_are_skipped(
    frames: int, timestep_minutes: int, replica_on: Callable[..., Replica], models: Path
) -> None:
    """Too few frames, and frames that the champion is not made for."""
    set_challenger(models, "still", "2", NOW)
    replica = replica_on()
    rain = storm(frames, END).rain_rate
    times = times_after(END, frames, timestep_minutes)
    product = "RY" if timestep_minutes == 5 else "MINE"
    replica.history.append(FrameSequence(rain, times, SMALL, timestep_minutes, product))
    whole = replica.make_run()
    assert whole is not None
    assert whole.run.method != "model"
    assert replica.outcomes == ["skipped"]
    assert CHALLENGER not in replica.unserved.at(whole.run.id, whole.run.lead_minutes[0])


def test_the_newest_run_goes_first(replica_on: Callable[..., Replica], models: Path) -> None:
    set_challenger(models, "still", "2", NOW)
    replica = replica_on()
    frames = start(replica)
    first = replica.make_run()
    replica.history.append(one(frames, 5))
    second = replica.make_run()
    assert first is not None
    assert second is not None
    replica.outcomes.clear()

    async def follow_both() -> None:
        running = asyncio.create_task(replica.shadows.run())
        replica.shadows.follow(first)
        replica.shadows.follow(second)
        deadline = asyncio.get_running_loop().time() + 30
        while len(replica.outcomes) < 2 and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(follow_both())
    assert replica.outcomes == ["late", "made"]
    assert replica.runs.latest_now(SERIES).value == second.run
