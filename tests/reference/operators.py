"""Warping and local attention, literally."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def warp(array: Tensor, flow: Tensor, *, quirks: bool) -> Tensor:
    """`array` (B, C, H, W) at (column + u, row + v), zeros outside; flow (B, 2, H, W) is (u, v) in pixels.

    With `quirks` as the authors do, else by the definition of bilinear interpolation.
    """
    rows, columns = array.shape[-2:]
    column = flow[:, 0] + torch.arange(columns, dtype=flow.dtype)
    row = flow[:, 1] + torch.arange(rows, dtype=flow.dtype)[:, None]
    if not quirks:
        return _bilinear(array, row, column)
    normalised = [2 * p / max(size - 1, 1) - 1 for p, size in ((column, columns), (row, rows))]
    return F.grid_sample(array, torch.stack(normalised, dim=-1), align_corners=False)


def _bilinear(array: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Row and column (B, H, W): four neighbours, each weighted by how near it is."""
    top, left = row.floor(), column.floor()
    parts = []
    for r, c in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        weight = (1 - (row - r).abs()) * (1 - (column - c).abs())
        parts.append(weight[:, None] * _taken(array, r.long(), c.long()))
    return torch.stack(parts).sum(dim=0)


def _taken(array: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The array's values at whole positions (B, H, W), zeros outside."""
    rows, columns = array.shape[-2:]
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    sample = torch.arange(len(array))[:, None, None]
    values = array.movedim(1, -1)[sample, row.clamp(0, rows - 1), column.clamp(0, columns - 1)]
    return torch.where(inside[..., None], values, 0).movedim(-1, 1)


def looped_attention(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """Local attention pixel by pixel; all arrays (B, C, H, W).

    The window of a pixel reaches from -(window // 2) to (window - 1) // 2 on both axes. What lies outside the grid has
    score 0 and value 0 and takes part in the softmax.
    """
    batch, _, rows, columns = queries.shape
    before, after = window // 2, (window - 1) // 2
    output = torch.zeros_like(queries)
    for b in range(batch):
        for row in range(rows):
            for column in range(columns):
                near = (
                    slice(max(row - before, 0), row + after + 1),
                    slice(max(column - before, 0), column + after + 1),
                )
                key, value = keys[b][:, *near].flatten(1), values[b][:, *near].flatten(1)
                scores = queries[b, :, row, column] @ key
                outside = scores.new_zeros(window**2 - scores.numel())
                shares = torch.softmax(torch.cat([scores, outside]), dim=0)
                output[b, :, row, column] = value @ shares[: scores.numel()]
    return output


def unfold_attention(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """As `looped_attention`, with every pixel's window of keys and of values copied out: B C window^2 H W of each."""
    batch, channels, rows, columns = queries.shape
    before, after = window // 2, (window - 1) // 2
    near = [
        F.unfold(F.pad(array, (before, after, before, after)), window).view(batch, channels, window**2, rows * columns)
        for array in (keys, values)
    ]
    scores = torch.einsum("bcp,bcwp->bwp", queries.flatten(2), near[0])
    shares = torch.softmax(scores, dim=1)
    return torch.einsum("bwp,bcwp->bcp", shares, near[1]).reshape(queries.shape)


def block_attention(queries: Tensor, keys: Tensor, values: Tensor, window: int, block: int = 16) -> Tensor:
    """As `looped_attention`, by products of blocks of pixels with the neighbourhoods that hold their windows.

    What one writes without a compiled extension and without the memory that `unfold_attention` takes.
    """
    batch, channels, rows, columns = queries.shape
    before, after, near = window // 2, (window - 1) // 2, block + window - 1
    below, right = -rows % block, -columns % block
    whole = F.pad(queries, (0, right, 0, below))
    around = [F.pad(array, (before, right + after, before, below + after)) for array in (keys, values)]
    q = F.unfold(whole, block, stride=block).view(batch, channels, block**2, -1).permute(0, 3, 2, 1)
    k, v = (F.unfold(a, near, stride=block).view(batch, channels, near**2, -1).permute(0, 3, 2, 1) for a in around)
    offset = torch.arange(near) - torch.arange(block)[:, None]
    seen = (offset >= 0) & (offset < window)
    mask = (seen[:, None, :, None] & seen[None, :, None, :]).reshape(block**2, near**2)
    shares = torch.softmax((q @ k.mT).masked_fill(~mask, -torch.inf), dim=-1)
    output = (shares @ v).permute(0, 3, 2, 1).reshape(batch, channels * block**2, -1)
    return F.fold(output, whole.shape[-2:], block, stride=block)[..., :rows, :columns]
