"""A fortnight in minutes: the weather turns, the service says so, and the loop of retraining closes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.aliases import read_aliases
from models.onnx_forecaster import read_card_of
from models.repository import versions_of
from tests.stories.fortnight import NAME, SERIES, World, wait_for, world
from tests.stories.turning_weather import EASTERLIES, FRAMES, WESTERLIES
from training.fit.checkpoint import load_checkpoint, save_checkpoint
from training.fit.loop import fit
from training.promote.decisions import read_decisions
from training.retrain.gate import Evidence, GateConfig, Verdict, judge
from training.retrain.run_folder import RunFolder, runs_of

TURN = 5
"""The day on which the wind turns."""
_PARTS = """
[parts]
newest_days = 4
block_hours = 3
test_share = 0.3
validation_share = 0.1
stride = 1
tile = 48
[data]
symmetries = false
[gate]
latency_ratio = 3.0
"""
_OPTIMISER = """
[optimiser]
iterations = {iterations}
batch = 8
crop = 32
learning_rate = 4e-3
warm_up = {warm_up}
average_decay = 0.95
validate_every = 60
"""
FINE_TUNED = _PARTS + _OPTIMISER.format(iterations=120, warm_up=10)
BARELY_TUNED = _PARTS + _OPTIMISER.format(iterations=1, warm_up=1)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_fortnight(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with world(tmp_path) as there:
        the_champion_has_skill(there)
        the_wind_turns(there)
        learnt = a_better_challenger_is_made(there)
        it_forecasts_in_shadow_and_is_promoted_under_load(there, learnt)
        skill_recovers(there, learnt)
        a_damaged_challenger_is_refused(there, learnt, capsys)
        damaged = it_is_forced_through_the_gate(there, learnt)
        live_skill_rolls_it_back(there, learnt, damaged)
        all_of_it_is_on_record(there, learnt, damaged)


def the_champion_has_skill(there: World) -> None:
    for day in range(1, TURN):
        there.live(day, WESTERLIES)
        assert there.skill("1") > 0.2
        assert not there.drifts()


def the_wind_turns(there: World) -> None:
    there.live(TURN, EASTERLIES)
    assert there.skill("1") < -0.1
    assert there.drifts()
    for day in range(TURN + 1, TURN + 4):
        there.live(day, EASTERLIES)
    assert there.drifts()
    assert there.skill("1", "all") > there.skill("1")  # which still counts the days before


def a_better_challenger_is_made(there: World) -> str:
    assert there.retrain(FINE_TUNED) == 0
    aliases = read_aliases(there.repository, NAME)
    assert (aliases.champion, aliases.previous) == ("1", None)
    assert aliases.challenger_since == there.clock()
    assert aliases.challenger is not None
    gains = {row["over"]: row["low"] for row in gate_of(there)["numbers"]["gains"] if row["threshold"] == 1.0}
    assert gains["champion"] > 0.1
    assert min(gains["persistence"], gains["extrapolation"]) > 0
    there.guard()  # at once it decides nothing
    assert read_aliases(there.repository, NAME) == aliases
    return aliases.challenger


def it_forecasts_in_shadow_and_is_promoted_under_load(there: World, learnt: str) -> None:
    there.live(TURN + 4, EASTERLIES)
    there.guard()  # it has not forecast for long enough
    assert read_aliases(there.repository, NAME).champion == "1"
    there.live(TURN + 5, EASTERLIES)
    verified = there.verified()
    assert (verified["served"], verified["shadows"]) == (f"{NAME}/1", [f"{NAME}/{learnt}"])
    assert there.skill(learnt) > 0 > there.skill("1")
    with there.load() as load:
        wait_for(lambda: load.fewest() >= 3, "answers of the champion")
        there.guard()
        there.wait_until_served(learnt)
        answered = load.fewest()
        wait_for(lambda: load.fewest() >= answered + 3, "answers of the new one")
    assert set(load.statuses) == {200}
    for versions in load.versions:
        assert set(versions) == {"1", learnt}
        assert versions == sorted(versions, key=["1", learnt].index)  # never back again
    aliases = read_aliases(there.repository, NAME)
    assert (aliases.champion, aliases.previous, aliases.challenger) == (learnt, "1", None)
    assert aliases.probation_until is not None


def skill_recovers(there: World, learnt: str) -> None:
    there.live(TURN + 6, EASTERLIES)
    assert not there.drifts()
    assert there.skill(learnt) > 0 > there.skill("1")  # the former champion is its shadow on probation
    there.guard()
    assert read_aliases(there.repository, NAME).champion == learnt


def a_damaged_challenger_is_refused(there: World, learnt: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = versions_of(there.repository, NAME)
    with damaged_training():
        assert there.retrain(BARELY_TUNED) == 3
    assert "| NO | better than the champion | csi at 1 mm/h gains -" in capsys.readouterr().out
    failed = {rule["name"] for rule in gate_of(there)["rules"] if not rule["holds"]}
    assert {"better than the champion", "better than persistence", "better than extrapolation"} <= failed
    assert not {"golden check", "parity check", "enough starts"} & failed
    assert versions_of(there.repository, NAME) == before == ["1", learnt]
    assert read_aliases(there.repository, NAME).champion == learnt


def it_is_forced_through_the_gate(there: World, learnt: str) -> str:
    there.live(TURN + 7, EASTERLIES)
    with damaged_training() as patch:
        patch.setattr("training.retrain.examine.judge", all_rules_hold)
        assert there.retrain('accept = "promote"\nprobation_hours = 72' + BARELY_TUNED) == 0
    aliases = read_aliases(there.repository, NAME)
    assert aliases.previous == learnt
    there.wait_until_served(aliases.champion)
    return aliases.champion


@contextmanager
def damaged_training() -> Iterator[pytest.MonkeyPatch]:
    """What comes out of training has its head turned round: where rain decays, it lets rain grow twice as fast."""

    def fit_and_damage(*arguments: Any, **settings: Any) -> Path:
        path = fit(*arguments, **settings)
        network, config, notes = load_checkpoint(path)
        with torch.no_grad():
            for weights in network.head.parameters():
                weights.mul_(-2)
        save_checkpoint(path, network, config, notes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.retrain.retrain.fit", fit_and_damage)
        yield patch


def all_rules_hold(evidence: Evidence, config: GateConfig) -> Verdict:
    found = judge(evidence, config)
    return replace(found, rules=tuple(replace(rule, holds=True) for rule in found.rules))


def live_skill_rolls_it_back(there: World, learnt: str, damaged: str) -> None:
    there.live(TURN + 8, EASTERLIES)
    assert there.verified()["served"] == f"{NAME}/{damaged}"
    assert there.skill(damaged) < 0 < there.skill(learnt)
    assert there.drifts()
    there.guard()  # by five blocks of runs alone it is not sure
    there.live(TURN + 9, EASTERLIES)
    there.guard()
    aliases = read_aliases(there.repository, NAME)
    assert (aliases.champion, aliases.previous, aliases.probation_until) == (learnt, damaged, None)
    there.wait_until_served(learnt)
    there.live(TURN + 10, EASTERLIES)
    assert there.verified()["served"] == f"{NAME}/{learnt}"
    assert there.skill(learnt) > 0
    assert not there.drifts()


def all_of_it_is_on_record(there: World, learnt: str, damaged: str) -> None:
    told = [(line["by"], line["decision"], line["version"]) for line in read_decisions(there.repository, NAME)]
    (_, refused, _) = runs(there)
    assert told == [
        ("retrain", "challenger", learnt),
        ("guard", "promoted", learnt),
        ("retrain", "kept", refused.version),
        ("retrain", "promoted", damaged),
        ("guard", "rolled back", damaged),
    ]
    lineage = read_card_of(there.repository / NAME / learnt / "model.onnx").lineage
    assert lineage.parent == f"{NAME}/1"
    whole = there.verified("all")
    assert {f"{NAME}/{version}" for version in ("1", learnt, damaged)} <= {score["model"] for score in whole["scores"]}
    assert (whole["since"][:10], whole["until"][:10]) == ("2026-05-01", "2026-05-15")
    assert there.verified("7d")["since"][:10] == "2026-05-08"
    assert len(there.service.history.times(SERIES).value) == FRAMES  # of the last six hours


def runs(there: World) -> list[RunFolder]:
    return runs_of(there.repository / NAME / "retraining")


def gate_of(there: World) -> dict[str, Any]:
    """Of the newest retraining."""
    gate = runs(there)[-1].read("gate")
    assert gate is not None
    return gate
