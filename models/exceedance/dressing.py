"""The dressed base: a deterministic forecast as log-odds that rain reaches thresholds; needs no torch.

For each lead and threshold: log-odds = slope x (base - threshold) + offset, base and threshold in network units. A
logistic regression on one predictor, as in ensemble dressing (Roulston and Smith, 2003,
doi:10.3402/tellusa.v55i1.12082) of one member.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from radar.sequence import Float32

FIRST_SLOPE = 12.0
"""Before anything is learnt: log-odds per network unit, of which 1 is 45 dB of rain."""
LEADS_DRESSED = 12
"""Leads with values of their own; longer ones have those of the last."""


@dataclass(frozen=True)
class Dressing:
    """Slopes and offsets by lead and threshold; ValueError unless they are of one shape."""

    slopes: tuple[tuple[float, ...], ...]
    offsets: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        shapes = [{len(row) for row in rows} | {0} for rows in (self.slopes, self.offsets)]
        if len(self.slopes) != len(self.offsets) or not self.slopes or shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise ValueError("expected slopes and offsets of one shape, leads by thresholds")

    def log_odds(self, base: Float32, thresholds: Float32, lead: int) -> Float32:
        """Log-odds (K, H, W) for a lead (1, 2, ...) of its base (H, W) and thresholds (K,), all in network units."""
        row = min(lead, len(self.slopes)) - 1
        slopes, offsets = (np.array(rows[row], np.float32)[:, None, None] for rows in (self.slopes, self.offsets))
        return cast(Float32, slopes * (base - thresholds[:, None, None]) + offsets)
