"""Log-odds from the coordinates of a network to those of the ground, lead by lead."""

from __future__ import annotations

import numpy as np

from radar.extrapolation.motion import Trajectories
from radar.rain import WET_FROM
from radar.sequence import Float32

NEVER = -80.0
"""Log-odds where no rain was observed anywhere: a probability below 1e-34, and a number that is interpolated."""


class Ground:
    """Carries the log-odds of leads 1, 2, ... of one forecast.

    Parameters
    ----------
    observed : float32 (T, H, W)
        The frames in mm/h that the forecast starts from, NaN = no data. Where the last one has none, there is no
        forecast, and where none has rain, rain is impossible.
    motion : float32 (2, H, W) or None
        The motion field; None if the network's coordinates are those of the ground.
    """

    def __init__(self, observed: Float32, motion: Float32 | None) -> None:
        self._missing = np.isnan(observed[-1])
        self._dry = not (observed >= WET_FROM).any()
        self._paths = None if motion is None else Trajectories(motion)
        self._before: Float32 | None = None

    def carry(self, log_odds: Float32) -> Float32:
        """The log-odds (K, H, W) of the next lead, on the ground; NaN without a forecast. The next call changes them.

        Where rain would come from missing data, those of the lead before stay, as in
        `radar.extrapolation.motion.hold_inflow`.
        """
        if self._dry:
            return np.broadcast_to(np.where(self._missing, np.float32(np.nan), np.float32(NEVER)), log_odds.shape)
        if self._before is None:
            self._before = log_odds.copy()
        if self._paths is not None:
            self._paths.extend()
        for field, held in zip(log_odds, self._before, strict=True):
            found = self._carried(np.where(self._missing, np.float32(np.nan), field))
            np.copyto(held, found, where=np.isfinite(found))
            held[self._missing] = np.nan
        return self._before

    def _carried(self, field: Float32) -> Float32:
        return field if self._paths is None else self._paths.carry(field)
