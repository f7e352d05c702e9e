"""Runs for tests, made from small frames without a model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from models.exceedance.odds import Odds, quantised
from radar.grid import Grid
from radar.sequence import times_after
from service.history.codec import SeriesKey, encode
from service.runs.coverage import covered_by
from service.runs.odds.codec import pack
from service.runs.run import Method, Run, WholeRun, series_tag
from tests.service.conftest import SMALL, sequence

END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)


def made_run(
    end: datetime = END,
    *,
    seed: int = 0,
    product: str = "RY",
    grid: Grid = SMALL,
    leads: int = 4,
    made_at: datetime | None = None,
    method: Method = "model",
    thresholds: tuple[float, ...] = (),
) -> WholeRun:
    """A run of `leads` frames of random rain after five observed ones; another seed is another digest.

    With thresholds it has odds, which have nothing to do with its frames.
    """
    observed = sequence(5, end=end, product=product, grid=grid, seed=seed)
    forecast = replace(
        sequence(leads, end=end, product=product, grid=grid, seed=seed + 1000), valid_times=times_after(end, leads, 5)
    )
    run = Run(
        id=f"{series_tag(SeriesKey(product, grid.key))}.{end:%Y%m%dT%H%MZ}.still-1.{seed:012x}",
        product=product,
        grid=grid,
        reference_time=end,
        timestep_minutes=5,
        model="still",
        version="1",
        method=method,
        history_times=observed.valid_times,
        observed_minutes=tuple(range(-20, 1, 5)),
        lead_minutes=tuple(range(5, 5 * leads + 1, 5)),
        degraded=None,
        made_at=made_at or end + timedelta(minutes=2),
        thresholds=thresholds,
    )
    frames = dict(zip([*run.observed_minutes, *run.lead_minutes], encode(observed) + encode(forecast), strict=True))
    odds = {minutes: pack(made_odds(run, seed + minutes)) for minutes in run.lead_minutes if thresholds}
    return WholeRun(run, frames, covered_by(frames.values(), grid.shape, None), odds)


def made_odds(run: Run, seed: int) -> Odds:
    """Random odds (K, H, W) of a run's thresholds, without data in one corner."""
    draw = np.random.default_rng(seed)
    log_odds = draw.normal(-1, 3, (len(run.thresholds), *run.grid.shape)).astype(np.float32)
    log_odds[:, :3, :4] = np.nan
    return quantised(log_odds)
