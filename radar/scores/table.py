"""Every score, one row each: layouts of sums, tables, reports, answers and gauges are made from `SCORES`.

A new score is one file with its pure functions, from a `Comparison` to sums that add up and from the sums to the score,
and one row here. A score may read the sums of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from radar.scores import balanced, equal_area, fss, image_quality, pixels, probability, spectrum
from radar.scores.comparison import Comparison
from radar.scores.pixels import ContingencyTable, ErrorSum
from radar.scores.probability import MeanSum

Axis = Literal["frame", "threshold", "neighbourhood"]
"""A score has one value for a frame, for each threshold, or for each threshold and width of neighbourhoods."""
Best = Literal["highest", "lowest", "near 1"]
Place = Literal["evaluation", "hindcast", "live"]
"""Where the sums of a score are added up, and where its values are written."""
Table = Literal["headline", "means", "differences", "plots"]
"""headline: the narrow tables of every command; means: the output of `evaluate`; the others: the report."""

EVERYWHERE: tuple[Place, ...] = ("evaluation", "hindcast", "live")
OFFLINE: tuple[Place, ...] = ("evaluation", "hindcast")
EVALUATION: tuple[Place, ...] = ("evaluation",)
SERVED: tuple[Place, ...] = ("evaluation", "live")
MAIN: tuple[Table, ...] = ("headline", "differences", "plots")


@dataclass(frozen=True)
class Statistic:
    """A few additive sums that scores are read from.

    Parameters
    ----------
    name : str
        The name in ledgers.
    kind : type
        A dataclass of numbers; scores also accept arrays in it.
    axis : Axis
    update : callable
        From a `Comparison` to a `kind`; it also takes the threshold in mm/h and the width in km, where `axis` has them.
    columns : tuple of str
        Names of the sums in the store of a hindcast; by default `name` with the name of each field of `kind`.
    """

    name: str
    kind: type[Any]
    axis: Axis
    update: Callable[..., Any]
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns:
            object.__setattr__(self, "columns", tuple(f"{self.name}_{each.name}" for each in fields(self.kind)))

    @property
    def whole(self) -> list[bool]:
        """Whether each of the sums is a whole number."""
        return [each.type in (int, "int") for each in fields(self.kind)]


@dataclass(frozen=True)
class Score:
    """A score, and where it is shown.

    Parameters
    ----------
    name : str
        The name in JSON.
    title : str
        The title in tables.
    best : Best
    sums : Statistic
    read : callable
        From the kind of `sums` to the score; NaN where undefined.
    kept : tuple of Place
    shown : tuple of Table
        Tables that show it; files and the report's tables have all kept scores.
    label : str
        The label on plots, if it differs from the title.
    gauge : str
        The help text in /metrics; "" = it is neither a gauge nor in the hours of GET /verification.
    distributions_only : bool
        Whether it is undefined for a forecast that is neither an ensemble nor a distribution.
    """

    name: str
    title: str
    best: Best
    sums: Statistic
    read: Callable[[Any], Any]
    kept: tuple[Place, ...] = EVERYWHERE
    shown: tuple[Table, ...] = ("means",)
    label: str = ""
    gauge: str = ""
    distributions_only: bool = False

    @property
    def axis(self) -> Axis:
        """What the score has a value for."""
        return self.sums.axis


def at_width(name: str, width_km: float) -> str:
    """The name of a score of neighbourhoods at one width, such as "fss_5km"."""
    return f"{name}_{width_km:g}km"


def _counts(pair: Comparison, threshold: float) -> ContingencyTable:
    return pixels.contingency(*pair.rain, threshold)


def _errors(pair: Comparison) -> ErrorSum:
    return pixels.error_sum(*pair.rain)


def _fractions(pair: Comparison, threshold: float, width_km: float) -> fss.FractionSum:
    return fss.fraction_sum(*pair.rain, threshold, fss.scale_pixels(width_km, pair.pixel_size_km))


def _brier(pair: Comparison, threshold: float) -> MeanSum:
    forecast = pair.probabilities
    return probability.brier_sum(forecast[threshold], pair.observed.rain_rate, threshold) if forecast else MeanSum()


def _unit_errors(pair: Comparison) -> ErrorSum:
    return pixels.error_sum(*pair.units)


def _balanced(pair: Comparison) -> ErrorSum:
    return balanced.balanced_error_sum(*pair.units, balanced.balanced_weight(pair.observed.rain_rate))


def _similarity(pair: Comparison) -> MeanSum:
    return image_quality.ssim_sum(*pair.units)


def _small_scale(pair: Comparison) -> spectrum.PowerSum:
    return spectrum.small_scale_sum(*pair.power, pair.observed.rain_rate.shape, pair.pixel_size_km)


def _crps(pair: Comparison) -> MeanSum:
    observed = pair.observed.rain_rate
    if pair.distribution:
        return probability.crps_of_probabilities(pair.probabilities, observed)
    return MeanSum() if pair.ensemble is None else probability.crps_sum(pair.ensemble, observed)


def _equal_area(pair: Comparison, threshold: float) -> equal_area.EqualAreaSum:
    if not pair.areas:
        return equal_area.EqualAreaSum()
    order, observed = pair.order(threshold), pair.observed.rain_rate
    return equal_area.equal_area_sum(order, observed, threshold, pair.areas[threshold])


_TABLE_COLUMNS = ("hits", "misses", "false_alarms", "correct_negatives")
COUNTS = Statistic("counts", ContingencyTable, "threshold", _counts, _TABLE_COLUMNS)
ERRORS = Statistic("errors", ErrorSum, "frame", _errors, ("absolute_error", "squared_error", "pixels"))
FRACTIONS = Statistic("fss", fss.FractionSum, "neighbourhood", _fractions)
BRIER = Statistic("brier", MeanSum, "threshold", _brier)
UNIT_ERRORS = Statistic("unit_errors", ErrorSum, "frame", _unit_errors)
BALANCED = Statistic("balanced", ErrorSum, "frame", _balanced)
SIMILARITY = Statistic("similarity", MeanSum, "frame", _similarity)
POWER = Statistic("small_scale", spectrum.PowerSum, "frame", _small_scale)
CRPS = Statistic("crps", MeanSum, "frame", _crps)
EQUAL_AREA = Statistic("equal_area", equal_area.EqualAreaSum, "threshold", _equal_area)

_ROWS = (
    Score("csi", "CSI", "highest", COUNTS, pixels.csi, shown=MAIN, gauge="CSI"),
    Score("fss", "FSS", "highest", FRACTIONS, fss.fss, shown=MAIN),
    Score("bias", "bias", "near 1", COUNTS, pixels.frequency_bias, shown=("headline", "plots"), label="frequency bias"),
    Score("pod", "POD", "highest", COUNTS, pixels.pod),
    Score("far", "FAR", "lowest", COUNTS, pixels.far),
    Score("hss", "HSS", "highest", COUNTS, pixels.hss, OFFLINE, shown=()),
    Score("ets", "ETS", "highest", COUNTS, pixels.ets, OFFLINE, ("differences",)),
    Score("brier", "Brier", "lowest", BRIER, probability.brier, SERVED, ("differences", "plots"), label="Brier score"),
    Score("mae", "MAE", "lowest", ERRORS, pixels.mae, EVERYWHERE, MAIN, "MAE (mm/h)", "Mean absolute error in mm/h"),
    Score("rmse", "RMSE", "lowest", ERRORS, pixels.rmse, OFFLINE, ("means", "differences", "plots"), "RMSE (mm/h)"),
    Score("balanced_mae", "balanced MAE", "lowest", BALANCED, pixels.mae, EVALUATION, ("plots",)),
    Score("balanced_mse", "balanced MSE", "lowest", BALANCED, pixels.mse, EVALUATION, shown=()),
    Score("ssim", "SSIM", "highest", SIMILARITY, image_quality.ssim, EVALUATION, ("plots",)),
    Score("psnr", "PSNR", "highest", UNIT_ERRORS, image_quality.psnr, EVALUATION, ("plots",), label="PSNR (dB)"),
    Score(
        "small_scale_power", "small-scale power", "near 1", POWER, spectrum.power_ratio, EVALUATION, ("means", "plots")
    ),
    Score("crps", "CRPS", "lowest", CRPS, probability.crps, EVALUATION, shown=(), distributions_only=True),
    Score("csi_equal_area", "CSI at equal area", "highest", EQUAL_AREA, equal_area.equal_area_csi, EVALUATION),
)
SCORES: dict[str, Score] = {row.name: row for row in _ROWS}
"""Scores by name, in the order of tables and of sums."""


def kept_in(place: Place, *first: str) -> tuple[Score, ...]:
    """The scores whose sums are added up at a place; those named in `first` come first, in that order."""
    return _ordered((score for score in SCORES.values() if place in score.kept), first)


def shown_in(table: Table, *first: str, place: Place = "evaluation") -> tuple[Score, ...]:
    """The scores that a kind of table shows at a place; `first` as in `kept_in`. Headline scores are also in means."""
    wanted = {table, "headline"} if table == "means" else {table}
    return _ordered((score for score in SCORES.values() if place in score.kept and wanted & {*score.shown}), first)


def _ordered(scores: Iterable[Score], first: tuple[str, ...]) -> tuple[Score, ...]:
    return tuple(sorted(scores, key=lambda score: first.index(score.name) if score.name in first else len(first)))
