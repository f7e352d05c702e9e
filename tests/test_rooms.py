"""The layout that README and design promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.repository import PRETRAINED, champions

ROOT = Path(__file__).parents[1]
ROOMS = ("radar", "models", "training", "service")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_imports_nothing_heavy(room: str) -> None:
    heavy = "{'torch', 'fastapi', 'onnxruntime', 'xarray', 'cv2', 'redis', 'numpy'}"
    answer = run_python(f"import sys, {room}; print(sorted({heavy} & set(sys.modules)))")
    assert answer.stdout.strip() == "[]", answer.stderr


def test_fit_needs_neither_pydantic_nor_the_web() -> None:
    unwanted = "{'pydantic', 'fastapi', 'redis', 'onnxruntime', 'pyproj', 'rasterio'}"
    answer = run_python(f"import sys, training.fit.loop; print(sorted({unwanted} & set(sys.modules)))")
    assert answer.stdout.strip() == "[]", answer.stderr


def test_the_service_runs_without_the_readers_of_netcdf() -> None:
    code = "import sys, pkgutil, importlib, service, models.onnx_forecaster\n"
    code += "sys.modules.update(dict.fromkeys(['xarray', 'netCDF4', 'pandas', 'torch', 'onnx']))\n"
    code += "for module in pkgutil.walk_packages(service.__path__, 'service.'):\n"
    code += "    if module.name != 'service.__main__': importlib.import_module(module.name)\n"
    code += "print('all')"
    answer = run_python(code)
    assert answer.stdout.strip() == "all", answer.stderr


def test_help_needs_no_torch() -> None:
    code = "import sys; sys.argv = ['training', '--help']; import training.__main__ as t\n"
    code += "try: t.main()\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    assert run_python(code).stdout.strip().endswith("False")


@pytest.mark.parametrize("command", ["list", "inspect", "promote", "rollback"])
def test_the_commands_of_the_repository_need_no_torch(command: str) -> None:
    told = [str(champions(PRETRAINED)["ms-convlstm"])] if command == "inspect" else ["--repository", str(PRETRAINED)]
    code = f"import sys; sys.argv = ['training', {command!r}, *{told!r}]; import training.__main__ as t\n"
    code += "t.main(); print({'torch', 'onnx', 'h5py'} & set(sys.modules))"
    answer = run_python(code)
    assert answer.stdout.strip().endswith("set()"), answer


def test_the_guard_needs_no_torch() -> None:
    code = "import sys, training.promote.guard, training.commands.guard; print({'torch', 'onnx'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"


def test_one_module_imports_redis_and_one_imports_onnx_runtime() -> None:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    for package, home in (("redis", "service/redis/client.py"), ("onnxruntime", "models/onnx_forecaster.py")):
        importing = [
            path.relative_to(ROOT).as_posix()
            for path in sources
            if any(
                line.strip().startswith((f"import {package}", f"from {package}"))
                for line in path.read_text().splitlines()
            )
        ]
        assert importing == [home]


def test_packages_are_all_listed() -> None:
    listed = (ROOT / "pyproject.toml").read_text()
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            name = ".".join(init.parent.relative_to(ROOT).parts)
            assert f'"{name}"' in listed, name


def test_at_most_fifteen_files_lie_flat_in_a_room() -> None:
    crowded = {
        folder.relative_to(ROOT).as_posix(): len(files)
        for room in ROOMS
        for folder in [ROOT / room, *(ROOT / room).rglob("*")]
        if folder.is_dir() and len(files := list(folder.glob("*.py"))) > 15
    }
    assert crowded == {}


def test_every_room_says_in_its_first_lines_what_lives_there() -> None:
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            assert init.read_text().startswith('"""'), init
