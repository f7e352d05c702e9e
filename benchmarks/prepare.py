"""Files per second and peak memory of `python -m training prepare` over synthetic RY files (900x900).

python benchmarks/prepare.py [--files 1000] [--workers 2] [--json]

Files per CPU second count the seconds that cores spent on the command, whatever else they had to do. Memory is the
resident size of all its processes together; what they share counts for each.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from radar.demo import radolan_name
from radar.files.radolan import write_radolan
from radar.frame import Frame, frames_of
from radar.grid import KNOWN_GRIDS
from radar.synthetic import storm_sequence

_START = datetime(2019, 6, 1, tzinfo=UTC)
_FIELDS = 50


def write_files(folder: Path, count: int) -> None:
    """`count` RY files, 5 minutes apart, of 50 fields that recur: only the times in the headers are new."""
    storm = storm_sequence(KNOWN_GRIDS["radolan"], min(count, _FIELDS), seed=1, end_time=_START, timestep_minutes=5)
    binaries = [write_radolan(Frame(f.rain_rate, _START, f.grid, 5, "RY", "")) for f in frames_of(storm)]
    for k in range(count):
        valid = _START + timedelta(minutes=5 * k)
        day, month = f"{valid:%d%H%M}".encode(), f"{valid:%m%y}".encode()
        data = re.sub(rb"^RY\d{6}(\d{5})\d{4}", b"RY%s\\g<1>%s" % (day, month), binaries[k % len(binaries)])
        name = radolan_name(Frame(storm.rain_rate[0], valid, storm.grid, 5, "RY", ""))
        (folder / name).write_bytes(gzip.compress(data, 1, mtime=0))


def timed_run(files: Path, archive: Path, workers: int) -> tuple[float, int]:
    """Seconds, and the peak of the memory of all processes in bytes, of one run."""
    start, peak = time.perf_counter(), 0
    command = [
        sys.executable,
        "-m",
        "training",
        "prepare",
        str(files),
        "--out",
        str(archive),
        "--workers",
        str(workers),
    ]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            run.wait(0.05)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, resident(family(run.pid)))
    if run.returncode:
        raise SystemExit(f"prepare ended with {run.returncode}")
    return time.perf_counter() - start, peak


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found


def resident(pids: list[int]) -> int:
    """Bytes that processes have in memory."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def main() -> None:
    """One line for a first run and one for a second, which finds all done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files, archive = Path(folder, "files"), Path(folder, "archive")
        files.mkdir()
        write_files(files, arguments.files)
        seconds, peak = timed_run(files, archive, arguments.workers)
        spent = os.times()
        again, _ = timed_run(files, archive, arguments.workers)
        frames = json.loads((archive / "manifest.json").read_text())["series"][0]["frames"]
        packed = sum(path.stat().st_size for path in archive.rglob("*.nc"))
    measured = {
        "files": arguments.files,
        "frames": frames,
        "files_per_second": round(arguments.files / seconds, 1),
        "files_per_cpu_second": round(arguments.files / (spent.children_user + spent.children_system), 1),
        "peak_rss_mb": round(peak / 1e6),
        "second_run_seconds": round(again, 1),
        "archive_mb": round(packed / 1e6, 1),
    }
    print(json.dumps(measured) if arguments.json else "  ".join(f"{name} {value}" for name, value in measured.items()))


if __name__ == "__main__":
    main()
