"""The gate: whether a challenger may replace the champion. A pure function of sums of scores, without actions.

All rules have to hold. A rule that cannot be evaluated does not hold: with too few starts, or without such rain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from models.baselines import beside_every_model
from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.scores.table import kept_in
from training.config.tables import ABOVE_0, FROM_0, Range, check_ranges
from training.evaluate.sampled import Sampled, sample
from training.evaluate.table import null_if_nan

CHALLENGER, CHAMPION = "challenger", "champion"
_BEST = {score.name: score.best for score in kept_in("evaluation") if not score.distributions_only}
SCORES = tuple(name for name, best in _BEST.items() if best != "near 1")
"""The scores that can decide."""


@dataclass(frozen=True)
class GateConfig:
    """The requirements for a challenger on the test part."""

    score: str = "csi"
    """One of `SCORES`: means over the lead times are compared."""
    threshold: float = 1.0
    """mm/h, for scores with a threshold."""
    heavy_threshold: float = 5.0
    """mm/h, the threshold of heavy rain."""
    heavy_margin: float = 0.01
    """How much worse the score may be in heavy rain."""
    latency_ratio: float = 1.25
    """The largest ratio of the challenger's to the champion's forecast time."""
    fewest_blocks: float = 5.0
    """Independent blocks of starts below which an interval is too rough to prove anything."""
    must_beat: tuple[str, ...] = ("persistence", "extrapolation")
    """Baselines that it has to be better than; the others are scored beside it."""

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise ValueError(f"expected score to be one of {', '.join(SCORES)}, got {self.score!r}; choose one")
        check_ranges(self, threshold=ABOVE_0, heavy_threshold=ABOVE_0, heavy_margin=FROM_0, latency_ratio=ABOVE_0)
        check_ranges(self, fewest_blocks=Range(2))
        scored = [baseline.name for baseline in beside_every_model()]
        unknown = sorted(set(self.must_beat) - set(scored))
        if unknown:
            raise ValueError(f"expected must_beat to name some of {', '.join(scored)}, got {', '.join(unknown)}")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Both, rising."""
        return tuple(sorted({self.threshold, self.heavy_threshold}))


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence about a challenger.

    Parameters
    ----------
    sums : mapping
        (starts, leads, sums), laid out by `measure`, of `CHALLENGER`, `CHAMPION` and each baseline by its name, on the
        same pixels.
    measure : Measure
    block : int
        The number of consecutive starts that are resampled together.
    seconds : mapping
        Time of one forecast of `CHALLENGER` and `CHAMPION`, on the same machine at the same time.
    checks : mapping
        By name ("golden", "parity"): None if it passed, else the fault.
    """

    sums: Mapping[str, Float64]
    measure: Measure
    block: int
    seconds: Mapping[str, float]
    checks: Mapping[str, str | None]


@dataclass(frozen=True)
class Gain:
    """A gain, and its 95 % interval; NaN if unknown."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rule:
    """One rule, whether it holds, and a sentence with its numbers."""

    name: str
    holds: bool
    says: str


@dataclass(frozen=True)
class Verdict:
    """Every rule, and the numbers behind the rules as JSON values."""

    rules: tuple[Rule, ...]
    numbers: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether all rules hold."""
        return all(rule.holds for rule in self.rules)


def judge(evidence: Evidence, config: GateConfig) -> Verdict:
    """Whether the challenger may replace the champion."""
    sampled = {name: sample(sums, evidence.measure, evidence.block) for name, sums in evidence.sums.items()}
    judged = _Judged(sampled, evidence, config)
    baselines = [name for name in sampled if name not in (CHALLENGER, CHAMPION)]
    rules = (
        *(_check(name, wrong) for name, wrong in evidence.checks.items()),
        judged.enough(),
        judged.better(),
        judged.heavy(),
        *(judged.beats(name) for name in config.must_beat),
        _fast(evidence.seconds, config),
    )
    return Verdict(rules, judged.numbers(baselines))


class _Judged:
    """The challenger's scores compared with the others'."""

    def __init__(self, sampled: Mapping[str, Sampled], evidence: Evidence, config: GateConfig) -> None:
        self._sampled, self._config = sampled, config
        self._means = {name: one.over_leads() for name, one in sampled.items()}
        self._at = {threshold: index for index, threshold in enumerate(evidence.measure.thresholds)}
        self._starts, self._block = len(evidence.sums[CHALLENGER]), evidence.block
        self._sign = 1.0 if _BEST[config.score] == "highest" else -1.0

    def value(self, name: str, threshold: float) -> float:
        return float(self._means[name].scores[self._config.score][self._at[threshold]])

    def gain(self, over: str, threshold: float) -> Gain:
        """The challenger's gain at the leads where both have a score; positive is better for every score."""
        difference = self._sampled[CHALLENGER].minus(self._sampled[over]).over_leads()
        at, score = self._at[threshold], self._config.score
        low, high = (float(bound[at]) for bound in difference.intervals()[score])
        low, high = (low, high) if self._sign > 0 else (-high, -low)
        return Gain(self._sign * float(difference.scores[score][at]), low, high)

    def enough(self) -> Rule:
        blocks = self._starts / self._block
        says = f"{self._starts} starts, {blocks:.1f} independent blocks of {self._config.fewest_blocks:g} needed"
        return Rule("enough starts", blocks >= self._config.fewest_blocks, says)

    def better(self) -> Rule:
        gain = self.gain(CHAMPION, self._config.threshold)
        holds = bool(gain.low > 0)  # False for NaN
        return Rule("better than the champion", holds, f"{self._named(self._config.threshold)} {_described(gain)}")

    def heavy(self) -> Rule:
        limit, margin = self._config.heavy_threshold, self._config.heavy_margin
        gain = self.gain(CHAMPION, limit)
        if math.isnan(gain.value):
            return Rule("not worse in heavy rain", False, f"no rain of {limit:g} mm/h in the test part: not shown")
        says = f"{self._named(limit)} {_described(gain)}, {-margin:+g} allowed"
        return Rule("not worse in heavy rain", bool(gain.value >= -margin), says)

    def beats(self, baseline: str) -> Rule:
        gain = self.gain(baseline, self._config.threshold)
        return Rule(
            f"better than {baseline}", bool(gain.value > 0), f"{self._named(self._config.threshold)} {_described(gain)}"
        )

    def numbers(self, baselines: list[str]) -> dict[str, Any]:
        """Scores of all, and gains over all, at both thresholds."""
        config = self._config
        return {
            "score": config.score,
            "starts": self._starts,
            "starts_in_a_block": self._block,
            "values": [
                {"model": name, "threshold": limit, "value": null_if_nan(self.value(name, limit))}
                for limit in config.thresholds
                for name in self._sampled
            ],
            "gains": [
                {"over": name, "threshold": limit, **_json(self.gain(name, limit))}
                for limit in config.thresholds
                for name in (CHAMPION, *baselines)
            ],
        }

    def _named(self, threshold: float) -> str:
        return f"{self._config.score} at {threshold:g} mm/h"


def _check(name: str, wrong: str | None) -> Rule:
    return Rule(f"{name} check", wrong is None, wrong or "passed")


def _fast(seconds: Mapping[str, float], config: GateConfig) -> Rule:
    ratio = seconds[CHALLENGER] / seconds[CHAMPION]
    says = f"{ratio:.2f} times the champion's {seconds[CHAMPION]:.3g} s, {config.latency_ratio:g} allowed"
    return Rule("not slower", ratio <= config.latency_ratio, says)


def _described(gain: Gain) -> str:
    if math.isnan(gain.value):
        return "undefined"
    bounds = "no interval" if math.isnan(gain.low) else f"{gain.low:+.4f} to {gain.high:+.4f}"
    return f"gains {gain.value:+.4f} ({bounds})"


def _json(gain: Gain) -> dict[str, object]:
    return {name: null_if_nan(value) for name, value in asdict(gain).items()}
