"""The gate by hand: sums of a few starts, and which rules hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.scores.table import BALANCED, COUNTS, ERRORS, UNIT_ERRORS
from training.retrain.gate import CHALLENGER, CHAMPION, Evidence, GateConfig, Verdict, judge

MEASURE = Measure((1.0, 5.0), (10.0,))
CONFIG = GateConfig()
STARTS = 10


def sums(hits: float, misses: float, heavy: tuple[float, float] = (4.0, 4.0), absolute: float = 50.0) -> Float64:
    """Ten starts alike, one lead: hits and misses of 1 mm/h, and of 5 mm/h; 100 pixels that err by `absolute`."""
    light, rare = (hits, 0.0, misses, 100 - hits - misses), (heavy[0], 0.0, heavy[1], 100 - sum(heavy))
    errors = (absolute, absolute, 100.0)
    start = np.ones(MEASURE.size)
    MEASURE.put(COUNTS, [light, rare], start)
    for statistic in (ERRORS, UNIT_ERRORS, BALANCED):
        MEASURE.put(statistic, errors, start)
    return np.tile(start, (STARTS, 1, 1))


def evidence(challenger: Float64, champion: Float64 | None = None, **changes: object) -> Evidence:
    others = {"persistence": sums(4, 6), "extrapolation": sums(5, 5)}
    made = Evidence(
        sums={CHALLENGER: challenger, CHAMPION: sums(6, 4) if champion is None else champion, **others},
        measure=MEASURE,
        block=2,
        seconds={CHALLENGER: 1.1, CHAMPION: 1.0},
        checks={"parity": None, "golden": None},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def broken(verdict: Verdict) -> list[str]:
    return [rule.name for rule in verdict.rules if not rule.holds]


def test_a_better_challenger_passes_and_the_numbers_are_those_of_a_hand() -> None:
    verdict = judge(evidence(sums(7, 3)), CONFIG)
    assert verdict.passed
    values = {(row["model"], row["threshold"]): row["value"] for row in verdict.numbers["values"]}
    assert values[CHALLENGER, 1.0] == pytest.approx(0.7)  # 7 hits of 10 events, none false
    assert values[CHAMPION, 1.0] == pytest.approx(0.6)
    assert values[CHALLENGER, 5.0] == pytest.approx(0.5)
    gains = {(row["over"], row["threshold"]): row for row in verdict.numbers["gains"]}
    # All starts are alike, so every resample says the same.
    assert [gains[CHAMPION, 1.0][key] for key in ("value", "low", "high")] == pytest.approx([0.1] * 3)
    assert gains["extrapolation", 1.0]["value"] == pytest.approx(0.2)
    assert {rule.name for rule in verdict.rules} == {
        "parity check",
        "golden check",
        "enough starts",
        "better than the champion",
        "not worse in heavy rain",
        "better than persistence",
        "better than extrapolation",
        "not slower",
    }


@pytest.mark.parametrize(
    ("challenger", "rules"),
    [
        (sums(6, 4), ["better than the champion"]),
        (sums(5, 5), ["better than the champion", "better than extrapolation"]),
        (sums(7, 3, heavy=(4, 6)), ["not worse in heavy rain"]),  # 0.4 beside 0.5
        (sums(7, 3, heavy=(0, 0)), ["not worse in heavy rain"]),  # nothing to tell by
    ],
)
def test_each_rule_is_broken_by_its_own_fault(challenger: Float64, rules: list[str]) -> None:
    assert broken(judge(evidence(challenger), CONFIG)) == rules


def test_heavy_rain_may_be_worse_by_the_margin() -> None:
    worse = evidence(sums(7, 3, heavy=(49, 51)), sums(6, 4, heavy=(50, 50)))
    assert judge(worse, GateConfig(heavy_margin=0.0101)).passed
    assert broken(judge(worse, GateConfig(heavy_margin=0.0099))) == ["not worse in heavy rain"]


def test_a_gain_that_only_some_starts_have_is_not_proof() -> None:
    """One start of ten is better: there are resamples without it."""
    challenger = sums(6, 4)
    MEASURE.put(COUNTS, [(10, 0, 0, 90), (4, 0, 4, 92)], challenger[3, 0])
    verdict = judge(evidence(challenger), CONFIG)
    (gain,) = (row for row in verdict.numbers["gains"] if (row["over"], row["threshold"]) == (CHAMPION, 1.0))
    assert gain["value"] == pytest.approx(0.04)  # 64 hits of 100 beside 60
    assert gain["low"] == 0.0
    assert broken(verdict) == ["better than the champion"]


def test_only_the_named_baselines_have_to_be_beaten() -> None:
    as_extrapolation = evidence(sums(5, 5), sums(4, 6))
    assert broken(judge(as_extrapolation, CONFIG)) == ["better than extrapolation"]
    assert judge(as_extrapolation, GateConfig(must_beat=("persistence",))).passed


def test_too_few_starts_prove_nothing() -> None:
    assert broken(judge(evidence(sums(7, 3), block=3), CONFIG)) == ["enough starts"]
    alone = judge(evidence(sums(7, 3), block=6), CONFIG)
    assert broken(alone) == ["enough starts", "better than the champion"]  # there is no interval at all
    assert "no interval" in next(rule.says for rule in alone.rules if rule.name == "better than the champion")


def test_of_errors_the_lower_is_better() -> None:
    mae = GateConfig(score="mae")
    assert judge(evidence(sums(5, 5, absolute=40), sums(5, 5, absolute=49)), mae).passed
    assert "better than the champion" in broken(judge(evidence(sums(5, 5, absolute=60), sums(5, 5)), mae))
    gain = judge(evidence(sums(5, 5, absolute=40), sums(5, 5, absolute=49)), mae).numbers["gains"][0]
    assert gain["value"] == gain["low"] == pytest.approx(0.09)  # mm/h


def test_slow_and_unsound_challengers_are_refused() -> None:
    slow = evidence(sums(7, 3), seconds={CHALLENGER: 1.3, CHAMPION: 1.0})
    assert broken(judge(slow, CONFIG)) == ["not slower"]
    unsound = judge(evidence(sums(7, 3), checks={"parity": "differs by 1", "golden": None}), CONFIG)
    assert broken(unsound) == ["parity check"]
    assert unsound.rules[0].says == "differs by 1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": "bias"},
        {"score": "luck"},
        {"latency_ratio": 0.0},
        {"heavy_margin": -1.0},
        {"fewest_blocks": 1.0},
        {"must_beat": ("luck",)},
    ],
)
def test_a_gate_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        GateConfig(**wrong)  # type: ignore[arg-type]
