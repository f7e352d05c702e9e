"""Local attention for training: one row of blocks at a time, with a backward pass of its own.

Only queries, keys, values and the result are kept. The backward pass recomputes the shares of a row, one product of
seven; autograd would recompute the whole row, three products of nine. Both passes stay within the processor's caches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.cells.attention_blocks import block_edge, block_reach, padded, window_bias


def by_rows(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """Local attention (see `models.cells.local_attention`) of arrays (B, C, H, W), computed in float32 at least."""
    arrays = [array if array.dtype == torch.float64 else array.float() for array in (queries, keys, values)]
    with torch.autocast(queries.device.type, enabled=False):
        attended: Tensor = _ByRows.apply(*arrays, window)  # type: ignore[no-untyped-call]
    return attended.to(queries.dtype)


class _Row(NamedTuple):
    """The arrays of a row of S blocks of B samples, each (B S, pixels, C)."""

    top: int
    queries: Tensor
    keys: Tensor
    values: Tensor

    def shares(self, bias: Tensor) -> Tensor:
        """The share of every key in every query: (B S, pixels of a block, pixels of its neighbourhood)."""
        return torch.softmax(torch.baddbmm(bias, self.queries, self.keys.mT), dim=-1)


class _ByRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:  # noqa: ANN401
        bias = window_bias(window, queries)
        blocks = _Blocks(queries, keys, values, window)
        out = torch.empty_like(blocks.queries)
        for row in blocks.rows():
            blocks.put(out, row.top, torch.bmm(row.shares(bias), row.values))
        attended = _cropped(out, queries.shape, 0)
        ctx.window = window
        ctx.save_for_backward(queries, keys, values, attended)
        return attended

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # noqa: ANN401
        queries, keys, values, attended = ctx.saved_tensors
        bias = window_bias(ctx.window, queries)
        blocks = _Blocks(queries, keys, values, ctx.window)
        given = blocks.like_queries(gradients[0])
        # The derivative of a softmax takes from each score its share of this.
        common = blocks.like_queries((gradients[0] * attended).sum(dim=1, keepdim=True))
        to_queries, to_keys, to_values = (torch.zeros_like(array) for array in blocks.arrays)
        for row in blocks.rows():
            shares, arriving = row.shares(bias), blocks.block_row(given, row.top)
            blocks.spread(to_values, row.top, torch.bmm(shares.mT, arriving))
            scores = torch.bmm(arriving, row.values.mT).sub_(blocks.block_row(common, row.top)).mul_(shares)
            blocks.put(to_queries, row.top, torch.bmm(scores, row.keys))
            blocks.spread(to_keys, row.top, torch.bmm(scores.mT, row.queries))
        before = ctx.window // 2
        cut = (_cropped(to_queries, queries.shape, 0), *(_cropped(a, keys.shape, before) for a in (to_keys, to_values)))
        return cut[0], cut[1], cut[2], None


class _Blocks:
    """Padded arrays (B, H, W, C), and access to their rows of blocks."""

    def __init__(self, queries: Tensor, keys: Tensor, values: Tensor, window: int) -> None:
        self._edge, self._reach = block_edge(window), block_reach(window)
        self.arrays = tuple(_channels_last(a) for a in padded(queries, keys, values, window, self._edge))

    @property
    def queries(self) -> Tensor:
        """(B, H, W, C), whole blocks."""
        return self.arrays[0]

    def rows(self) -> Iterator[_Row]:
        """The rows of blocks, from top to bottom."""
        queries, keys, values = self.arrays
        for top in range(0, queries.shape[1], self._edge):
            yield _Row(top, self.block_row(queries, top), self._near(keys, top), self._near(values, top))

    def like_queries(self, array: Tensor) -> Tensor:
        """(B, C, H, W) padded like the queries: (B, H, W, C)."""
        rows, columns = self.queries.shape[1:3]
        return _channels_last(F.pad(array, (0, columns - array.shape[3], 0, rows - array.shape[2])))

    def block_row(self, array: Tensor, top: int) -> Tensor:
        """The blocks that begin in row `top`: (B S, block^2, C)."""
        return self._tiles(array, top, 1).transpose(1, 2).reshape(-1, self._edge**2, array.shape[-1])

    def put(self, array: Tensor, top: int, blocks: Tensor) -> None:
        """Write such blocks back."""
        tiles = self._tiles(array, top, 1)
        tiles.copy_(blocks.view(tiles.transpose(1, 2).shape).transpose(1, 2))

    def spread(self, array: Tensor, top: int, near: Tensor) -> None:
        """Add values of the neighbourhoods of a row of blocks (B S, (reach block)^2, C)."""
        tiles = self._tiles(array, top, self._reach)
        batch, height, across, edge, channels = tiles.shape
        count = across - self._reach + 1
        parts = near.view(batch, count, height, self._reach, edge, channels).transpose(1, 2)
        for shift in range(self._reach):
            tiles[:, :, shift : shift + count] += parts[:, :, :, shift]

    def _near(self, array: Tensor, top: int) -> Tensor:
        """The neighbourhoods of a row of blocks: (B S, (reach block)^2, C)."""
        size = self._reach * self._edge
        near = array[:, top : top + size].unfold(2, size, self._edge)
        return near.permute(0, 2, 1, 4, 3).reshape(-1, size**2, array.shape[-1])

    def _tiles(self, array: Tensor, top: int, reach: int) -> Tensor:
        """A view of `reach` rows of blocks: (B, reach block, blocks across, block, C)."""
        batch, _, columns, channels = array.shape
        rows = array[:, top : top + reach * self._edge]
        return rows.view(batch, reach * self._edge, columns // self._edge, self._edge, channels)


def _channels_last(array: Tensor) -> Tensor:
    return array.permute(0, 2, 3, 1).contiguous()


def _cropped(array: Tensor, shape: torch.Size, before: int) -> Tensor:
    """(B, H, W, C) -> (B, C, *shape[-2:]), from `before` on in rows and columns."""
    rows, columns = shape[-2:]
    return array[:, before : before + rows, before : before + columns].permute(0, 3, 1, 2).contiguous()
