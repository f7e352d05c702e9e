"""Are the probabilities true? Rain that is said to come with 30 % should come three times in ten.

python benchmarks/reliability.py EVENT.nc... [--model FOLDER] [--every 3] [--growth 0.4]

For each threshold: how often it rained where the probability was in a bin, and the Brier score (lower is better) of the
yes or no of the forecast itself, of the neighbourhood alone, of the time-lagged forecasts alone, of both with all
forecasts counting alike, and of both with weights, as the service gives them. Forecasts are extrapolations, or a
model's with --model (FOLDER holds model.onnx).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from models.baselines import Extrapolation
from models.forecaster import Forecaster
from models.onnx_forecaster import load_forecaster
from radar.extrapolation.neighbourhood import exceedance_probability, half_width_km
from radar.files.open import open_sequence
from radar.grid import Float64
from radar.scores.probability import MeanSum, brier, brier_sum
from radar.sequence import Float32, FrameSequence
from service.runs.probability import WHOLE_WEIGHT, weight
from service.runs.reader import THRESHOLDS
from service.runs.run import MOST_EARLIER

LEADS = (5, 15, 30, 60)
"""Minutes that are scored."""
_STEPS = 12
_BINS = np.array([0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0001])
_METHODS = ("yes or no", "neighbourhood", "time-lagged", "both, alike", "both")

Reliability = dict[float, Float64]
"""By threshold: (2, bins), how many pixels, and how many of them with rain."""


def starts(frames: FrameSequence, forecaster: Forecaster, every: int) -> Iterator[tuple[int, list[Float32]]]:
    """The place of the newest frame, and the forecasts (leads, H, W) from it and the frames before it, newest first."""
    for newest in range(forecaster.input_length - 1 + MOST_EARLIER, len(frames) - _STEPS, every):
        yield newest, [_forecast(frames, newest - lag, forecaster, _STEPS + lag) for lag in range(MOST_EARLIER + 1)]


def _forecast(frames: FrameSequence, newest: int, forecaster: Forecaster, steps: int) -> Float32:
    upto = replace(frames, rain_rate=frames.rain_rate[: newest + 1], valid_times=frames.valid_times[: newest + 1])
    return forecaster.forecast(upto, steps).rain_rate


def chances(forecasts: Sequence[Float32], lead: int, threshold: float, half: int) -> dict[str, Float32]:
    """Fields (H, W) by method."""
    step = lead // 5
    lagged = [forecast[step - 1 + lag] for lag, forecast in enumerate(forecasts)]
    weights = [WHOLE_WEIGHT, *(weight(lead, 5 * lag) for lag in range(1, len(lagged)))]
    return {
        "yes or no": exceedance_probability(lagged[:1], threshold, 0),
        "neighbourhood": exceedance_probability(lagged[:1], threshold, half),
        "time-lagged": exceedance_probability(lagged, threshold, 0, weights),
        "both, alike": exceedance_probability(lagged, threshold, half),
        "both": exceedance_probability(lagged, threshold, half, weights),
    }


def count(table: Float64, chance: Float32, observed: Float32, threshold: float) -> None:
    """Add pixels to a table of reliability."""
    known = np.isfinite(chance) & np.isfinite(observed)
    places = np.digitize(chance[known], _BINS) - 1
    table[0] += np.bincount(places, minlength=len(_BINS) - 1)
    table[1] += np.bincount(places, weights=observed[known] >= threshold, minlength=len(_BINS) - 1)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("events", type=Path, nargs="+")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--every", type=int, default=3, help="of the starts, one in so many is scored")
    parser.add_argument("--growth", type=float, help="km by which half the square grows in a minute")
    options = parser.parse_args()
    forecaster = load_forecaster(options.model / "model.onnx", provider="cpu") if options.model else Extrapolation()
    scores: dict[tuple[float, int, str], MeanSum] = {}
    reliability: Reliability = {threshold: np.zeros((2, len(_BINS) - 1)) for threshold in THRESHOLDS}
    cases = 0
    for path in options.events:
        frames = open_sequence([path], observations_only=True)
        for newest, forecasts in starts(frames, forecaster, options.every):
            cases += 1
            for lead in LEADS:
                observed = frames.rain_rate[newest + lead // 5]
                wide = options.growth * lead if options.growth else half_width_km(lead)
                half = round(wide / frames.grid.pixel_size_km)
                for threshold in THRESHOLDS:
                    for method, chance in chances(forecasts, lead, threshold, half).items():
                        key = (threshold, lead, method)
                        scores[key] = scores.get(key, MeanSum()) + brier_sum(chance, observed, threshold)
                        if method == "both":
                            count(reliability[threshold], chance, observed, threshold)
    print_tables(forecaster.name, cases, scores, reliability)


def print_tables(
    name: str, cases: int, scores: dict[tuple[float, int, str], MeanSum], reliability: Reliability
) -> None:
    """As they stand in docs/lab/probabilities.md."""
    print(f"{name}, {cases} starts\n")
    print("| Brier score, of 1,000 | lead | " + " | ".join(_METHODS) + " |\n" + "|" + "---|" * (2 + len(_METHODS)))
    for threshold in THRESHOLDS:
        for lead in LEADS:
            values = (1000 * brier(scores[threshold, lead, method]) for method in _METHODS)
            print(f"| {threshold:g} mm/h | {lead} min | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    middles = ["0 to 5"] + [f"{100 * low:.0f} to {100 * high:.0f}" for low, high in pairwise(_BINS[1:])]
    print("\n| it rained, in %, where it was said | " + " | ".join(middles) + " |\n" + "|" + "---|" * len(_BINS))
    for threshold, (pixels, rainy) in reliability.items():
        shares = [f"{100 * wet / many:.1f}" if many else "" for many, wet in zip(pixels, rainy, strict=True)]
        print(f"| {threshold:g} mm/h | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
