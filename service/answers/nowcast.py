"""A forecast of rain with everything that an answer states about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from fastapi import Response

from models.exceedance.odds import Statistic
from radar.rain import WET_FROM
from radar.sequence import Float32, FrameSequence, iso
from service.answers.field import Encoding, Field
from service.answers.formats import Chosen, disposition
from service.answers.headers import Provenance, age_seconds, changing_headers, headers_of
from service.answers.large import LargeResponse
from service.answers.placement import describe_grid
from service.answers.schema import LeadSummary, NowcastAnswer
from service.answers.statistics import quantity_of, title_of, word_of
from service.answers.writers import Writer
from service.runs.run import Method


@dataclass(frozen=True)
class Nowcast:
    """A forecast and its origin.

    Parameters
    ----------
    forecast : FrameSequence
        mm/h, NaN = no forecast.
    model, version : str
        The requested model.
    history_times : tuple of datetime
        Times of the observed input frames.
    made_at : datetime
        Wall clock, from which the age of the newest frame is counted.
    attribution : str or None
        The owner of the input data, in the owner's wording.
    degraded : str or None
        Why the forecast is degraded; None if it is not.
    assumed : tuple of str
        What the caller did not say.
    method : "model" or one of `models.baselines.STAND_INS`
        What made the forecast: the model, or what stood in for it.
    statistic : Statistic or None
        Of the forecast's rates; None for an observed frame.
    run_id : str or None
        The run that it belongs to; answers of runs are cached.
    """

    forecast: FrameSequence
    model: str
    version: str
    history_times: tuple[datetime, ...]
    made_at: datetime
    attribution: str | None = None
    degraded: str | None = None
    assumed: tuple[str, ...] = ()
    method: Method = "model"
    statistic: Statistic | None = "matched"
    run_id: str | None = None

    @property
    def provenance(self) -> Provenance:
        """The forecast's origin, for headers."""
        return Provenance(
            model=self.model,
            version=self.version,
            method=self.method,
            statistic=self.statistic,
            run_id=self.run_id,
            product=self.forecast.product,
            grid=self.forecast.grid,
            reference_time=self.history_times[-1],
            lead_minutes=self.forecast.lead_minutes,
            degraded=self.degraded,
            attribution=self.attribution,
            assumed=self.assumed,
        )

    def answer(self) -> NowcastAnswer:
        """The answer in JSON, without its frames."""
        return NowcastAnswer(
            model=self.model,
            version=self.version,
            method=self.method,
            statistic=self.statistic,
            run=self.run_id,
            product=self.forecast.product or None,
            grid=describe_grid(self.forecast.grid),
            history_times=[iso(time) for time in self.history_times],
            reference_time=iso(self.history_times[-1]),
            age_seconds=age_seconds(self.history_times[-1], self.made_at),
            timestep_minutes=self.forecast.timestep_minutes,
            valid_times=[iso(time) for time in self.forecast.valid_times],
            lead_minutes=list(self.forecast.lead_minutes),
            degraded=self.degraded,
            assumed=list(self.assumed),
            attribution=self.attribution,
            summary=self.summary(),
        )

    def summary(self) -> list[LeadSummary]:
        """For each lead: maximum and mean rain in mm/h, and the shares of wet and of missing pixels."""
        scratch = np.empty(self.forecast.grid.shape, np.float32)
        leads = zip(self.forecast.lead_minutes, self.forecast.rain_rate, strict=True)
        return [_summarise(lead, frame, scratch) for lead, frame in leads]

    def field(self, encoding: Encoding) -> Field:
        """The forecast as writers take it."""
        return Field(
            frames=self.forecast,
            answer=self.answer,
            attributes=self._attributes(),
            attribution=self.attribution,
            encoding=encoding,
            in_parts=self.run_id is not None,
            title=title_of(self.statistic),
            statistic=self.statistic,
            quantity=quantity_of(self.statistic),
        )

    def _attributes(self) -> dict[str, str]:
        """The attributes of NetCDF, in the order of the file."""
        named = {
            "model": self.model,
            "version": self.version,
            "method": self.method,
            "statistic": self.statistic,
            "run": self.run_id,
            "degraded": self.degraded,
            "attribution": self.attribution,
        }
        return {name: text for name, text in named.items() if text is not None} | {
            "history_times": " ".join(map(iso, self.history_times)),
            "assumed": "; ".join(self.assumed),
            "source": f"Raincell: {self.model} {self.version}, {self.method}",
            "history": f"{iso(self.made_at)} forecast made by Raincell from {len(self.history_times)} frames",
        }


def render(nowcast: Nowcast, chosen: Chosen[Writer], encoding: Encoding) -> Response:
    """The whole answer to one caller; it takes tens of milliseconds, so do not call it on the event loop."""
    content = chosen.form.write(nowcast.field(encoding))
    start = nowcast.history_times[-1]
    words = nowcast.forecast.product, f"{start:%Y%m%dT%H%MZ}", f"{nowcast.model}-{nowcast.version}"
    headers = {
        **headers_of(nowcast.provenance),
        **changing_headers(start, nowcast.made_at, vary=chosen.vary),
        **disposition(chosen.form, *words, word_of(nowcast.statistic)),
    }
    return LargeResponse(content, chosen.media_type, headers)


def _summarise(lead_minutes: int, frame: Float32, scratch: Float32) -> LeadSummary:
    """The summary of one frame; `scratch` is overwritten, since allocating memory would take half the time."""
    missing = ~np.isfinite(frame)
    count = frame.size - int(np.count_nonzero(missing))
    if count == 0:
        return LeadSummary(lead_minutes=lead_minutes, max=None, mean=None, wet_fraction=None, missing_fraction=1.0)
    np.copyto(scratch, frame)
    np.copyto(scratch, 0, where=missing)
    return LeadSummary(
        lead_minutes=lead_minutes,
        max=round(float(scratch.max()), 4),
        mean=round(float(scratch.sum(dtype=np.float64)) / count, 6),
        wet_fraction=round(int(np.count_nonzero(scratch >= WET_FROM)) / count, 6),
        missing_fraction=round(1 - count / frame.size, 6),
    )
