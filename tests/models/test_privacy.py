"""What is computed here is nobody else's business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORECAST = """
from pathlib import Path
from models.onnx_forecaster import load_forecaster
load_forecaster(next(Path("models/pretrained").rglob("model.onnx")), "cpu")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ONNX Runtime keeps its identifier elsewhere")
def test_onnx_runtime_writes_no_identifier_of_the_device(tmp_path: Path) -> None:
    home = {key: value for key, value in os.environ.items() if key not in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY")}
    command = [sys.executable, "-c", FORECAST]
    answer = subprocess.run(
        command, cwd=ROOT, env={**home, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert [path.name for path in tmp_path.rglob("*")] == []
    assert "telemetry" not in answer.stderr.lower()
