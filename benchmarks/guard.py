"""How often the guard rolls back a champion on probation that is as good as the one before it, or worse.

    python benchmarks/guard.py [--worlds 200] [--hours 48]

Runs every five minutes of two hours, whose CSI is 0.5 for both models but for a difference that wanders: normal, with a
correlation that falls to 1/e in `--correlated` minutes, and a mean that is given. "Every look" takes the champion back
as soon as any look, each half an hour, finds an interval of 95 % below zero; "judged" is what the guard does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from radar.ledger.ledger import Pair
from radar.scores.pixels import Float64
from radar.scores.sums import ScoreSums, sums_of
from training.promote.guard import GuardConfig, judged_gain, live_gain

_STEP_MINUTES, _LEAD_MINUTES, _LOOK_EVERY = 5, 120, 6
_PIXELS = 400
_START = datetime(2026, 5, 1, tzinfo=UTC)
_CONFIG = GuardConfig()


def main() -> None:
    """A row for each mean difference and correlation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--hours", type=int, default=48)
    parser.add_argument("--correlated", default="15,60,120", help="minutes, separated by commas")
    arguments = parser.parse_args()
    runs = arguments.hours * 60 // _STEP_MINUTES
    print("| mean difference, in its spreads | correlated for (minutes) | rolled back: every look | judged |")
    print("|---|---|---|---|")
    for mean in (0.0, -1.0):
        for minutes in (int(text) for text in arguments.correlated.split(",")):
            worlds = [_pairs(wander(runs, minutes / _STEP_MINUTES, seed) + mean) for seed in range(arguments.worlds)]
            often = sum(map(every_look, worlds)) / len(worlds)
            judged = sum(map(judged_worse, worlds)) / len(worlds)
            print(f"| {mean:g} | {minutes} | {often:.1%} | {judged:.1%} |", flush=True)


def wander(runs: int, steps: float, seed: int) -> Float64:
    """A first-order autoregressive series of spread 1 whose correlation falls to 1/e in so many steps."""
    draw, keep = np.random.default_rng(seed), np.exp(-1 / steps)
    values = draw.normal(size=runs)
    for place in range(1, runs):
        values[place] = keep * values[place - 1] + np.sqrt(1 - keep**2) * values[place]
    return values


def every_look(pairs: Sequence[Pair]) -> bool:
    """Whether any look finds the champion worse by an interval of 95 %."""
    gains = (live_gain(pairs[:runs], _CONFIG.threshold) for runs in range(_LOOK_EVERY, len(pairs) + 1, _LOOK_EVERY))
    return any(gain.high < 0 for gain in gains if gain.blocks >= _CONFIG.fewest_blocks)


def judged_worse(pairs: Sequence[Pair]) -> bool:
    """Whether any judgement of the guard does."""
    runs = int(_CONFIG.fewest_blocks) * _LEAD_MINUTES // _STEP_MINUTES
    while runs <= len(pairs):
        if judged_gain(pairs[:runs], _CONFIG).high < 0:
            return True
        runs *= 2
    return False


def _pairs(differences: Float64) -> list[Pair]:
    """One lead time for each run; the spread of the differences in CSI is 0.04."""
    theirs = _scored(_PIXELS // 2)
    hits = np.clip(np.rint(_PIXELS * (0.5 + 0.04 * differences)), 0, _PIXELS).astype(int)
    sums = {count: _scored(count) for count in set(hits.tolist())}
    return [
        Pair("RY", "small", _START + timedelta(minutes=_STEP_MINUTES * number), _LEAD_MINUTES, sums[mine], theirs)
        for number, mine in enumerate(hits.tolist())
    ]


def _scored(hits: int) -> ScoreSums:
    """It rains on all of a row of pixels, and a forecast hits some."""
    observed = np.full((4, _PIXELS // 4), 2, np.float32)
    forecast = np.where(np.arange(_PIXELS).reshape(4, -1) < hits, 2, 0).astype(np.float32)
    return sums_of(forecast, observed, 1.0)


if __name__ == "__main__":
    main()
