"""Three rules for rain that flows in from pixels without data: their errors over an hour, on those pixels.

python benchmarks/inflow.py EVENT.nc...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from radar.extrapolation.motion import extrapolate, hold_inflow, motion_field
from radar.files.open import open_sequence
from radar.sequence import Float32

_HISTORY, _LEADS = 4, 12


def rules(frames: Float32) -> dict[str, Float32]:
    """Forecasts (leads, H, W) after `frames` (T, H, W) by rule, and under "edge" where they count."""
    last = frames[-1]
    moved = extrapolate(last, motion_field(frames), _LEADS)
    return {
        "edge": (np.isnan(moved) & ~np.isnan(last)).astype(np.float32),
        "hold": np.stack(list(hold_inflow(moved, last))),
        "dry": np.zeros_like(moved),
        "persistence": np.repeat(last[None], _LEADS, axis=0),
    }


def main(paths: list[Path]) -> None:
    """One line for each event."""
    print("| event | pixels | share | MAE: hold | dry | persistence | mean error: hold | dry | persistence |")
    print("|" + "---|" * 9)
    for path in paths:
        rain = open_sequence([path], observations_only=True).rain_rate
        errors: dict[str, list[Float32]] = {"hold": [], "dry": [], "persistence": []}
        known = 0
        for start in range(_HISTORY, len(rain) - _LEADS, _LEADS):
            observed = rain[start + 1 : start + 1 + _LEADS]
            forecasts = rules(rain[start - _HISTORY + 1 : start + 1])
            edge = (forecasts.pop("edge") > 0) & np.isfinite(observed)
            known += int(np.isfinite(observed).sum())
            for name, forecast in forecasts.items():
                errors[name].append(forecast[edge] - observed[edge])
        joined = {name: np.concatenate(parts) for name, parts in errors.items()}
        means = [f"{np.abs(e).mean():.3f}" for e in joined.values()] + [f"{e.mean():+.3f}" for e in joined.values()]
        count = len(joined["hold"])
        print(f"| {path.stem} | {count} | {count / known:.1%} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
