"""Threads follow the quota of a control group, not only the affinity mask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from radar.system.cpus import usable_cpus

CORES = len(os.sched_getaffinity(0))


def group(tmp_path: Path, lines: str, files: dict[str, str]) -> int:
    (tmp_path / "self").write_text(lines)
    for name, text in files.items():
        path = tmp_path / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return usable_cpus(tmp_path / "self", tmp_path / "mounted")


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "100000 100000"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000"}, 1),  # half a processor
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "100000 100000"}, 1),  # of the group above
        ("0::/../..\n", {"cpu.max": "100000 100000"}, 1),  # as a container with a name space of its own says it
        ("0::/\n", {"cpu.max": "max 100000"}, CORES),
        ("0::/\n", {"cpu.max": f"{100_000 * (CORES + 3)} 100000"}, CORES),
        (
            "3:cpu,cpuacct:/docker/x\n",
            {
                f"cpu,cpuacct/docker/x/{k}": v
                for k, v in (("cpu.cfs_quota_us", "100000"), ("cpu.cfs_period_us", "100000"))
            },
            1,
        ),
        ("3:cpu:/x\n0::/\n", {"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, CORES),
        ("nonsense\n", {}, CORES),
    ],
)
def test_a_quota_bounds_the_threads(tmp_path: Path, lines: str, files: dict[str, str], expected: int) -> None:
    assert group(tmp_path, lines, files) == expected


def test_without_control_groups_the_mask_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "none", tmp_path / "nothing") == CORES
