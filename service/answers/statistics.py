"""How files name the statistic of a forecast: in words, and as NetCDF variables."""

from __future__ import annotations

from models.exceedance.odds import Statistic
from radar.files.netcdf.writer import RAINFALL_RATE, Quantity

RAIN = "rain rate in mm/h"
_WORDS: dict[Statistic, str] = {
    "mean": "mean of the forecast distribution",
    "median": "median of the forecast distribution",
    "p10": "10th percentile of the forecast distribution",
    "p90": "90th percentile of the forecast distribution",
}


def title_of(statistic: Statistic | None) -> str:
    """A description of rates: of an observation (None), of a picture, or of a statistic of the distribution."""
    return RAIN if statistic in (None, "matched") else f"{RAIN}, {_WORDS[statistic]}"


def quantity_of(statistic: Statistic | None) -> Quantity:
    """The NetCDF variable of rates; those of an observation (None) have no statistic.

    `cell_methods` has words for statistics over an axis of a file only, and here no axis is that of the distribution: a
    comment in it, as CF allows, and the attribute `statistic` name what a rate is beside the mean over its interval.
    """
    if statistic is None:
        return RAINFALL_RATE
    usual, changed = dict(RAINFALL_RATE.attributes), {"statistic": str(statistic)}
    if statistic != "matched":
        changed["long_name"] = f"{usual['long_name']}, {_WORDS[statistic]}"
        changed["cell_methods"] = f"{usual['cell_methods']} ({_WORDS[statistic]})"
    return Quantity(RAINFALL_RATE.name, tuple((usual | changed).items()))


def word_of(statistic: Statistic | None) -> str:
    """The word of a file name: none for the default, so that its name stays."""
    return "" if statistic in (None, "matched") else str(statistic)
