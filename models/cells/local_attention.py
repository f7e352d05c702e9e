"""Exact local attention: every pixel attends to a window around it, without custom kernels.

The window of `window` x `window` pixels reaches from -(window // 2) to (window - 1) // 2 on both axes. Positions
outside the grid have score 0 and value 0 and take part in the softmax, as with zero padding of keys and values.
Source: Ma, Zhang and Liu, PrecipLSTM, IEEE TGRS 60 (2022).

There are three ways to compute the same sums:

- by blocks of queries, row after row (`attention_rows.by_rows`): training and eager forecasts;
- by blocks in a fixed number of strips of any height, in plain operators (`by_strips`): export;
- every pixel with every other (`dense`): cheapest on grids of about the window's size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cells.attention_blocks import block_edge, block_reach, padded, window_bias
from models.cells.attention_rows import by_rows


class LocalAttention(nn.Module):
    """Queries, keys and values by 1x1 convolutions without bias, then `local_attention`; scores are not scaled.

    Parameters
    ----------
    channels, window : int
    strips : int
        Strips of `by_strips`, for export: more strips take less memory at a time.
    """

    def __init__(self, channels: int, window: int, strips: int = 1) -> None:
        super().__init__()
        self.window, self.strips = window, strips
        self.projections = nn.Conv2d(channels, 3 * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        queries, keys, values = self.projections(x).chunk(3, dim=1)
        if torch.compiler.is_exporting():
            return by_strips(queries, keys, values, self.window, self.strips)
        return local_attention(queries, keys, values, self.window)


def local_attention(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """The cheaper of `dense` and `by_rows` for the grid; all arrays are (B, C, H, W)."""
    rows, columns = queries.shape[-2:]
    small = rows * columns <= (block_reach(window) * block_edge(window)) ** 2
    return (dense if small else by_rows)(queries, keys, values, window)


def dense(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """Local attention with one score for every pair of pixels: (H W)^2 of them.

    All positions outside the grid are equal, so one key of zeros represents them; its score is the logarithm of their
    number.
    """
    rows, columns = queries.shape[-2:]
    bias = _dense_bias(rows, columns, window, queries)
    q, k, v = (array.flatten(2).mT for array in (queries, keys, values))
    k, v = (F.pad(array, (0, 0, 0, 1)) for array in (k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0).mT.reshape(queries.shape)


def by_strips(queries: Tensor, keys: Tensor, values: Tensor, window: int, strips: int) -> Tensor:
    """Local attention in `strips` strips of equal height, in operators that every runtime has."""
    rows, columns = queries.shape[-2:]
    block, reach = block_edge(window), block_reach(window)
    queries, keys, values = padded(queries, keys, values, window, strips * block)
    height = queries.shape[-2] // strips
    bias = _by_blocks(window_bias(window, queries), window)
    outputs = []
    for strip in range(strips):
        part = queries[:, :, strip * height : (strip + 1) * height]
        near = slice(strip * height, (strip + 1) * height + (reach - 1) * block)
        outputs.append(_attend_plainly(part, keys[:, :, near], values[:, :, near], bias, window))
    return torch.cat(outputs, dim=2)[..., :rows, :columns]


def _attend_plainly(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, window: int) -> Tensor:
    """Attention of whole blocks by products and a softmax."""
    block, reach = block_edge(window), block_reach(window)
    q = _blocks(queries, block)
    down, across = q.shape[1:3]
    k, v = (_neighbours(_blocks(array, block), down, across, reach) for array in (keys, values))
    return _grid(torch.softmax(q @ k.mT + bias, dim=-1) @ v, block)


def _by_blocks(bias: Tensor, window: int) -> Tensor:
    """The bias of keys in rows, for keys in the order of `_neighbours`."""
    block, reach = block_edge(window), block_reach(window)
    return bias.reshape(-1, reach, block, reach, block).transpose(2, 3).reshape(bias.shape)


def _blocks(array: Tensor, block: int) -> Tensor:
    """(B, C, rows, columns) -> (B, R, S, pixels, C): R x S blocks.

    First channels are moved to the end, then blocks are cut: runtimes are fast at each step, but not at both at once.
    """
    batch, channels, rows, columns = array.shape
    pixels = array.flatten(2).mT.reshape(batch, rows // block, block, columns // block, block, channels)
    return pixels.transpose(2, 3).reshape(batch, rows // block, columns // block, block**2, channels)


def _neighbours(blocks: Tensor, down: int, across: int, reach: int) -> Tensor:
    """(B, R', S', pixels, C) -> (B, R, S, reach^2 pixels, C): the concatenated neighbouring blocks of each block.

    One index is used, so that everything is copied once and in runs of whole blocks.
    """
    batch, _, columns, pixels, channels = blocks.shape
    near = torch.arange(reach, device=blocks.device)
    row = torch.arange(down, device=blocks.device)[:, None, None, None] + near[:, None]
    column = torch.arange(across, device=blocks.device)[:, None, None] + near
    gathered = blocks.reshape(batch, -1, pixels * channels).index_select(1, (row * columns + column).flatten())
    return gathered.reshape(batch, down, across, reach**2 * pixels, channels)


def _grid(blocks: Tensor, block: int) -> Tensor:
    """Inverse of `_blocks` with reach 1."""
    batch, down, across, _, channels = blocks.shape
    tiles = blocks.reshape(batch, down, across, block, block, channels).permute(0, 5, 1, 3, 2, 4)
    return tiles.reshape(batch, channels, down * block, across * block)


def _dense_bias(rows: int, columns: int, window: int, like: Tensor) -> Tensor:
    """The bias of scores: 0 in the window, -inf outside it, and the logarithm of how many lie off the grid."""
    down, across = (_in_window(size, window, like.device) for size in (rows, columns))
    in_window = (down[:, None, :, None] & across[None, :, None, :]).flatten(2).flatten(0, 1)
    outside = (window**2 - in_window.sum(dim=1, keepdim=True)).to(like.dtype).log()
    return torch.cat(
        [torch.zeros_like(in_window, dtype=like.dtype).masked_fill(~in_window, -torch.inf), outside], dim=1
    )


def _in_window(size: int, window: int, device: torch.device) -> Tensor:
    """Whether position j is in the window of i, on one axis: bool (size, size)."""
    offset = torch.arange(size, device=device) - torch.arange(size, device=device)[:, None] + window // 2
    return (offset >= 0) & (offset < window)
