"""The learning rate over a run: a warm-up, then a decline."""

from __future__ import annotations

import math

from training.config.config import FitConfig


def learning_rate(step: int, config: FitConfig) -> float:
    """A warm-up, then a cosine down to a hundredth, as a share of the configuration's rate.

    It depends on the run's length: a lengthened run continues like one that was as long from the beginning.
    """
    settings = config.optimiser
    if step < settings.warm_up:
        return (step + 1) / settings.warm_up
    progress = (step - settings.warm_up) / max(1, settings.iterations - settings.warm_up)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, progress))) / 2
