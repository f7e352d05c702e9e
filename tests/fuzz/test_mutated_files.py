"""Damaged files through every reader of bytes: rain or a RaincellError comes out, in bounded time and memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from radar.errors import UnreadableFile
from tests.fuzz.mutations import Edit, damaged, edits
from tests.fuzz.subjects import SECRET_FOLDER, Subject, survives, written

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 90
MOST_MEGABYTES = 1024
"""Resident at the peak; an RV archive of 25 frames is 132 MB of numbers."""


@pytest.mark.parametrize("subject", written(), ids=lambda subject: subject.name)
def test_damaged_files_are_read_or_refused(subject: Subject) -> None:
    assert survives(subject, subject.whole), "sound files are read"

    @settings(max_examples=40, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(edits())
    def attempt(damage: list[Edit]) -> None:
        survives(subject, damaged(subject.whole, damage))

    attempt()


def test_a_path_in_an_error_would_be_found() -> None:
    def read(_: bytes) -> object:
        raise UnreadableFile(expected="a file", got=f"none at {SECRET_FOLDER}/file.bin", remedy="send one")

    with pytest.raises(AssertionError):
        survives(Subject("faulty", read, b""), b"")


@pytest.mark.slow
@pytest.mark.timeout(RUN_SECONDS + 200)
def test_thousands_of_damaged_files(capsys: pytest.CaptureFixture[str]) -> None:
    """Real files too where RAINCELL_TEST_DATA names them; in a process of its own, so that its memory is its own."""
    folder = os.environ.get("RAINCELL_TEST_DATA")
    data = ["--data", folder] if folder else []
    command = [sys.executable, "-m", "tests.fuzz.mutated_run", "--seconds", str(RUN_SECONDS), *data]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    with capsys.disabled():
        print("\n" + run.stdout)  # noqa: T201 - the figures are what the run is for
    assert run.returncode == 0, run.stderr[-3000:]
    found = re.search(r"(\d+) cases .* slowest case ([\d.]+) s; peak memory (\d+) MB", run.stdout)
    assert found
    assert int(found[1]) > 5000
    assert float(found[2]) < 30
    assert int(found[3]) < MOST_MEGABYTES
