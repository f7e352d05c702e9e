"""How files name the statistic of a forecast: in words, and as NetCDF variables."""

from __future__ import annotations

from models.exceedance.odds import Statistic
from radar.files.netcdf.writer import RAINFALL_RATE, Quantity

RAIN = "rain rate in mm/h"
_WORDS: dict[Statistic, str] = {
    "matched": "with the distribution of the last frame",
    "mean": "mean of the forecast distribution",
    "median": "median of the forecast distribution",
    "p10": "10th percentile of the forecast distribution",
    "p90": "90th percentile of the forecast distribution",
}
_CELL_METHODS: dict[Statistic, str] = {
    "mean": "time: mean realization: mean",
    "median": "time: mean realization: median",
}
"""CF has no word for the others: the time mean is theirs, and `statistic` names them."""


def title_of(statistic: Statistic | None) -> str:
    """A description of rates: of an observation (None), of a picture, or of a statistic of the distribution."""
    return RAIN if statistic in (None, "matched") else f"{RAIN}, {_WORDS[statistic]}"


def quantity_of(statistic: Statistic | None) -> Quantity:
    """The NetCDF variable of rates; those of an observation (None) have no statistic."""
    if statistic is None:
        return RAINFALL_RATE
    changed = {"cell_methods": _CELL_METHODS.get(statistic, "time: mean"), "statistic": statistic}
    if statistic != "matched":
        changed["long_name"] = f"rainfall rate, {_WORDS[statistic]}"
    return Quantity(RAINFALL_RATE.name, tuple((dict(RAINFALL_RATE.attributes) | changed).items()))


def word_of(statistic: Statistic | None) -> str:
    """The word of a file name: none for the default, so that its name stays."""
    return "" if statistic in (None, "matched") else str(statistic)
