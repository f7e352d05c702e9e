"""The guard: decisions about a challenger and a new champion by live skill, from the service's ledger.

A challenger that has forecast beside the champion for long enough is promoted if it is better on the same runs, and
dropped otherwise; a champion on probation is rolled back if the previous one is better. Better always means that the
interval of the difference excludes zero. With a look every ten minutes such an interval occurs soon even between equal
models. A champion is therefore judged each time its independent blocks of runs have doubled, with higher confidence
each time.
The guard does not need torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.aliases import Aliases, First, drop_challenger, promote, read_aliases, rollback
from radar.errors import InvalidRequest
from radar.ledger.ledger import Pair, model_reference, paired_by_reference_time, read_pairs
from radar.scores.bootstrap import CONFIDENCE, estimate_difference
from radar.scores.pixels import Float64
from radar.scores.sums import THRESHOLDS, read_score
from radar.sequence import iso
from training.promote.decisions import record_decision
from training.promote.proved import prove

Act = Literal["promoted", "dropped", "rolled back", "waiting", "nothing to do"]


@dataclass(frozen=True)
class GuardConfig:
    """The settings of the guard.

    Parameters
    ----------
    hours : float
        How long a challenger has to forecast beside the champion.
    margin : float
        By how much the better one has to exceed the other, beyond the interval.
    threshold : float
        mm/h, one of `radar.scores.sums.THRESHOLDS`; CSI at it, of all lead times together, is compared.
    probation_hours : float
        Probation of a promoted challenger.
    fewest_blocks : float
        The least independent blocks of runs for a decision, 4 or more. With fewer a challenger waits, for at most twice
        `hours`; a champion on probation is judged at this number, at twice and four times this number, and so on.
    """

    hours: float = 48.0
    margin: float = 0.0
    threshold: float = 1.0
    probation_hours: float = 48.0
    fewest_blocks: float = 5.0

    def __post_init__(self) -> None:
        if self.threshold not in THRESHOLDS:
            raise ValueError(f"expected a threshold of {THRESHOLDS} mm/h, got {self.threshold:g}; choose one")
        if min(self.hours, self.margin, self.probation_hours) < 0 or self.fewest_blocks < 4:
            raise ValueError("expected hours and margin of 0 or more and fewest_blocks of 4 or more; correct them")


@dataclass(frozen=True)
class LiveGain:
    """By how much one model's CSI exceeds another's on the same runs; NaN if unknown."""

    value: float
    low: float
    high: float
    runs: int
    blocks: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return f"unknown, {self.runs} runs of both without such rain" if self.runs else "no run of both"
        bounds = "no interval" if np.isnan(self.low) else f"{self.low:+.4f} to {self.high:+.4f}"
        return f"{self.value:+.4f} ({bounds}) in {self.runs} runs, {self.blocks:.1f} blocks"


@dataclass(frozen=True)
class Decision:
    """An action, its version, and its reason."""

    act: Act
    version: str | None
    reason: str


def guard(repository: Path, verification: Path, name: str, config: GuardConfig, now: datetime) -> list[Decision]:
    """Check the live skill of a model's versions once, and carry out the decisions.

    A change of a role is recorded in decisions.jsonl before it is made: after a kill in between, the next look makes
    the change without a second record.

    Raises
    ------
    InvalidRequest
        There is no ledger, or the roles changed during the decision: nothing was done.
    UnknownModel, ArtifactRejected
        The version to serve is missing or damaged.
    """
    found = [
        decision
        for look in (_probation, _shadow)
        if (decision := look(repository, verification, name, config, now)) is not None
    ]
    return found or [Decision("nothing to do", None, "no challenger, and no champion on probation")]


def _probation(repository: Path, verification: Path, name: str, config: GuardConfig, now: datetime) -> Decision | None:
    aliases = read_aliases(repository, name)
    if aliases.previous is None or aliases.probation_until is None or now >= aliases.probation_until:
        return None
    pairs = _pairs(verification, name, aliases.champion, aliases.previous, aliases.champion_since)
    gain = judged_gain(pairs, config)
    reason = f"CSI at {config.threshold:g} mm/h over {aliases.previous}, the previous champion: {gain}"
    if gain.blocks < config.fewest_blocks or not gain.high < -config.margin:
        return Decision("waiting", aliases.champion, f"{reason}; on probation until {iso(aliases.probation_until)}")
    decision = Decision("rolled back", aliases.champion, reason)
    prove(repository, name, aliases.previous)
    rollback(repository, name, now, first=_recording(repository, name, decision, aliases, now))
    return decision


def _shadow(repository: Path, verification: Path, name: str, config: GuardConfig, now: datetime) -> Decision | None:
    aliases = read_aliases(repository, name)
    challenger = aliases.challenger
    if challenger is None:
        return None
    pairs = _pairs(verification, name, challenger, aliases.champion, aliases.challenger_since)
    gain = live_gain(pairs, config.threshold)
    reason = f"CSI at {config.threshold:g} mm/h over {aliases.champion}, the champion: {gain}"
    waited = now - aliases.challenger_since if aliases.challenger_since else timedelta.max
    too_few = gain.blocks < config.fewest_blocks
    if waited < timedelta(hours=config.hours * (2 if too_few else 1)):
        return Decision("waiting", challenger, f"{reason}; it has to forecast for {config.hours:g} hours")
    better = not too_few and gain.low > config.margin
    decision = Decision("promoted" if better else "dropped", challenger, reason)
    first = _recording(repository, name, decision, aliases, now)
    if better:
        prove(repository, name, challenger)
        probation = timedelta(hours=config.probation_hours)
        promote(repository, name, challenger, now=now, probation=probation, first=first)
    else:
        drop_challenger(repository, name, first=first)
    return decision


def _pairs(verification: Path, name: str, mine: str, theirs: str, since: datetime | None) -> list[Pair]:
    if not verification.is_dir():  # else a misspelt name would look like a challenger without forecasts
        raise InvalidRequest(
            expected="the folder that the service keeps scores in, its RAINCELL_VERIFICATION",
            got=f"none at {verification}",
            remedy="correct --verification, or wait until the service has scored something",
        )
    one, other = (model_reference(name, version) for version in (mine, theirs))
    return read_pairs(verification, one, other, since=since)


def judged_gain(pairs: Sequence[Pair], config: GuardConfig) -> LiveGain:
    """The gain of a champion on probation at its last judgement; with too few blocks for one, that of all its runs.

    It is judged over its first `fewest_blocks` blocks, then over twice as many, and so on. At judgement k the interval
    has confidence 1 - 0.05 / 2^k, so that for equal models all judgements together err no more often than one at 95 %.
    """
    runs = sorted({_run(pair) for pair in pairs})
    if not runs or len(runs) < config.fewest_blocks * (block := _block(pairs)):
        return live_gain(pairs, config.threshold)
    judgement = 1 + int(math.log2(len(runs) / block / config.fewest_blocks))
    first = set(runs[: math.ceil(config.fewest_blocks * block * 2 ** (judgement - 1))])
    judged = [pair for pair in pairs if _run(pair) in first]
    return live_gain(judged, config.threshold, 1 - (1 - CONFIDENCE) / 2**judgement)


def _run(pair: Pair) -> tuple[datetime, str, str]:
    return pair.reference_time, pair.product, pair.grid


def live_gain(pairs: Sequence[Pair], threshold: float, confidence: float = CONFIDENCE) -> LiveGain:
    """The gain of `mine` over `theirs` in CSI of all lead times; runs are resampled in blocks as long as a forecast."""
    mine, theirs = paired_by_reference_time(pairs)
    if not len(mine):
        return LiveGain(np.nan, np.nan, np.nan, 0, 0.0)
    block = _block(pairs)

    def read(values: Float64) -> Float64:
        return read_score("csi", values, threshold)

    value, low, high = (float(bound) for bound in estimate_difference(mine, theirs, read, block, confidence))
    return LiveGain(value, low, high, len(mine), len(mine) / block)


def _block(pairs: Sequence[Pair]) -> int:
    """The number of consecutive runs, of all series, that start within one forecast."""
    series = len({(pair.product, pair.grid) for pair in pairs})
    times = sorted({pair.reference_time for pair in pairs})
    longest = timedelta(minutes=max(pair.lead_minutes for pair in pairs))
    steps = [after - before for before, after in pairwise(times)]
    return series * max(1, -(-longest // sorted(steps)[len(steps) // 2])) if steps else series


def _recording(repository: Path, name: str, decision: Decision, decided_on: Aliases, now: datetime) -> First:
    """A function that records a decision if its roles are unchanged, since reading the ledger takes a while."""

    def record(there: Aliases) -> None:
        if there != decided_on:
            raise InvalidRequest(
                expected=f"the roles of {name} on which {decision.version} was to be {decision.act}",
                got="others, which were changed meanwhile",
                remedy="look again",
            )
        _record(repository, name, decision, decided_on, now)

    return record


def _record(repository: Path, name: str, decision: Decision, aliases: Aliases, now: datetime) -> None:
    since = aliases.champion_since if decision.act == "rolled back" else aliases.challenger_since
    content: dict[str, Any] = {
        "by": "guard",
        "id": f"guard: {decision.act} {decision.version} of {iso(since) if since else 'unknown time'}",
        "decision": decision.act,
        "model": name,
        "version": decision.version,
        "made": iso(now),
        "reasons": [decision.reason],
    }
    record_decision(repository, name, content)
