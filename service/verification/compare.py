"""Forecasts of one time against what was observed then, all on the same pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radar.scores.sums import ScoreSums, sums_of
from radar.sequence import Float32


class Forecasts(NamedTuple):
    """All that was forecast for one time, in mm/h, (H, W), NaN = no forecast.

    Parameters
    ----------
    served : str
        Whose forecast was served; a key of `judged`.
    judged : mapping of str to float32 (H, W)
        Those that say which pixels are compared: the served one, baselines, DWD's.
    shadows : mapping of str to float32 (H, W)
        Those that may be anything: one that lacks some of these pixels is not scored.
    probabilities : mapping of float to float32 (H, W)
        That were served, by threshold.
    """

    served: str
    judged: Mapping[str, Float32]
    shadows: Mapping[str, Float32]
    probabilities: Mapping[float, Float32]


def compare(forecasts: Forecasts, observed: Float32, pixel_size_km: float) -> dict[str, ScoreSums]:
    """The sums of each, over the pixels where the observation and all the judged forecasts are known.

    None at all where there is no such pixel.
    """
    known = np.isfinite(observed)
    for frame in forecasts.judged.values():
        known &= np.isfinite(frame)
    if not known.any():
        return {}
    seen = _only(observed, known)
    complete = {name: frame for name, frame in forecasts.shadows.items() if np.isfinite(frame[known]).all()}
    everybody = {**complete, **forecasts.judged}
    said = {forecasts.served: forecasts.probabilities}
    return {
        name: sums_of(frame, seen, pixel_size_km, said.get(name))  # NaN in one of the two is left out everywhere
        for name, frame in everybody.items()
    }


def _only(frame: Float32, known: npt.NDArray[np.bool_]) -> Float32:
    return np.where(known, frame, np.float32(np.nan))
