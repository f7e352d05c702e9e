"""The frame that is missing between two others."""

from __future__ import annotations

import numpy as np

from radar.extrapolation.motion import Float32, carry_each, motion_field


def halfway(before: Float32, after: Float32) -> Float32:
    """The rain halfway in time between two frames, moved along with it rather than faded over.

    The earlier frame is carried half the way forward along the motion between the two, the later one half the way
    back, and the mean is taken: semi-Lagrangian advection as in `radar.extrapolation.motion`.

    Parameters
    ----------
    before, after : float32 (H, W)
        mm/h, NaN = no data.

    Returns
    -------
    float32 (H, W)
        Where only one of the two has data, that one; NaN where neither has.
    """
    motion = motion_field(np.stack([before, after])) * np.float32(0.5)
    forward, back = carry_each([before], motion)[0], carry_each([after], motion, direction=-1)[0]
    mean: Float32 = (forward + back) * np.float32(0.5)
    filled: Float32 = np.where(np.isnan(forward), back, np.where(np.isnan(back), forward, mean))
    return filled
