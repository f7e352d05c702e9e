"""Which statistics a forecast has, and the error for the others."""

from __future__ import annotations

from models.exceedance.forecaster import ExceedanceForecaster
from models.exceedance.odds import STATISTICS, Statistic
from models.recurrent import RecurrentForecaster
from service.errors import NoDistribution
from service.runs.run import Run

_REMEDY = "take statistic=matched, the default, which every forecast has"


def offered_by(run: Run) -> tuple[Statistic, ...]:
    """The statistics of a run's forecast."""
    return STATISTICS if run.thresholds else STATISTICS[:1]


def check_run(run: Run, statistic: Statistic) -> None:
    """Raise NoDistribution for a statistic that a run lacks."""
    if statistic in offered_by(run):
        return
    if run.method != "model":
        got = f"a run that {run.method} made in place of the model"
    else:
        got = f"a run of model {run.model} {run.version} without one"
    raise _no_distribution(statistic, got)


def check_observed(statistic: Statistic, minutes: int) -> None:
    """Raise NoDistribution for a statistic of an observed frame."""
    if statistic != "matched":
        raise _no_distribution(statistic, f"the frame of {minutes} minutes, which is observed")


def check_model(model: RecurrentForecaster, method: str, statistic: Statistic) -> None:
    """Raise NoDistribution for a statistic that a model, or the method that stands in for it, does not forecast."""
    if statistic == "matched":
        return
    if not isinstance(model, ExceedanceForecaster):
        raise _no_distribution(statistic, f"model {model.name}, which forecasts one rate for each pixel")
    if method != "model":
        raise _no_distribution(statistic, f"too few frames for model {model.name}: {method} stands in for it")


def _no_distribution(statistic: Statistic, got: str) -> NoDistribution:
    return NoDistribution(
        expected=f"a forecast with a distribution, for statistic={statistic}", got=got, remedy=_REMEDY
    )
