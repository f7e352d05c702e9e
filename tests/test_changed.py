"""make check: which tests a change calls for, and that they end in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.changed import ROOT, changed_since, nearest_tests

FILES = {
    "radar/rain.py": "",
    "radar/__init__.py": "",
    "service/rain.py": "",
    "docker-compose.yml": "",
    "tests/made.py": "",
    "tests/radar/test_rain.py": "",
    "tests/service/test_rain.py": "",
    "tests/service/test_from.py": "from radar import rain\nfrom service.rain import rates\n",
    "tests/service/test_import.py": "def test() -> None:\n    import radar.rain\n",
    "tests/service/test_made.py": "from tests.made import run\n",
    "tests/docker/test_names.py": "FILE = 'docker-compose.yml'\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A branch at the commit at which it left main."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    who = ("-c", "user.name=a", "-c", "user.email=a@b.de")
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        (*who, "commit", "-q", "-m", "all"),
        ("switch", "-qc", "own"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (["radar/rain.py"], ["radar/test_rain.py", "service/test_from.py", "service/test_import.py"]),
        (["service/rain.py", "README.md"], ["service/test_rain.py", "service/test_from.py"]),
        (["radar/__init__.py"], ["service/test_from.py"]),
        (["tests/service/test_made.py", "radar/__init__.py"], ["service/test_made.py", "service/test_from.py"]),
        (["tests/made.py"], ["service/test_made.py"]),
        (["docker-compose.yml"], ["docker/test_names.py"]),
        (["README.md"], []),
        ([], []),
    ],
)  # fmt: skip
def test_the_nearest_tests_a_change_come_nearest_first(root: Path, changed: list[str], tests: list[str]) -> None:
    assert nearest_tests(changed, root) == [f"tests/{test}" for test in tests]


def test_what_is_new_or_changed_or_committed_since_main_counts_and_what_is_deleted_does_not(root: Path) -> None:
    assert changed_since("main", root) == []
    (root / "new file.py").write_text("")
    (root / "radar/rain.py").write_text("RATE = 1.0\n")
    (root / "service/rain.py").unlink()
    assert changed_since("main", root) == ["new file.py", "radar/rain.py"]


@pytest.mark.parametrize(
    ("seconds", "first", "status", "ran"), [(0, "pass", 0, 1), (0, "1 / 0", 2, 1), (60, "1 / 0", 1, 2)]
)
def test_time_that_is_over_is_no_failure_and_hides_none(
    tmp_path: Path, seconds: float, first: str, status: int, ran: int
) -> None:
    (tmp_path / "test_two.py").write_text(f"def test_one():\n    {first}\n\ndef test_two():\n    open('ran', 'w')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --disable-plugin-autoload\n")
    code = f"import sys; from tests.changed import run; sys.exit(run(['.'], {seconds}))"
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=paths, stdout=subprocess.PIPE, text=True, check=False
    )
    assert answer.returncode == status, answer.stdout
    assert (tmp_path / "ran").exists() == (ran == 2)
    assert ("make test runs all" in answer.stdout) == (ran == 1)
