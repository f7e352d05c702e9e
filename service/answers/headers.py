"""The headers that describe a forecast: arrays and images do not contain this information."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from models.exceedance.odds import Statistic
from radar.grid import Grid
from radar.sequence import iso
from service.answers.placement import describe_grid
from service.http.own_headers import Own

_LONGEST = 500


@dataclass(frozen=True)
class Provenance:
    """The origin of a forecast, or of a part of one.

    Parameters
    ----------
    model, version : str
    method : str
        The method that made it: the model, or its stand-in.
    statistic : Statistic or None
        Of the forecast's rates; None for observed rates and for probabilities.
    run_id : str or None
    product : str
        "" without a product.
    grid : Grid
    reference_time : datetime
        Time of the newest input frame, UTC.
    lead_minutes : tuple of int
        The lead time of each frame.
    degraded : str or None
        Why the forecast is degraded; None if it is not.
    attribution : str or None
        The owner of the input data.
    assumed : tuple of str
        Assumptions about values that the caller did not give.
    """

    model: str
    version: str
    method: str
    statistic: Statistic | None
    run_id: str | None
    product: str
    grid: Grid
    reference_time: datetime
    lead_minutes: tuple[int, ...]
    degraded: str | None
    attribution: str | None
    assumed: tuple[str, ...] = ()


def headers_of(forecast: Provenance) -> dict[str, str]:
    """The headers that never change for an answer, with the place of its pixels."""
    headers = {
        Own.MODEL: f"{forecast.model} {forecast.version}",
        Own.METHOD: forecast.method,
        Own.STATISTIC: forecast.statistic,
        Own.RUN: forecast.run_id,
        Own.PRODUCT: forecast.product,
        Own.GRID: forecast.grid.key,
        Own.REFERENCE_TIME: iso(forecast.reference_time),
        Own.LEAD_MINUTES: ",".join(map(str, forecast.lead_minutes)),
        Own.DEGRADED: forecast.degraded,
        Own.ASSUMED: "; ".join(forecast.assumed),
        Own.ATTRIBUTION: forecast.attribution,
    }
    return {name: _printable(text) for name, text in (headers | _placement(forecast.grid)).items() if text}


def changing_headers(
    reference_time: datetime, now: datetime, cache_control: str | None = None, vary: str | None = None
) -> dict[str, str]:
    """The headers that differ between requests for the same answer: its age, and how it may be cached."""
    headers = {"Cache-Control": cache_control, Own.AGE_SECONDS: str(age_seconds(reference_time, now)), "Vary": vary}
    return {name: text for name, text in headers.items() if text}


def age_seconds(reference_time: datetime, now: datetime) -> int:
    """The age of the newest input frame of a forecast."""
    return round((now - reference_time).total_seconds())


@lru_cache(maxsize=32)
def _placement(grid: Grid) -> dict[Own, str]:
    """The place of the pixels, for answers that hold only pixels; empty for a grid of unknown place."""
    placed = describe_grid(grid)
    if placed.bounds is None or placed.corners is None:
        return {}
    corners = placed.corners
    clockwise = (corners.north_west, corners.north_east, corners.south_east, corners.south_west)
    return {
        Own.PROJECTION: _proj(str(grid.projection)),
        Own.BOUNDS: ",".join(f"{edge:.3f}" for edge in placed.bounds),
        Own.CORNERS: " ".join(f"{corner.lat:.6f},{corner.lon:.6f}" for corner in clockwise),
    }


def _proj(projection: str) -> str:
    """A projection as PROJ string: well-known text is too long for a header."""
    if projection.startswith("+proj") and len(projection) < _LONGEST:
        return projection
    from rasterio.crs import CRS

    return str(CRS.from_string(projection).to_proj4())


def _printable(text: str) -> str:
    """The printable ASCII of a text: names from files may hold anything."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    return text[:_LONGEST]
