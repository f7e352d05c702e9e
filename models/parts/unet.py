"""A plain U-Net in place of recurrent cells: the control that a recurrent network has to beat at the same cost.

It reads the last observed frames and the base of a lead at once, and keeps nothing of the leads before (Ronneberger,
Fischer and Brox, 2015, arXiv:1505.04597). Widths are chosen so that a step costs as much as one of six ConvLSTM cells
with as many channels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from models.parts.fine_path import Normalised
from models.spec import NetworkSpec
from models.stack import StackState, StackStep

PAST_FRAMES = 5
"""The newest observed frames that it reads; their inputs are its only state."""
_WIDTHS = (1.0, 2.0)
"""Channels of the finest and of the coarser levels, in parts of the spec's."""


class UNet(nn.Module):
    """Levels at each scale of the spec; a step takes the embedded frame like `models.stack.Stack`.

    Attributes
    ----------
    checkpointing : bool
        As that of `models.stack.Stack`.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.channels, self.checkpointing = spec.channels, False
        self.states = (StackState("past", PAST_FRAMES * spec.channels, 0),)
        widths = [4 * round(part * spec.channels / 4) for part in (_WIDTHS[0], *[_WIDTHS[1]] * max(spec.scales))]
        self.entry = nn.Conv2d((PAST_FRAMES + 1) * spec.channels, widths[0], 1)
        self.down = nn.ModuleList(_block(*pair) for pair in zip([widths[0], *widths], widths, strict=False))
        pairs = list(itertools.pairwise(widths))
        self.up = nn.ModuleList(_block(fine + coarse, fine) for fine, coarse in reversed(pairs))
        self.exit = nn.Conv2d(widths[0], spec.channels, 1)

    def forward(self, x: Tensor, states: Sequence[Tensor], observed: Tensor) -> StackStep:
        """One step: x (B, C, H, W); `observed` (B, 1, 1, 1) is 1 for an observed frame, which is kept, else 0."""
        kept = self.keep(x, states, observed)
        run = self._fields if not (self.checkpointing and torch.is_grad_enabled()) else self._checkpointed
        return StackStep(run(torch.cat([*kept, x], dim=1)), kept, ())

    def keep(self, x: Tensor, states: Sequence[Tensor], observed: Tensor) -> tuple[Tensor, ...]:
        """The state after a step: the newest observed frames."""
        (past,) = states
        return (torch.where(observed > 0, torch.cat([past[:, self.channels :], x], dim=1), past),)

    def _fields(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        passed: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x)
            passed.append(x)
        for block, fine in zip(self.up, reversed(passed[:-1]), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, fine], dim=1))
        fields: Tensor = self.exit(x)
        return fields

    def _checkpointed(self, x: Tensor) -> Tensor:
        fields: Tensor = checkpoint(self._fields, x, use_reentrant=False, preserve_rng_state=False)
        return fields


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, padding=1), Normalised(outputs), nn.SiLU()]
    return nn.Sequential(*layers)
