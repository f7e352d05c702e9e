"""The settings of a network; torch is not needed."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field
from typing import Any, Literal

PLAIN = (0, 0, 0, 0, 0, 0)
MULTI_SCALE = (0, 1, 2, 2, 1, 0)

_ADDED_LATER = {"added": "later"}


def added_later(default: Any) -> Any:  # noqa: ANN401
    """A setting that older configurations lack: while it has its default, their digest stays the same."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=_ADDED_LATER)
    return field(default=default, metadata=_ADDED_LATER)


def is_added_later(setting: Field[Any], value: object) -> bool:
    """Whether a setting was added later and has its default."""
    default = setting.default if setting.default_factory is MISSING else setting.default_factory()
    return setting.metadata == _ADDED_LATER and value == default


CELL_NAMES = ("convlstm", "trajgru", "predrnn", "predrnn++", "mim", "motionrnn", "predrnn-v2", "preciplstm")
"""The keys of `models.zoo.CELLS`, known without torch."""
CONTROL = "unet"
"""In place of a cell: the control of `models.parts.unet`, for output "exceedance" only."""
RAIN_INPUTS: tuple[tuple[str, ...], ...] = (("rain",), ("rain", "coverage"))
"""What a network whose output is rain may read: the paper's frames, or these with where they have data."""
EXCEEDANCE_INPUTS = ("rain", "coverage", "phase", "last")
"""What one whose output is exceedance reads: a frame (observed, or the base of a lead), where there is data, the lead
time in hours (0 while it reads observations), and the last observed frame."""
_HALF_RESOLUTION_CELLS = ("motionrnn",)
"""Cells with states at half the resolution of their layer."""


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that is needed to build a network.

    Parameters
    ----------
    cell : str
        A key of `models.zoo.CELLS`, or `CONTROL`.
    scales : tuple of int
        Layer l works at 1 / 2^scales[l] of the resolution; all zeros is the plain stack.
    channels, kernel_size : int
        Hidden channels of every layer, and the edge of its convolutions (odd).
    patch : int
        patch x patch pixels are folded into channels before the embedding and unfolded after the head.
    inputs : tuple of str
        ("rain",) as in the papers, or ("rain", "coverage"); `EXCEEDANCE_INPUTS` for the output "exceedance".
    attention_window : int
        Edge of the window of local attention, in pixels of each layer (PrecipLSTM only).
    authors_quirks : bool
        Reproduce the authors' arithmetic where it departs from sound mathematics.
    output : "rain" or "exceedance"
        The next frame as in the papers, or for each threshold what is added to the log-odds that rain reaches it.
    thresholds : tuple of float
        mm/h, rising; for the output "exceedance".
    fine_patch : int
        0: embedding and head are products over single patches, as in the papers. Otherwise both are normalised
        convolutions at patches of this edge, around a stack at `patch`; see `models.parts.fine_path`.
    """

    cell: str
    scales: tuple[int, ...] = PLAIN
    channels: int = 64
    kernel_size: int = 3
    patch: int = 1
    inputs: tuple[str, ...] = ("rain",)
    attention_window: int = added_later(30)
    authors_quirks: bool = False
    output: Literal["rain", "exceedance"] = added_later("rain")
    thresholds: tuple[float, ...] = added_later(())
    fine_patch: int = added_later(0)

    @property
    def outputs(self) -> int:
        """Channels of a prediction: one of rain, or one for each threshold."""
        return len(self.thresholds) if self.output == "exceedance" else 1

    @property
    def pad_multiple(self) -> int:
        """Frames are padded to a multiple of this in rows and columns."""
        halvings = max(self.scales) + (self.cell in _HALF_RESOLUTION_CELLS)
        return int(self.patch * 2**halvings)
