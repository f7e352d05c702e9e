"""Names -> networks: one line a cell, one line a variant."""

from __future__ import annotations

from collections.abc import Callable

from models.cells.base import Cell
from models.cells.convlstm import ConvLSTM
from models.network import Network
from models.spec import MULTI_SCALE, PLAIN, NetworkSpec
from models.stack import Stack

CELLS: dict[str, Callable[[NetworkSpec], Cell]] = {
    "convlstm": lambda spec: ConvLSTM(spec.channels, spec.kernel_size),
}

MODELS: dict[str, NetworkSpec] = {
    prefix + cell: NetworkSpec(cell=cell, scales=scales)
    for cell in CELLS
    for prefix, scales in (("", PLAIN), ("ms-", MULTI_SCALE))
}
"""The papers' models; other widths, patches and inputs are made with `dataclasses.replace`."""


def build(spec: NetworkSpec) -> Network:
    """A network with fresh weights (PyTorch's default initialisation; seed it outside).

    Raises
    ------
    ValueError
        Unknown cell, or inputs that do not begin with "rain".
    """
    if spec.cell not in CELLS:
        raise ValueError(f"expected one of the cells {', '.join(CELLS)}, got {spec.cell!r}")
    if spec.inputs not in (("rain",), ("rain", "coverage")):
        raise ValueError(f"expected inputs ('rain',) or ('rain', 'coverage'), got {spec.inputs}")
    cells = [CELLS[spec.cell](spec) for _ in spec.scales]
    return Network(spec, Stack(cells, spec.scales, memory_channels=spec.channels))
