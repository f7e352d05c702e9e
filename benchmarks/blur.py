"""The effect of blur on extrapolation, without learning: the choice of the base of the bundled models.

    python benchmarks/blur.py EVENT.nc... [--km 0,3,6,9,12] [--stride 10]

For each event and each width of the blur (`radar.extrapolation.motion.Smoothing`, km at one hour): CSI at 1 and 5 mm/h,
MAE in mm/h and frequency bias, averaged over the lead times to 60 minutes or to 30.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import numpy as np

from radar.extrapolation.motion import Smoothing, carried, hold_inflow, motion_field
from radar.files.open import open_sequence
from radar.scores.pixels import ContingencyTable, ErrorSum, contingency, csi, error_sum, frequency_bias, mae
from radar.sequence import Float32

INPUTS, LEADS, SOON = 5, 12, 6
THRESHOLDS = (1.0, 5.0)


class Sums:
    """Contingency tables by threshold and lead time, and absolute errors by lead time."""

    def __init__(self, leads: int) -> None:
        self._tables = {threshold: [ContingencyTable()] * leads for threshold in THRESHOLDS}
        self._errors = [ErrorSum()] * leads

    def add(self, lead: int, forecast: Float32, observed: Float32) -> None:
        """Add one forecast frame."""
        for threshold, tables in self._tables.items():
            tables[lead] = tables[lead] + contingency(forecast, observed, threshold)
        self._errors[lead] = self._errors[lead] + error_sum(forecast, observed)

    def row(self) -> list[float]:
        """CSI 1, CSI 5, CSI 5 to 30 minutes, MAE, bias 1, bias 5 to 30 minutes."""
        rain, heavy = (self._tables[threshold] for threshold in THRESHOLDS)
        csis = [fmean(map(csi, tables)) for tables in (rain, heavy, heavy[:SOON])]
        biases = [fmean(map(frequency_bias, tables)) for tables in (rain, heavy[:SOON])]
        return [*csis, fmean(map(mae, self._errors)), *biases]


def main() -> None:
    """Print a row for each event and width."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("events", metavar="EVENT.nc", type=Path, nargs="+")
    parser.add_argument("--km", default="0,3,6,9,12")
    parser.add_argument("--stride", type=int, default=10, help="timesteps from one start to the next")
    arguments = parser.parse_args()
    widths = [float(width) for width in arguments.km.split(",")]
    print("| event | blur km | CSI 1 mm/h | CSI 5 mm/h | CSI 5, to 30 min | MAE | bias 1 mm/h | bias 5, to 30 min |")
    print("|---" * 8 + "|")
    for event in arguments.events:
        for width, sums in zip(widths, _measure(event, widths, arguments.stride), strict=True):
            cells = [event.stem, f"{width:g}", *(f"{value:.3f}" for value in sums.row())]
            print(f"| {' | '.join(cells)} |", flush=True)


def _measure(event: Path, widths: list[float], stride: int) -> list[Sums]:
    rain_rate = open_sequence([event], observations_only=True).rain_rate
    leads = min(LEADS, len(rain_rate) - INPUTS)
    sums = [Sums(leads) for _ in widths]
    for start in range(0, len(rain_rate) - INPUTS - leads + 1, stride):
        observed, later = np.split(rain_rate[start : start + INPUTS + leads], [INPUTS])
        motion, last = motion_field(observed), observed[-1]
        for width, summed in zip(widths, sums, strict=True):
            blur = Smoothing(km_at_one_hour=width)
            frames = (blur.apply(last, 5 * lead, 1.0) for lead in range(1, leads + 1))
            for lead, forecast in enumerate(hold_inflow(carried(frames, motion), last)):
                summed.add(lead, forecast, later[lead])
    return sums


if __name__ == "__main__":
    main()
