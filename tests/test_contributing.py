"""CONTRIBUTING.md lists what is there, and its recipes hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import zoo
from models.cells.convlstm import ConvLSTM

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("room", ["radar", "models", "training", "service"])
def test_the_table_of_a_room_lists_what_lies_in_it(room: str) -> None:
    table = TEXT.split(f"### {room}/", 1)[1].split("\n#", 1)[0]
    listed = re.findall(r"^\| `([^`]+)` \| \S", table, re.MULTILINE)
    there = [
        f"{path.name}/" if path.is_dir() else path.name
        for path in sorted((ROOT / room).iterdir())
        if not path.name.startswith(("__", ".")) and (path.is_dir() or path.suffix == ".py")
    ]
    assert listed == there


def test_the_recipes_name_files_and_tables_that_exist() -> None:
    recipes = TEXT.split("## How to add", 1)[1].split("\n## ", 1)[0]
    for path in re.findall(r"`([a-z_]+/[\w/]+\.py)`", recipes):
        assert (ROOT / path.replace("NAME.py", "")).exists(), path
    for table, path in re.findall(r"`([A-Z_]+)` of\s+`([\w/]+\.py)`", recipes):
        assert re.search(rf"^{table}\b", (ROOT / path).read_text(), re.MULTILINE), (table, path)


def test_a_new_cell_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(zoo.CELLS, "new", lambda spec: [ConvLSTM(spec.channels, 5) for _ in spec.scales])
    for known in ("convlstm", "ms-convlstm"):
        network = zoo.build(replace(zoo.MODELS[known], cell="new", channels=2))
        frame = torch.rand(1, len(network.spec.inputs), 64, 64)
        prediction, _ = network(frame, network.initial_states(frame))
        assert prediction.shape[-2:] == frame.shape[-2:]
