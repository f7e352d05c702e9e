"""The width of the neighbourhood with the best probabilities: Brier scores of extrapolation, by lead time and width.

python benchmarks/neighbourhood.py EVENT.nc...
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from models.baselines import Extrapolation
from radar.extrapolation.neighbourhood import exceedance_probability, half_width_pixels
from radar.files.open import open_sequence
from radar.scores.probability import MeanSum, brier, brier_sum
from training.evaluate.score_event import part

THRESHOLDS = (0.5, 1.0, 5.0)
LEADS = (1, 2, 3, 6, 9, 12)
WIDTHS = (1, 3, 5, 9, 13, 17, 21, 25, 31, 37, 45)
_HISTORY, _STRIDE = 5, 8


def main(paths: list[Path]) -> None:
    """One line for each event, threshold and lead time."""
    print("| event | mm/h | minutes | best width (km) | Brier: one pixel | the best width | the rule |")
    print("|" + "---|" * 7)
    for path in paths:
        sequence = open_sequence([path], observations_only=True)
        minutes, pixel = sequence.timestep_minutes, sequence.grid.pixel_size_km
        rule = {lead: 2 * half_width_pixels(lead * minutes, pixel) + 1 for lead in LEADS}
        sums: dict[tuple[float, int, int], MeanSum] = defaultdict(MeanSum)
        for start in range(0, len(sequence) - _HISTORY - LEADS[-1] + 1, _STRIDE):
            forecast = Extrapolation().forecast(part(sequence, start, _HISTORY), LEADS[-1]).rain_rate
            for lead in LEADS:
                observed = sequence.rain_rate[start + _HISTORY - 1 + lead]
                for threshold in THRESHOLDS:
                    for width in {*WIDTHS, rule[lead]}:
                        said = exceedance_probability([forecast[lead - 1]], threshold, width // 2)
                        sums[threshold, lead, width] += brier_sum(said, observed, threshold)
        for threshold in THRESHOLDS:
            for lead in LEADS:
                scores = {width: brier(sums[threshold, lead, width]) for width in WIDTHS}
                best = min(scores, key=lambda width: scores[width])
                ruled = brier(sums[threshold, lead, rule[lead]])
                told = f"{best * pixel:.0f} | {scores[1]:.4f} | {scores[best]:.4f} | {ruled:.4f}"
                print(f"| {path.stem} | {threshold:g} | {lead * minutes} | {told} |", flush=True)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
