"""The numbers that tests/radar/scores/test_reference_scores.py expects: scores by pysteps, `scores` and scikit-image.

    python3 -m venv /tmp/pysteps
    /tmp/pysteps/bin/pip install pysteps scores scikit-image opencv-python-headless
    /tmp/pysteps/bin/python benchmarks/reference_scores.py

prints them as JSON. Nothing of this project is imported: pysteps compiles from source and is no dependency of it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLD = 1.0
"""mm/h."""
WIDTHS = (1, 2, 5, 10)
"""Pixels of the neighbourhoods."""

Float32 = npt.NDArray[np.float32]


def rain(shape: tuple[int, ...], seed: int, blocks: int = 6) -> Float32:
    """Patchy rain in mm/h: coarse cells times fine noise. RandomState, whose streams NumPy keeps for ever."""
    draw = np.random.RandomState(seed)
    coarse = draw.uniform(-2, 2, (*shape[:-2], -(-shape[-2] // blocks), -(-shape[-1] // blocks)))
    cells = np.repeat(np.repeat(coarse, blocks, -2), blocks, -1)[..., : shape[-2], : shape[-1]]
    return np.maximum(cells + draw.uniform(0, 2, shape), 0).astype(np.float32)


def fields() -> tuple[Float32, Float32]:
    """Forecast and observation (44, 44) that have something in common."""
    observed = rain((44, 44), 1)
    return (np.roll(observed, (2, 3), (0, 1)) + rain((44, 44), 2)) * np.float32(0.5), observed


def with_gaps(field: Float32, seed: int) -> Float32:
    """The field with a tenth of its pixels missing."""
    missing = np.random.RandomState(seed).uniform(size=field.shape) < 0.1
    return np.where(missing, np.float32(np.nan), field)


def ensemble() -> Float32:
    """Seven members (7, 44, 44), none equal to the observation: pysteps' CRPS leaves ties out."""
    return (rain((7, 44, 44), 3) + fields()[1]) * np.float32(0.5) + np.float32(0.01)


def in_margin(field: Float32) -> Float32:
    """The field in a dry margin as wide as the widest window: `scores` and pysteps differ at the border of a frame."""
    return np.pad(field, 10)


def as_picture(field: Float32) -> Float32:
    """The field in units from 0 to 1."""
    return (field / np.float32(6)).clip(0, 1)


def by_pysteps() -> dict[str, Any]:
    """What pysteps says."""
    from pysteps.utils.spectral import rapsd
    from pysteps.verification.detcatscores import det_cat_fct
    from pysteps.verification.detcontscores import det_cont_fct
    from pysteps.verification.probscores import CRPS
    from pysteps.verification.spatialscores import fss

    said, seen = fields()
    names = {"CSI": "csi", "POD": "pod", "FAR": "far", "HSS": "hss", "ETS": "ets", "BIAS": "frequency_bias"}
    # No gaps here: pysteps counts a missing pixel as a dry one.
    categorical = det_cat_fct(said, seen, THRESHOLD, scores=list(names))
    continuous = det_cont_fct(with_gaps(said, 5), with_gaps(seen, 6), scores=["MAE", "RMSE"])
    return {
        **{ours: float(categorical[theirs]) for theirs, ours in names.items()},
        "mae": float(continuous["MAE"]),
        "rmse": float(continuous["RMSE"]),
        "fss": {str(width): float(fss(said, seen, THRESHOLD, width)) for width in WIDTHS},
        "crps": float(CRPS(ensemble(), seen)),
        "rapsd": {
            str(size): [float(p) for p in rapsd(seen[:size, :size].astype(float), fft_method=np.fft)] for size in (8, 9)
        },
    }


def by_scores() -> dict[str, Any]:
    """What the `scores` package says."""
    import xarray as xr
    from scores.categorical import BinaryContingencyManager
    from scores.continuous import mae, rmse
    from scores.probability import brier_score, crps_for_ensemble
    from scores.spatial import fss_2d

    said, seen = (xr.DataArray(field, dims=("y", "x")) for field in fields())
    said_gaps, seen_gaps = said.copy(data=with_gaps(fields()[0], 5)), seen.copy(data=with_gaps(fields()[1], 6))
    wet = ((field >= THRESHOLD).where(field.notnull()) for field in (said_gaps, seen_gaps))
    table = BinaryContingencyManager(*wet)
    margins = [xr.DataArray(in_margin(field), dims=("y", "x")) for field in fields()]
    options: dict[str, Any] = {"event_threshold": THRESHOLD, "spatial_dims": ("y", "x")}
    members = xr.DataArray(ensemble(), dims=("member", "y", "x"))
    probability = xr.DataArray((ensemble() >= THRESHOLD).mean(axis=0), dims=("y", "x"))
    return {
        "csi": float(table.critical_success_index()),
        "pod": float(table.probability_of_detection()),
        "far": float(table.false_alarm_ratio()),
        "hss": float(table.heidke_skill_score()),
        "ets": float(table.equitable_threat_score()),
        "frequency_bias": float(table.frequency_bias()),
        "mae": float(mae(said_gaps, seen_gaps)),
        "rmse": float(rmse(said_gaps, seen_gaps)),
        "fss": {str(width): float(fss_2d(*margins, window_size=(width, width), **options)) for width in WIDTHS},
        "crps": float(crps_for_ensemble(members, seen, "member", method="ecdf")),
        "brier": float(brier_score(probability, (seen >= THRESHOLD).astype(float))),
    }


def by_skimage() -> dict[str, Any]:
    """What scikit-image says of the fields as pictures with a data range of 1, windows as in Wang et al. (2004)."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    said, seen = (as_picture(field).astype(np.float64) for field in fields())
    windows: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "ssim": float(structural_similarity(said, seen, data_range=1.0, **windows)),
        "psnr": float(peak_signal_noise_ratio(seen, said, data_range=1.0)),
    }


if __name__ == "__main__":
    print(json.dumps({"pysteps": by_pysteps(), "scores": by_scores(), "skimage": by_skimage()}, indent=1))
