"""A fine path around a recurrent stack: normalised convolutions in place of a network's linear embedding and head.

In a deep stack of cells with small weights the signal fades, so that a linear head sees next to a constant, and detail
below a patch is lost. Here the frame is embedded by convolutions at a finer patch, the stack works on coarser patches
of these features, and the head reads both. Channels are normalised in groups (Wu and He, 2018,
arXiv:1803.08494).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.spec import NetworkSpec

_MOST_GROUPS, _LEAST_IN_GROUP = 8, 4
_SMALLEST_VARIANCE = 1e-5


class FinePath(nn.Module):
    """Embedding and head at patches of `spec.fine_patch` pixels; the stack between works at `spec.patch`."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        channels, fine = spec.channels, spec.fine_patch
        self.fine, self.ratio = fine, spec.patch // fine
        area = self.ratio**2
        # A convolution with a stride in place of folding patches into channels, which costs a copy in another order.
        self.embedding = nn.Sequential(
            nn.Conv2d(len(spec.inputs), channels, 3 * fine, stride=fine, padding=fine),
            Normalised(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            Normalised(channels),
            nn.SiLU(),
        )
        self.down = nn.Sequential(nn.Conv2d(channels, channels, self.ratio, stride=self.ratio), Normalised(channels))
        self.up = nn.Sequential(Normalised(channels), nn.Conv2d(channels, area * channels, 1))
        self.head = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            Normalised(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, spec.outputs * fine**2, 1),
        )

    def zero_head(self) -> None:
        """Make every output 0 until training changes it."""
        last = cast(nn.Conv2d, self.head[-1])
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def embed(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Give features of a frame (B, inputs, H, W), and the input of the stack, (B, C, H / patch, W / patch)."""
        features = self.embedding(frame)
        return features, self.down(features)

    def predict(self, features: Tensor, output: Tensor) -> Tensor:
        """Give the prediction (B, outputs, H, W) from a frame's features and the stack's output."""
        raised = F.pixel_shuffle(self.up(output), self.ratio)
        return F.pixel_shuffle(self.head(torch.cat([raised, features], dim=1)), self.fine)


class Normalised(nn.Module):
    """Zero mean and unit variance of each group of channels over the whole frame, then a scale and a shift by channel.

    As `nn.GroupNorm`, but with the variance around the mean: the output of a deep stack varies little around its mean,
    and a variance in one pass, as runtimes compute it, loses that to rounding.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        counts = range(1, channels // _LEAST_IN_GROUP + 1) or (1,)
        self.groups = max(count for count in counts if channels % count == 0 and count <= _MOST_GROUPS)
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        grouped = x.reshape(x.shape[0], self.groups, -1)
        centred = grouped - grouped.mean(dim=2, keepdim=True)
        left = centred.mean(dim=2, keepdim=True)  # by rounding, of a mean over many pixels
        variance = (centred * centred).mean(dim=2, keepdim=True) - left.square()
        # By channel, so that the pixels are read once more, and not once for each factor. Weights keep their shape: an
        # export would fold another one into constants without a name.
        factors = self._by_channel(torch.rsqrt(variance + _SMALLEST_VARIANCE)) * self.weight
        return centred.reshape(x.shape) * factors + (self.bias - self._by_channel(left) * factors)

    def _by_channel(self, of_groups: Tensor) -> Tensor:
        """Numbers (B, groups, 1) as (B, C, 1, 1)."""
        channels = self.weight.shape[0]
        return of_groups.expand(-1, -1, channels // self.groups).reshape(-1, channels, 1, 1)
