"""Moving an array along a flow, bilinearly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Warp(nn.Module):
    """Samples an array (B, C, H, W) at (column + u, row + v), zeros outside, for a flow (B, 2, H, W) of (u, v).

    Parameters
    ----------
    mixed_conventions : bool
        The authors' arithmetic: positions normalised for corners at pixel centres, sampled for corners at pixel edges,
        so that zero flow is not the identity.
    """

    def __init__(self, *, mixed_conventions: bool = False) -> None:
        super().__init__()
        self.mixed_conventions = mixed_conventions

    def forward(self, array: Tensor, flow: Tensor) -> Tensor:
        """(B, C, H, W), (B, 2, H, W) in pixels -> (B, C, H, W)."""
        rows, columns = array.shape[-2:]
        u = self._normalised(flow[:, 0] + torch.arange(columns, dtype=flow.dtype, device=flow.device), columns)
        v = self._normalised(flow[:, 1] + torch.arange(rows, dtype=flow.dtype, device=flow.device)[:, None], rows)
        return F.grid_sample(array, torch.stack([u, v], dim=-1), padding_mode="zeros", align_corners=False)

    def _normalised(self, position: Tensor, size: int) -> Tensor:
        """Pixel positions on an axis of `size` pixels -> [-1, 1]."""
        if self.mixed_conventions:
            return 2 * position / max(size - 1, 1) - 1
        return (2 * position + 1) / size - 1
