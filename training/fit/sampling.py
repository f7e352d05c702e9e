"""The frames that a network reads in training: true ones, or its own predictions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from training.config.config import Reads

SCHEDULES = ("none", "scheduled", "reverse")


def truth_odds(schedule: Reads, progress: float) -> tuple[float, float]:
    """Probabilities of reading the true frame in the input part (from its second frame on) and after it.

    Parameters
    ----------
    schedule : str
        "none": 1 and 0, as in a forecast. "scheduled" (Bengio et al., 2015, arXiv:1506.03099): 1, and from 1 down to 0.
        "reverse" (Wang et al., 2021, arXiv:2103.09504): in thirds of the training 0.5, then towards 1, then 1; and
        0.5, then down to 0, then 0.
    progress : float
        0 at the first iteration, 1 at the end.
    """
    if schedule == "none":
        return 1.0, 0.0
    if schedule == "scheduled":
        return 1.0, 1.0 - progress
    beyond = progress - 1 / 3
    if beyond < 0:
        return 0.5, 0.5
    if beyond < 1 / 3:
        return 1.0 - 0.5 * math.exp(-15 * beyond), 0.5 * (1 - 3 * beyond)
    return 1.0, 0.0


def draw_reads(
    schedule: Reads, progress: float, input_length: int, leads: int, draw: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Whether each of the frames that one sample reads, (input_length + leads - 1,), is the true one."""
    before, after = truth_odds(schedule, progress)
    odds = np.array([1.0] + [before] * (input_length - 1) + [after] * (leads - 1))
    reads: npt.NDArray[np.bool_] = draw.random(len(odds)) < odds
    return reads
