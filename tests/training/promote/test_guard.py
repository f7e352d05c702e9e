"""The guard on ledgers made by hand: who is promoted, dropped, rolled back, and who waits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.aliases import Aliases, promote, read_aliases, rollback, set_challenger
from models.repository import set_alias, write_json
from radar.errors import ArtifactRejected, InvalidRequest
from radar.ledger.ledger import LedgerWriter, Pair, ScoreRecord, read_pairs
from radar.scores.sums import ScoreSums, sums_of
from radar.system.digest import sha256_of
from tests.exported import exported
from training.__main__ import main
from training.export.export import write_model
from training.fit.checkpoint import load_checkpoint
from training.promote.decisions import read_decisions, record_decision
from training.promote.guard import GuardConfig, guard, judged_gain, live_gain

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONFIG = GuardConfig(hours=2.0)
NAME = "ms-convlstm"


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1, the champion, and 2."""
    network, config, _ = load_checkpoint(exported(NAME, tmp_path_factory).checkpoint)
    models = tmp_path_factory.mktemp("guarded") / "models"
    for version in ("1", "2"):
        folder = models / NAME / version
        folder.mkdir(parents=True)
        write_model(folder / "model.onnx", network, config, version, "")
        write_json(folder / "manifest.json", {"sha256": {"model.onnx": sha256_of(folder / "model.onnx")}})
    set_alias(models, NAME, "champion", "1")
    return models


@pytest.fixture
def repository(two_versions: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_versions, tmp_path / "models")


def scored(hits: int) -> ScoreSums:
    """It rains on ten of a hundred pixels, and a forecast of no false alarms hits some: CSI is hits / 10."""
    observed, forecast = np.zeros((2, 10, 10), np.float32)
    observed[0], forecast[0, :hits] = 2, 2
    return sums_of(forecast, observed, 1.0)


def write_ledger(folder: Path, hits: Mapping[str, int], *, runs: int = 24, since: datetime = NOON) -> None:
    """Runs every five minutes of leads 5 and 10, all alike."""
    writer = LedgerWriter(folder)
    for number in range(runs):
        base = since + timedelta(minutes=5 * number)
        for lead in (5, 10):
            writer.append(
                ScoreRecord(
                    run=f"RY.small.{base:%Y%m%dT%H%MZ}.x.0",
                    product="RY",
                    grid="small",
                    reference_time=base,
                    lead_minutes=lead,
                    served=f"{NAME}/1",
                    method="model",
                    sums={f"{NAME}/{version}": scored(count) for version, count in hits.items()},
                )
            )


def look(repository: Path, ledger: Path, hours: float = 3.0, config: GuardConfig = CONFIG) -> tuple[str, str | None]:
    (decision,) = guard(repository, ledger, NAME, config, NOON + timedelta(hours=hours))
    return decision.act, decision.version


def test_without_challenger_or_probation_there_is_nothing_to_do(repository: Path, tmp_path: Path) -> None:
    assert look(repository, tmp_path / "ledger") == ("nothing to do", None)
    assert list(read_decisions(repository, NAME)) == []


def test_a_better_challenger_is_promoted_after_its_time(repository: Path, tmp_path: Path) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 6})
    assert look(repository, tmp_path / "ledger", hours=1.9) == ("waiting", "2")
    assert read_aliases(repository, NAME).champion == "1"
    assert look(repository, tmp_path / "ledger") == ("promoted", "2")
    now = NOON + timedelta(hours=3)
    assert read_aliases(repository, NAME) == Aliases("2", "1", None, None, now + timedelta(hours=48), now)
    (recorded,) = read_decisions(repository, NAME)
    assert (recorded["by"], recorded["decision"], recorded["version"]) == ("guard", "promoted", "2")
    assert "+0.1000 (+0.1000 to +0.1000) in 24 runs, 12.0 blocks" in recorded["reasons"][0]


@pytest.mark.parametrize("hits", [5, 4])
def test_one_that_is_not_better_is_dropped(repository: Path, tmp_path: Path, hits: int) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": hits})
    assert look(repository, tmp_path / "ledger") == ("dropped", "2")
    assert read_aliases(repository, NAME) == Aliases("1")


def test_one_that_is_better_by_less_than_the_margin_is_dropped(repository: Path, tmp_path: Path) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 6})
    assert look(repository, tmp_path / "ledger", config=GuardConfig(hours=2, margin=0.11)) == ("dropped", "2")


def test_too_few_runs_make_it_wait_but_not_for_ever(repository: Path, tmp_path: Path) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 9}, runs=8)  # four blocks of two
    assert look(repository, tmp_path / "ledger", hours=3.9) == ("waiting", "2")
    assert look(repository, tmp_path / "ledger", hours=4.0) == ("dropped", "2")


def test_scores_from_before_it_was_a_challenger_do_not_count(repository: Path, tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 9}, since=NOON - timedelta(hours=3))
    set_challenger(repository, NAME, "2", NOON)
    assert look(repository, tmp_path / "ledger", hours=4.0) == ("dropped", "2")


def test_without_any_ledger_nothing_is_dropped(repository: Path, tmp_path: Path) -> None:
    set_challenger(repository, NAME, "2", NOON)
    with pytest.raises(InvalidRequest, match="correct --verification"):
        look(repository, tmp_path / "misspelt", hours=1000.0)
    assert read_aliases(repository, NAME).challenger == "2"


def test_a_champion_that_is_worse_than_the_one_before_is_rolled_back(repository: Path, tmp_path: Path) -> None:
    promote(repository, NAME, "2", now=NOON, probation=timedelta(hours=6))
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 4})
    assert look(repository, tmp_path / "ledger") == ("rolled back", "2")
    assert read_aliases(repository, NAME) == Aliases("1", "2", champion_since=NOON + timedelta(hours=3))
    assert look(repository, tmp_path / "ledger") == ("nothing to do", None)


@pytest.mark.parametrize(("hits", "runs"), [(5, 24), (6, 24), (4, 8)])
def test_a_champion_that_is_not_proved_worse_stays(repository: Path, tmp_path: Path, hits: int, runs: int) -> None:
    promote(repository, NAME, "2", now=NOON, probation=timedelta(hours=6))
    write_ledger(tmp_path / "ledger", {"1": 5, "2": hits}, runs=runs)
    assert look(repository, tmp_path / "ledger") == ("waiting", "2")
    assert read_aliases(repository, NAME).champion == "2"


def test_after_its_probation_it_stays(repository: Path, tmp_path: Path) -> None:
    promote(repository, NAME, "2", now=NOON, probation=timedelta(hours=2))
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 1})
    assert look(repository, tmp_path / "ledger", hours=2.0) == ("nothing to do", None)


def test_a_damaged_challenger_is_not_promoted(repository: Path, tmp_path: Path) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 6})
    shutil.copy(repository / NAME / "1" / "model.onnx", repository / NAME / "2" / "model.onnx")
    with pytest.raises(ArtifactRejected):
        look(repository, tmp_path / "ledger")
    assert read_aliases(repository, NAME).champion == "1"
    assert list(read_decisions(repository, NAME)) == []


def test_a_decision_that_a_kill_kept_from_being_done_is_done_and_recorded_once(
    repository: Path, tmp_path: Path
) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 6})
    before = read_aliases(repository, NAME)
    assert look(repository, tmp_path / "ledger") == ("promoted", "2")
    (repository / NAME / "aliases.json").unlink()
    set_alias(repository, NAME, "champion", before.champion)
    set_challenger(repository, NAME, "2", NOON)
    assert look(repository, tmp_path / "ledger") == ("promoted", "2")
    assert len(list(read_decisions(repository, NAME))) == 1


def test_roles_that_were_changed_while_it_decided_stay_as_they_are(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(repository, NAME, "2", now=NOON, probation=timedelta(hours=6))
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 4})
    # An operator rolls back himself while the guard proves the version: a second exchange would undo his.
    monkeypatch.setattr("training.promote.guard.prove", lambda *_: rollback(repository, NAME, NOON))
    with pytest.raises(InvalidRequest, match="changed meanwhile"):
        look(repository, tmp_path / "ledger")
    assert read_aliases(repository, NAME).champion == "1"
    assert list(read_decisions(repository, NAME)) == []


def test_a_challenger_that_came_while_it_decided_on_another_is_not_dropped(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(repository / NAME / "2", repository / NAME / "3")
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 4})

    def read(*found: Any, **asked: Any) -> list[Pair]:
        set_challenger(repository, NAME, "3", NOON + timedelta(hours=3))
        return read_pairs(*found, **asked)

    monkeypatch.setattr("training.promote.guard.read_pairs", read)
    with pytest.raises(InvalidRequest, match="changed meanwhile"):
        look(repository, tmp_path / "ledger")
    assert read_aliases(repository, NAME).challenger == "3"


def test_an_unfinished_line_is_passed_over_and_not_continued(repository: Path) -> None:
    record_decision(repository, NAME, {"id": "one"})
    with (repository / NAME / "decisions.jsonl").open("a") as file:
        file.write('{"id": "tw')
    record_decision(repository, NAME, {"id": "three"})
    assert [known["id"] for known in read_decisions(repository, NAME)] == ["one", "three"]


def paired(hits: list[int], others: list[int]) -> list[Pair]:
    """Runs every five minutes, with hits of two models; a block is two of them."""
    sums = [scored(count) for count in range(11)]
    return [
        Pair("RY", "small", NOON + timedelta(minutes=5 * number), lead, sums[mine], sums[theirs])
        for number, (mine, theirs) in enumerate(zip(hits, others, strict=True))
        for lead in (5, 10)
    ]


def test_a_gain_by_hand() -> None:
    pairs = paired([6] * 8, [4] * 8)
    gain = live_gain(pairs, 1.0)
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.2, 0.2, 0.2))
    assert (gain.runs, gain.blocks) == (8, 4.0)
    assert np.isnan(live_gain([], 1.0).value)
    assert str(live_gain([], 1.0)) == "no run of both"
    assert "(no interval) in 1 runs" in str(live_gain(pairs[:2], 1.0))
    assert "(no interval) in 7 runs" in str(live_gain(pairs[:14], 1.0))
    assert str(live_gain(pairs, 5.0)).startswith("unknown, 8 runs")


def test_between_two_judgements_what_comes_in_changes_nothing() -> None:
    pairs = paired([4] * 20 + [9] * 60, [5] * 80)  # worse at first
    told = {runs: judged_gain(pairs[: 2 * runs], CONFIG) for runs in range(1, 81)}
    assert {runs: gain.runs for runs, gain in told.items()} == {
        **{runs: runs for runs in range(1, 11)},  # five blocks of two
        **dict.fromkeys(range(11, 20), 10),
        **dict.fromkeys(range(20, 40), 20),
        **dict.fromkeys(range(40, 80), 40),
        80: 80,
    }
    assert told[39] == told[20]
    assert told[39].high < 0 < told[40].value
    assert judged_gain([], CONFIG).runs == 0


def test_the_later_a_judgement_the_surer_it_has_to_be() -> None:
    draw = np.random.default_rng(1)
    pairs = paired(list(draw.integers(4, 7, 40)), list(draw.integers(4, 7, 40)))
    for runs, confidence in ((10, 0.975), (20, 0.9875), (40, 0.99375)):
        assert judged_gain(pairs[: 2 * runs], CONFIG) == live_gain(pairs[: 2 * runs], 1.0, confidence)


def test_equals_are_seldom_rolled_back_however_often_one_looks() -> None:
    rolled_back = 0
    for seed in range(100):
        draws = np.random.default_rng(seed).integers(2, 9, (2, 80))
        mine, theirs = np.repeat(draws, 2, axis=1).tolist()  # the two runs of a block see the same rain
        pairs = paired(mine, theirs)
        looks = (judged_gain(pairs[: 2 * runs], CONFIG) for runs in (10, 20, 40, 80, 160))  # others change nothing
        rolled_back += any(gain.high < 0 for gain in looks)
    assert rolled_back <= 6  # 2.5 are to be expected


def test_the_command_looks_once_and_says_what_it_did(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_challenger(repository, NAME, "2", NOON)
    write_ledger(tmp_path / "ledger", {"1": 5, "2": 6})
    there = ["--repository", str(repository), "--verification", str(tmp_path / "ledger"), "--hours", "2"]
    monkeypatch.setattr("sys.argv", ["training", "guard", *there, "--at", "2026-05-01T15:00Z"])
    assert main() == 0
    assert capsys.readouterr().out.startswith(f"{NAME} 2: promoted: CSI at 1 mm/h over 1, the champion: +0.1000")
    monkeypatch.setattr("sys.argv", ["training", "guard", *there, "--threshold", "3"])
    assert main() == 1
    assert "expected a threshold of" in capsys.readouterr().err
