"""Thousands of damaged radar files through every reader of bytes.

    python -m tests.fuzz.mutated_run [--seconds 180] [--data FOLDER] [--seed 1]

Prints one line for each file and one for all: cases, how many were read and refused, seconds, the slowest case, and
the peak of resident memory. A reader that raises anything but RaincellError ends the run with status 1 and the edits
that did it; one that takes more than a minute, or more memory than `--cap-mb`, is ended.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded

from tests.fuzz.mutations import Edit, damaged, edits
from tests.fuzz.subjects import Subject, real, survives, written
from tests.peak_memory import peak_bytes

LONGEST_CASE_SECONDS = 60
_BATCH = 250


@dataclass
class LedgerTotals:
    """What one file came to."""

    cases: int = 0
    read: int = 0
    seconds: float = 0.0
    slowest: float = 0.0


def main() -> int:
    """Run, print, and say 0 if nothing but RaincellError came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180, help="for all files together, shared evenly")
    parser.add_argument("--data", type=Path, help="folder of real radar files, as RAINCELL_TEST_DATA names it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cap-mb", type=int, default=4096, help="address space that the process may have")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    subjects = written() + (real(arguments.data) if arguments.data else [])
    resource.setrlimit(resource.RLIMIT_AS, (arguments.cap_mb << 20, arguments.cap_mb << 20))
    before, start = peak_bytes() / 2**20, time.monotonic()
    tallies = [_run(subject, arguments.seconds / len(subjects), arguments.seed) for subject in subjects]
    cases, read = sum(tally.cases for tally in tallies), sum(tally.read for tally in tallies)
    print(  # noqa: T201 - the figures are what the run is for
        f"{cases} cases of {len(subjects)} files: {read} read, {cases - read} refused, 0 crashes;"
        f" {time.monotonic() - start:.0f} s, slowest case {max(tally.slowest for tally in tallies):.2f} s;"
        f" peak memory {peak_bytes() / 2**20:.0f} MB, {before:.0f} MB of it before"
    )
    return 0


def _run(subject: Subject, seconds: float, seed: int) -> LedgerTotals:
    """Batches of hypothesis' examples until the time is used up."""
    tally, start = LedgerTotals(), time.monotonic()
    survives(subject, subject.whole)
    while time.monotonic() - start < seconds:
        _batch(subject, tally, seed * 1_000_003 + tally.cases, start + seconds)
    tally.seconds = time.monotonic() - start
    print(  # noqa: T201 - the figures are what the run is for
        f"{subject.name:50} {tally.cases:7} cases {tally.read:6} read {tally.seconds:6.1f} s"
        f"  slowest {1000 * tally.slowest:6.0f} ms  peak {peak_bytes() / 2**20:5.0f} MB",
        flush=True,
    )
    return tally


def _batch(subject: Subject, tally: LedgerTotals, seed: int, deadline: float) -> None:
    @seeded(seed)
    @settings(max_examples=_BATCH, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(edits())
    def attempt(damage: list[Edit]) -> None:
        if time.monotonic() > deadline:
            return
        # Also ends a loop inside a library written in C, and tells where it was.
        faulthandler.dump_traceback_later(LONGEST_CASE_SECONDS, exit=True)
        start = time.monotonic()
        tally.read += survives(subject, damaged(subject.whole, damage))
        tally.slowest = max(tally.slowest, time.monotonic() - start)
        tally.cases += 1
        faulthandler.cancel_dump_traceback_later()

    attempt()


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
