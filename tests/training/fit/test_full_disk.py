"""A disk that takes no more, under training: one OSError, the old file as it was, and nothing left of the new one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_WRITE = """
import resource, signal, sys
from pathlib import Path
import torch
from radar.system.durable import write_text
from training.fit.run_state import write_atomically
folder = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for write in (lambda: write_atomically(folder / "state.pt", torch.zeros(50_000)),
              lambda: write_text(folder / "about.json", "x" * 50_000)):
    try:
        write()
    except OSError as error:
        print(error.strerror)
"""


def test_a_full_disk_is_one_error_and_leaves_nothing_half(tmp_path: Path) -> None:
    for name in ("state.pt", "about.json"):
        (tmp_path / name).write_text("before")
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["File too large"] * 2
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "state.pt": "before",
        "about.json": "before",
    }
