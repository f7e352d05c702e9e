"""Networks by name: one line for each cell, and one for each variant."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from models.cells.base import Cell
from models.cells.convlstm import ConvLSTM
from models.cells.mim import MIM
from models.cells.motionrnn import MotionRNN
from models.cells.preciplstm import PrecipLSTM
from models.cells.predrnn import PredRNN
from models.cells.predrnn_v2 import PredRNNV2
from models.cells.predrnnpp import CausalLSTM, HighwayCausalLSTM
from models.cells.trajgru import TrajGRU
from models.network import Network
from models.parts.unet import UNet
from models.spec import CONTROL, EXCEEDANCE_INPUTS, MULTI_SCALE, PLAIN, RAIN_INPUTS, NetworkSpec
from models.stack import Stack

CELLS: dict[str, Callable[[NetworkSpec], list[Cell]]] = {
    "convlstm": lambda spec: [ConvLSTM(spec.channels, spec.kernel_size) for _ in spec.scales],
    "trajgru": lambda spec: [TrajGRU(spec.channels, spec.kernel_size, **_quirks(spec)) for _ in spec.scales],
    "predrnn": lambda spec: [PredRNN(spec.channels, spec.kernel_size) for _ in spec.scales],
    "predrnn++": lambda spec: [
        (HighwayCausalLSTM if layer == 1 else CausalLSTM)(spec.channels, spec.kernel_size)
        for layer in range(len(spec.scales))
    ],
    "mim": lambda spec: [
        MIM(spec.channels, spec.kernel_size, **_quirks(spec)) if layer else PredRNN(spec.channels, spec.kernel_size)
        for layer in range(len(spec.scales))
    ],
    "motionrnn": lambda spec: _motionrnn(spec),
    "predrnn-v2": lambda spec: _predrnn_v2(spec),
    "preciplstm": lambda spec: [
        PrecipLSTM(spec.channels, spec.kernel_size, spec.attention_window, _strips(spec, scale))
        for scale in spec.scales
    ],
}
"""The cells of all layers. They depend on the position, so that all parameters of a cell can affect the output."""

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
        The cell is unknown, or the inputs are not those of the output.
    """
    if spec.cell not in (*CELLS, CONTROL):
        raise ValueError(f"expected one of the cells {', '.join(CELLS)}, or {CONTROL}, got {spec.cell!r}")
    if spec.cell == CONTROL and spec.output != "exceedance":
        raise ValueError(f'expected output "exceedance" for {CONTROL}, got {spec.output!r}')
    if spec.inputs not in ((EXCEEDANCE_INPUTS,) if spec.output == "exceedance" else RAIN_INPUTS):
        raise ValueError(f"expected inputs {RAIN_INPUTS}, or {EXCEEDANCE_INPUTS} for exceedance, got {spec.inputs}")
    if spec.cell == "motionrnn" and spec.channels % 4:
        raise ValueError(f"expected channels in multiples of 4 for motionrnn, got {spec.channels}")
    if spec.cell == CONTROL:
        return Network(spec, UNet(spec))
    return Network(spec, Stack(CELLS[spec.cell](spec), spec.scales, memory_channels=spec.channels))


def _motionrnn(spec: NetworkSpec) -> list[Cell]:
    layers = range(len(spec.scales) - 1)
    moving = [MotionRNN(spec.channels, spec.kernel_size, first=layer == 0, **_quirks(spec)) for layer in layers]
    return [*moving, MIM(spec.channels, spec.kernel_size, **_quirks(spec))]


def _predrnn_v2(spec: NetworkSpec) -> list[Cell]:
    adapter = nn.Conv2d(spec.channels, spec.channels, 1)
    return [PredRNNV2(spec.channels, spec.kernel_size, adapter) for _ in spec.scales]


def _quirks(spec: NetworkSpec) -> dict[str, bool]:
    return {"authors_quirks": spec.authors_quirks}


def _strips(spec: NetworkSpec, scale: int) -> int:
    """Strips of an exported local attention: 8 at full resolution, where a 1200 x 1100 grid needs them, fewer below."""
    return int(max(1, 8 // spec.patch // 2**scale))
