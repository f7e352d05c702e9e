"""The origin of a result: the code's commit and the versions of its libraries."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("torch", "onnx", "onnxruntime", "onnxruntime-gpu", "numpy")


def code_commit() -> str:
    """The code's commit: from git, else from RAINCELL_COMMIT, which the images set; empty if unknown."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("RAINCELL_COMMIT", "")
    return answer.stdout.strip()


def environment() -> dict[str, str]:
    """Versions by name: python, and the installed packages that train and export."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
