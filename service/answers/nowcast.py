"""A forecast with all that an answer says about it, whatever its form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from radar.grid import Grid
from radar.rain import WET_FROM
from radar.sequence import Float32, FrameSequence, iso
from service.answers.placement import placement


@dataclass(frozen=True)
class Nowcast:
    """A forecast and where it came from.

    Parameters
    ----------
    forecast : FrameSequence
        mm/h, NaN = no forecast.
    model, version : str
        The model that was asked for.
    history_times : tuple of datetime
        Of the observed frames that were read.
    made_at : datetime
        Wall clock, from which the age of the newest frame is counted.
    attribution : str or None
        Whose data it was made from, as the owner wants to be named.
    degraded : str or None
        Why it is less than it should be.
    assumed : tuple of str
        What the caller did not say.
    method : str
        What made the forecast: "model", or what stood in for it.
    run : str or None
        The id of the run that it is of.
    """

    forecast: FrameSequence
    model: str
    version: str
    history_times: tuple[datetime, ...]
    made_at: datetime
    attribution: str | None = None
    degraded: str | None = None
    assumed: tuple[str, ...] = ()
    method: str = "model"
    run: str | None = None

    def metadata(self) -> dict[str, Any]:
        """All but the frames, ready for JSON."""
        newest = self.history_times[-1]
        return {
            "model": self.model,
            "version": self.version,
            "method": self.method,
            "run": self.run,
            "product": self.forecast.product or None,
            "grid": describe_grid(self.forecast.grid),
            "history_times": [iso(time) for time in self.history_times],
            "reference_time": iso(newest),
            "age_seconds": round((self.made_at - newest).total_seconds()),
            "timestep_minutes": self.forecast.timestep_minutes,
            "valid_times": [iso(time) for time in self.forecast.valid_times],
            "lead_minutes": list(self.forecast.lead_minutes),
            "degraded": self.degraded,
            "assumed": list(self.assumed),
            "attribution": self.attribution,
        }

    def summary(self) -> list[dict[str, float | int | None]]:
        """For each lead: heaviest and mean rain in mm/h, and the shares of wet and of missing pixels."""
        scratch = np.empty(self.forecast.grid.shape, np.float32)
        leads = zip(self.forecast.lead_minutes, self.forecast.rain_rate, strict=True)
        return [{"lead_minutes": lead, **_summarise(frame, scratch)} for lead, frame in leads]


def describe_grid(grid: Grid) -> dict[str, Any]:
    """A grid as answers name it: see GridAnswer."""
    return {
        "name": grid.key,
        "shape": list(grid.shape),
        "pixel_size_km": grid.pixel_size_km,
        "projection": grid.projection,
        "north_west": list(grid.north_west),
        **placement(grid),
    }


def _summarise(frame: Float32, scratch: Float32) -> dict[str, float | None]:
    """Of one frame; `scratch` is overwritten, since new memory for each frame would take half the time."""
    missing = ~np.isfinite(frame)
    count = frame.size - int(np.count_nonzero(missing))
    if count == 0:
        return {"max": None, "mean": None, "wet_fraction": None, "missing_fraction": 1.0}
    np.copyto(scratch, frame)
    np.copyto(scratch, 0, where=missing)
    return {
        "max": round(float(scratch.max()), 4),
        "mean": round(float(scratch.sum(dtype=np.float64)) / count, 6),
        "wet_fraction": round(int(np.count_nonzero(scratch >= WET_FROM)) / count, 6),
        "missing_fraction": round(1 - count / frame.size, 6),
    }
