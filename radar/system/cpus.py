"""The number of processors that this process may use, from its affinity mask and the quota of its control group."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

_THREADS_OF_LIBRARIES = (
    "OMP_NUM_THREADS",  # torch, and every other user of OpenMP
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
    "BLOSC_NTHREADS",
    "TORCHINDUCTOR_COMPILE_THREADS",
)
"""Variables that set the number of threads of libraries; most libraries read them once, when they are loaded."""


def limit_libraries() -> None:
    """Limit the threads of libraries, here and in child processes, to `usable_cpus`.

    Call it before numpy is imported. Libraries follow the affinity mask by themselves, but not a quota. A variable that
    is set stays unchanged.
    """
    usable = usable_cpus()
    if usable < len(os.sched_getaffinity(0)):
        for name in _THREADS_OF_LIBRARIES:
            os.environ.setdefault(name, str(usable))


def usable_cpus(groups: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> int:
    """Whole processors, at least one: those of the affinity mask, or fewer where a quota allows fewer.

    A container with a quota (docker --cpus, limits of Kubernetes) sees all cores of its machine, but so many threads
    would only block each other. Both versions of control groups are read, from the process's own group up to the root.

    Parameters
    ----------
    groups : Path
        Linux's list of the groups of the process.
    mounted : Path
        The mount point of their file systems.
    """
    quotas = [quota for folder in _folders(groups, mounted) if (quota := _quota(folder)) is not None]
    return max(1, int(min([float(len(os.sched_getaffinity(0))), *quotas])))


def _folders(groups: Path, mounted: Path) -> list[Path]:
    """The groups whose quotas limit the process; within a container the mount itself is the process's group."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        lines = []
    found = [mounted, mounted / "cpu", mounted / "cpu,cpuacct"]
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            roots = [mounted, mounted / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [mounted / "cpu", mounted / controllers]
        else:
            continue
        own = PurePosixPath(path.lstrip("/"))
        found += [root / each for root in roots for each in (own, *own.parents) if ".." not in each.parts]
    return list(dict.fromkeys(found))


def _quota(folder: Path) -> float | None:
    """Processors that a group may use; None without a limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 and int(period) > 0 else None
    except (OSError, ValueError):  # no such file, or "max"
        return None
