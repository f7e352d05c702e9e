"""make check: the tests of what changed since a branch, the nearest first, for as many seconds as given.

    python -m tests.changed [--base main] [--seconds 40]

A test file is near if it changed itself, then if it is named after a module that changed (service/history/codec.py and
test_codec.py), then if it imports one, or names a changed file that is no module, such as docker-compose.yml.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import ast
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]


class Budget:
    """Ends a run of pytest between two tests once its seconds are over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._session: pytest.Session | None = None
        self._ran = 0

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logfinish(self) -> None:
        self._ran += 1
        if self._session and self._ran < self._session.testscollected and time.monotonic() > self._end:
            ran = f"{self._ran} of {self._session.testscollected} tests ran in {self._seconds:g} s"
            self._session.shouldstop = f"{ran}; make test runs all"

    @property
    def only_stopped(self) -> bool:
        """Whether the seconds were over before any test failed."""
        return self._session is not None and bool(self._session.shouldstop) and not self._session.testsfailed


def nearest_tests(changed: Sequence[str], root: Path = ROOT) -> list[str]:
    """The test files of changed files, both as paths from `root`, the nearest first."""
    tests = sorted(path.relative_to(root).as_posix() for path in root.glob("tests/**/test_*.py"))
    near = ((distance, test) for test in tests if (distance := _distance(test, changed, root)) is not None)
    return [test for _, test in sorted(near)]


def _distance(test: str, changed: Sequence[str], root: Path) -> int | None:
    if test in changed:
        return 0
    if any(map(partial(_is_named_after, test), changed)):
        return 1
    text = (root / test).read_text()
    modules = {_module(path) for path in changed if path.endswith(".py")}
    names = {PurePosixPath(path).name for path in changed if not path.endswith(".py")}
    if modules & set(_imported(text)) or any(name in text for name in names):
        return 2
    return None


def _is_named_after(test: str, path: str) -> bool:
    """Whether tests/room/.../test_name.py is the test of room/.../name.py."""
    room, name = PurePosixPath(path).parts[0], PurePosixPath(path).name
    return PurePosixPath(test).parts[1] == room and PurePosixPath(test).name == f"test_{name}"


def _module(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(text: str) -> Iterator[str]:
    """All that may be modules among what a file imports: of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def changed_since(base: str, root: Path = ROOT) -> list[str]:
    """Paths that differ from the commit at which HEAD left `base`, those that git was not told of included."""
    left_at = _git(root, "merge-base", "HEAD", base).strip()
    differ = _git(root, "diff", "--name-only", "--diff-filter=d", "-z", left_at)
    return _paths(differ + _git(root, "ls-files", "--others", "--exclude-standard", "-z"))


def _paths(listed: str) -> list[str]:
    return sorted(set(listed.split("\0")) - {""})


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout


def run(tests: Iterable[str], seconds: float) -> int:
    """The exit status of pytest; 0 also where its time was over and nothing had failed."""
    budget = Budget(seconds)
    status = pytest.main(["--quiet", *tests], plugins=[budget])
    return 0 if budget.only_stopped else int(status)


def main() -> int:
    """Run the tests of what changed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--base", default="main", help="the branch that this one is to be merged into")
    options.add_argument("--seconds", type=float, default=40.0, help="after which no further test is begun")
    chosen = options.parse_args()
    tests = nearest_tests(changed_since(chosen.base))
    if not tests:
        print(f"no tests of what changed since {chosen.base}")
        return 0
    return run(tests, chosen.seconds)


if __name__ == "__main__":
    raise SystemExit(main())
