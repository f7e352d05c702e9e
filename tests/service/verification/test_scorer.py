"""Every lead time of every run is scored once, whoever does it and whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models.baselines import BASELINES
from models.onnx_forecaster import load_forecaster
from radar.errors import StoreUnavailable
from radar.ledger.ledger import EXTRAPOLATION, PERSISTENCE, STAND_IN, Key, read_records, read_scores
from radar.scores.sums import LIVE
from radar.scores.table import COUNTS, ERRORS, FRACTIONS
from radar.sequence import Float32, FrameSequence, times_after
from service.forecasting.catalogue import Catalogue, load_catalogue
from service.history.codec import decode_one, encode
from service.history.redis.references import RedisReferences
from service.redis.client import connect
from service.runs.run import WholeRun
from service.verification import scorer as scorer_module
from service.verification.collect import compare
from tests.models.test_baselines import Dry
from tests.service.conftest import SMALL, RedisServer, tiny_card, write_repository, write_version
from tests.service.runs_made import END
from tests.service.verification.offline import Evaluated, evaluate
from tests.service.verification.replicas import SERIES, Replica, make_replica, one, storm

LOAD = partial(load_forecaster, provider="cpu")
MODEL = "still/1"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion that says that it goes on raining, and one that may challenge it."""
    folder = write_repository(tmp_path_factory.mktemp("models"), tiny_card())
    write_version(folder, tiny_card(version="2"))
    return folder


@pytest.fixture(scope="module")
def catalogue(models: Path) -> Catalogue:
    return load_catalogue(models, LOAD)


@pytest.fixture
def replica_on(catalogue: Catalogue, models: Path, tmp_path: Path) -> Callable[..., Replica]:
    return partial(make_replica, catalogue, tmp_path / "ledger", repository=models, load=LOAD)


def play(replica: Replica, frames: FrameSequence, *, score: bool = True) -> list[WholeRun]:
    """Give a replica the frames one after the other, from the sixth on; the runs that it made."""
    first = 5
    replica.history.append(FrameSequence(frames.rain_rate[:first], frames.valid_times[:first], SMALL, 5, "RY"))
    made = [replica.make_run()]
    for place in range(first, len(frames)):
        replica.history.append(one(frames, place))
        made.append(replica.make_run())
        if score:
            replica.scorer.look()
    return [whole for whole in made if whole]


def observations(frames: FrameSequence) -> dict[datetime, Float32]:
    """The frames as the history keeps them, by time."""
    return {frame.valid_time: decode_one(frame) for frame in encode(frames)}


def assert_same(found: Path, expected: Evaluated) -> None:
    """Counts exactly, sums within 1e-9."""
    totals = read_scores(found)
    assert totals.keys() == expected.keys()
    for key, sums in totals.items():
        wanted = LIVE.part(COUNTS, np.array(expected[key]))
        np.testing.assert_array_equal(LIVE.part(COUNTS, sums.values), wanted, err_msg=str(key))
        np.testing.assert_allclose(sums.values, expected[key], rtol=1e-9, atol=1e-9, err_msg=str(key))


def test_as_an_offline_evaluation_says(replica_on: Callable[..., Replica], tmp_path: Path) -> None:
    replica, frames = replica_on(), storm(14, END)
    made = play(replica, frames)
    assert len(made) == 10
    assert replica.outcomes.count("scored") == 6 * 4 + 5 + 4 + 3 + 2 + 1
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames)))
    assert {record.method for record in read_records(tmp_path / "ledger")} == {"model"}


def test_the_same_with_two_replicas_and_a_restart(
    replica_on: Callable[..., Replica], redis_server: RedisServer, tmp_path: Path
) -> None:
    frames = storm(16, END)
    replicas = [replica_on(url=redis_server.url) for _ in range(2)]
    replicas[0].history.append(FrameSequence(frames.rain_rate[:5], frames.valid_times[:5], SMALL, 5, "RY"))
    made = [replicas[0].make_run()]
    for place in range(5, 16):
        if place == 10:
            replicas[0] = replica_on(url=redis_server.url)  # what it knew is gone; frames come, nothing is scored
        replicas[place % 2].history.append(one(frames, place))
        made.append(replicas[place % 2].make_run())
        if place not in (9, 10):
            together([replica.scorer.look for replica in replicas])
    together([replica.scorer.look for replica in replicas])
    wholes = [whole for whole in made if whole]
    assert len(wholes) == 12
    assert_same(tmp_path / "ledger", evaluate(wholes, observations(frames)))
    assert len(list((tmp_path / "ledger").iterdir())) >= 2


def test_without_any_claim_records_count_once_all_the_same(
    replica_on: Callable[..., Replica], redis_server: RedisServer, tmp_path: Path
) -> None:
    class Everybody:
        def claim(self, name: str, seconds: float = 0) -> bool:
            return True

        def keep(self, name: str, seconds: float = 0) -> None:
            pass

        release = keep

    frames = storm(9, END)
    replicas = [replica_on(url=redis_server.url) for _ in range(3)]
    for replica in replicas:
        replica.scorer._leases = Everybody()
    made = play(replicas[0], frames, score=False)
    together([replica.scorer.look for replica in replicas])
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames)))


def test_dwds_forecast_is_scored_beside_it(
    replica_on: Callable[..., Replica], redis_server: RedisServer, tmp_path: Path
) -> None:
    frames, references = storm(9, END), RedisReferences(connect(redis_server.url))
    start = frames.valid_times[4]
    rain = storm(11, END, seed=8).rain_rate[-6:]
    forecast = FrameSequence(rain, times_after(start, 6, 5), SMALL, 5, "RY", reference_time=start)
    references.put(forecast)
    replica = replica_on(url=redis_server.url)
    made = play(replica, frames)
    kept = references.get(SERIES, start)
    assert kept is not None
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames), dwd={start: kept}))
    assert read_scores(tmp_path / "ledger")[Key(*SERIES, "dwd-rv", 5)].frames == 1


def test_a_correction_before_counts_and_one_after_does_not(replica_on: Callable[..., Replica], tmp_path: Path) -> None:
    replica, frames = replica_on(), storm(7, END)
    made = play(replica, FrameSequence(frames.rain_rate[:6], frames.valid_times[:6], SMALL, 5, "RY"))
    before = read_scores(tmp_path / "ledger")
    other = storm(7, END, seed=9)
    replica.history.append(one(other, 5))  # corrects a frame that was scored against
    again = replica.make_run()
    replica.scorer.look()
    assert read_scores(tmp_path / "ledger").keys() == before.keys()
    replica.history.append(one(frames, 6))
    replica.scorer.look()
    # The run from the corrected frame takes the place of the one from the first.
    assert again is not None
    assert [record.run for record in read_records(tmp_path / "ledger") if record.lead_minutes == 5][-1] == again.run.id
    corrected = [whole for whole in made if whole.run.reference_time != again.run.reference_time] + [again]
    observed = observations(frames)
    assert_same(tmp_path / "ledger", evaluate(corrected, observed))


def test_what_stood_in_for_a_model_is_not_scored_as_the_model(
    replica_on: Callable[..., Replica], tmp_path: Path
) -> None:
    replica, frames = replica_on(), storm(4, END)
    replica.history.append(FrameSequence(frames.rain_rate[:3], frames.valid_times[:3], SMALL, 5, "RY"))
    replica.make_run()
    replica.history.append(one(frames, 3))
    replica.scorer.look()
    (record,) = read_records(tmp_path / "ledger")
    assert (record.served, record.method) == (STAND_IN, "sprog-cdf")
    assert set(record.sums) == {STAND_IN, PERSISTENCE, EXTRAPOLATION, "sprog-cdf", "sprog-mean"}
    served, moved = (record.sums[name].values for name in (STAND_IN, "sprog-cdf"))
    for statistic in (COUNTS, ERRORS, FRACTIONS):
        np.testing.assert_array_equal(LIVE.part(statistic, served), LIVE.part(statistic, moved))


def test_a_new_baseline_is_scored_beside_every_run(
    replica_on: Callable[..., Replica], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BASELINES, "dry", Dry())
    play(replica_on(), storm(7, END))
    records = list(read_records(tmp_path / "ledger"))
    assert records
    for record in records:
        assert set(record.sums) == {MODEL, PERSISTENCE, EXTRAPOLATION, "sprog-cdf", "sprog-mean", "dry"}
        assert record.sums["dry"].counts(0.1)[0] == 0  # no hit
        assert record.sums["dry"].pixels == record.sums[MODEL].pixels


def test_a_single_frame_has_no_extrapolation(replica_on: Callable[..., Replica], tmp_path: Path) -> None:
    replica, frames = replica_on(), storm(2, END)
    replica.history.append(one(frames, 0))
    replica.make_run()
    replica.history.append(one(frames, 1))
    replica.scorer.look()
    (record,) = read_records(tmp_path / "ledger")
    assert set(record.sums) == {STAND_IN, PERSISTENCE}


def test_frames_without_data_are_no_score_and_not_looked_at_again(
    replica_on: Callable[..., Replica], tmp_path: Path
) -> None:
    replica, frames = replica_on(), storm(6, END)
    replica.history.append(FrameSequence(frames.rain_rate[:5], frames.valid_times[:5], SMALL, 5, "RY"))
    replica.make_run()
    nothing = np.full((1, *SMALL.shape), np.nan, np.float32)
    replica.history.append(FrameSequence(nothing, frames.valid_times[5:], SMALL, 5, "RY"))
    assert replica.scorer.look() == 1
    assert replica.scorer.look() == 0
    (record,) = read_records(tmp_path / "ledger")
    assert record.sums == {}


def test_a_piece_that_fails_is_counted_and_the_rest_goes_on(
    replica_on: Callable[..., Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = replica_on()
    play(replica, storm(8, END), score=False)
    calls: list[object] = []

    def failing(*rest: object) -> object:
        calls.append(rest)
        if len(calls) == 2:
            raise ValueError("on purpose")
        return compare(*rest)  # type: ignore[arg-type]

    monkeypatch.setattr(scorer_module, "compare", failing)
    assert replica.scorer.look() == 5
    assert replica.outcomes.count("failed") == 1
    assert replica.scorer.look() == 0  # not at once
    monkeypatch.setattr(scorer_module, "LEASE_SECONDS", 0.0)
    replica.scorer._later.clear()
    assert replica.scorer.look() == 0  # its claim has not expired yet
    replica.scorer._later.clear()
    replica.leases.release(f"{oldest_run(replica)}:10")
    assert replica.scorer.look() == 1


def oldest_run(replica: Replica) -> str:
    return replica.runs.runs(SERIES)[-1].id


def test_a_store_that_is_away_is_told_and_nothing_is_lost(
    replica_on: Callable[..., Replica], redis_server: RedisServer, tmp_path: Path
) -> None:
    frames = storm(8, END)
    made = play(replica_on(url=redis_server.url), frames, score=False)
    late = replica_on(url=redis_server.url)
    redis_server.pause()
    try:
        with pytest.raises(StoreUnavailable):
            late.scorer.look()
    finally:
        redis_server.resume()
    replica_on(url=redis_server.url).scorer.look()
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames)))


def test_a_ledger_that_cannot_be_written_is_told_and_tried_again(
    replica_on: Callable[..., Replica], tmp_path: Path
) -> None:
    replica, frames = replica_on(), storm(7, END)
    made = play(replica, frames, score=False)
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(OSError, match="ledger"):
        replica.scorer.look()
    (tmp_path / "ledger").unlink()
    assert replica.scorer.look() == 3
    assert_same(tmp_path / "ledger", evaluate(made, observations(frames)))


def test_only_what_changed_is_looked_at_unless_thorough(replica_on: Callable[..., Replica]) -> None:
    replica = replica_on()
    play(replica, storm(7, END))
    asked: list[object] = []
    replica.scorer._sources.runs.runs = lambda series: asked.append(series) or []  # type: ignore[method-assign, func-returns-value]
    replica.scorer.look(thorough=False)
    assert asked == []
    replica.scorer.look()
    assert asked == [SERIES]


def test_it_gives_way_to_forecasts_for_a_while(
    replica_on: Callable[..., Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer_module, "PATIENCE_SECONDS", 0.1)
    replica = replica_on()
    busy: list[int] = []

    def always() -> bool:
        busy.append(1)
        return True

    replica.scorer._busy = always
    play(replica, storm(6, END))
    assert len(busy) >= 2
    assert replica.outcomes == ["scored"]
    replica.scorer.stop()
    replica.history.append(one(storm(1, END + timedelta(minutes=5)), 0))
    assert replica.scorer.look() == 0


def together(works: list[Callable[[], object]]) -> None:
    """At the same time, as replicas do."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
