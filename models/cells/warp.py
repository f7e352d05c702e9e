"""Moving an array along a flow, bilinearly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def sampled(array: Tensor, grid: Tensor) -> Tensor:
    """An array (B, C, H, W) bilinearly at the positions (B, H, W, 2) of a grid in [-1, 1]; zeros outside."""
    return F.grid_sample(array, grid, padding_mode="zeros", align_corners=False)


sampled_whole = torch.library.custom_op(
    "raincell::sampled", sampled, mutates_args=(), schema="(Tensor array, Tensor grid) -> Tensor"
)
"""The same as one operator, for export: to find the result's shape, the exporter would decompose PyTorch's operator
into sums over unknown sizes, which took longer than the rest of the export."""


@sampled_whole.register_fake
def _(array: Tensor, grid: Tensor) -> Tensor:
    return array.new_empty(*array.shape[:2], *grid.shape[1:3])


class Warp(nn.Module):
    """Samples an array (B, C, H, W) at (column + u, row + v), zeros outside, for flows of (u, v).

    Parameters
    ----------
    mixed_conventions : bool
        The authors' arithmetic: positions are normalised for corners at pixel centres, but sampled for corners at pixel
        edges, so that zero flow is not the identity.
    """

    def __init__(self, *, mixed_conventions: bool = False) -> None:
        super().__init__()
        self.mixed_conventions = mixed_conventions

    def forward(self, array: Tensor, flows: Tensor) -> list[Tensor]:
        """The array along each of K flows: (B, C, H, W), (B, 2K, H, W) in pixels -> K of (B, C, H, W)."""
        rows, columns = array.shape[-2:]
        u, v = flows[:, 0::2], flows[:, 1::2]
        u = self._normalised(u + torch.arange(columns, dtype=u.dtype, device=u.device), columns)
        v = self._normalised(v + torch.arange(rows, dtype=v.dtype, device=v.device)[:, None], rows)
        grids = torch.stack([u, v], dim=-1).unbind(1)
        sample = sampled_whole if torch.compiler.is_exporting() else sampled
        return [sample(array, grid) for grid in grids]

    def _normalised(self, position: Tensor, size: int) -> Tensor:
        """Pixel positions on an axis of `size` pixels -> [-1, 1]."""
        if self.mixed_conventions:
            return 2 * position / max(size - 1, 1) - 1
        return (2 * position + 1) / size - 1
