"""Local attention in blocks: edges, neighbourhoods, padding, and the keys that a query sees."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def block_edge(window: int) -> int:
    """Edge of a block of queries: small blocks compute few scores outside the window, large ones copy little."""
    return max(1, window // 3)


def block_reach(window: int) -> int:
    """The number of blocks of keys, on each axis, that hold the windows of one block of queries."""
    return -(-(block_edge(window) + window - 1) // block_edge(window))


def padded(
    queries: Tensor, keys: Tensor, values: Tensor, window: int, row_multiple: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Pad with zeros: queries up to whole blocks; keys and values also on all sides, as far as the windows reach."""
    block = block_edge(window)
    rows, columns = queries.shape[-2:]
    more = ((columns + block - 1) // block * block - columns, _up(rows, row_multiple) - rows)
    before, around = window // 2, (block_reach(window) - 1) * block
    sides = (before, more[0] + around - before, before, more[1] + around - before)
    return F.pad(queries, (0, more[0], 0, more[1])), F.pad(keys, sides), F.pad(values, sides)


def _up(size: int, multiple: int) -> int:
    return (size + multiple - 1) // multiple * multiple


def window_bias(window: int, like: Tensor) -> Tensor:
    """The bias of a block's scores: 0 where a key is in a query's window, else -inf; (block^2, (reach block)^2)."""
    block = block_edge(window)
    offset = torch.arange(block_reach(window) * block, device=like.device)
    offset = offset - torch.arange(block, device=like.device)[:, None]
    in_window = (offset >= 0) & (offset < window)
    both = (in_window[:, None, :, None] & in_window[None, :, None, :]).flatten(2).flatten(0, 1)
    return torch.zeros(1, dtype=like.dtype, device=like.device).masked_fill(~both, -torch.inf)
