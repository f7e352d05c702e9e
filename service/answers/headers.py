"""The headers that tell of a forecast what readers of arrays and images cannot find in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from radar.grid import Grid
from radar.sequence import iso
from service.answers.placement import describe_grid
from service.http.own_headers import Own

_LONGEST = 500


@dataclass(frozen=True)
class Provenance:
    """What a forecast, or a part of one, was made by and of.

    Parameters
    ----------
    model, version : str
    method : str
        What made it: the model, or what stood in for it.
    run_id : str or None
    product : str
        "" if it has none.
    grid : Grid
    reference_time : datetime
        UTC, of the newest frame that was read.
    lead_minutes : tuple of int
        Of each frame.
    degraded : str or None
        Why it is less than it should be.
    attribution : str or None
        Whose data it was made from.
    assumed : tuple of str
        What the caller left open.
    """

    model: str
    version: str
    method: str
    run_id: str | None
    product: str
    grid: Grid
    reference_time: datetime
    lead_minutes: tuple[int, ...]
    degraded: str | None
    attribution: str | None
    assumed: tuple[str, ...] = ()


def headers_of(forecast: Provenance) -> dict[str, str]:
    """All that never changes of an answer, with the place of its pixels."""
    told = {
        Own.MODEL: f"{forecast.model} {forecast.version}",
        Own.METHOD: forecast.method,
        Own.RUN: forecast.run_id,
        Own.PRODUCT: forecast.product,
        Own.GRID: forecast.grid.key,
        Own.REFERENCE_TIME: iso(forecast.reference_time),
        Own.LEAD_MINUTES: ",".join(map(str, forecast.lead_minutes)),
        Own.DEGRADED: forecast.degraded,
        Own.ASSUMED: "; ".join(forecast.assumed),
        Own.ATTRIBUTION: forecast.attribution,
    }
    return {name: _printable(text) for name, text in (told | _placement(forecast.grid)).items() if text}


def changing_headers(
    reference_time: datetime, now: datetime, cache_control: str | None = None, vary: str | None = None
) -> dict[str, str]:
    """What differs from one request for the same answer to the next: its age, and how it may be kept."""
    told = {"Cache-Control": cache_control, Own.AGE_SECONDS: str(age_seconds(reference_time, now)), "Vary": vary}
    return {name: text for name, text in told.items() if text}


def age_seconds(reference_time: datetime, now: datetime) -> int:
    """How old the newest frame is that a forecast was made from."""
    return round((now - reference_time).total_seconds())


@lru_cache(maxsize=32)
def _placement(grid: Grid) -> dict[Own, str]:
    """Where the pixels lie, for answers that hold only pixels; nothing for a grid of unknown place."""
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
    """A PROJ string: well-known text is too long for a header."""
    if projection.startswith("+proj") and len(projection) < _LONGEST:
        return projection
    from rasterio.crs import CRS

    return str(CRS.from_string(projection).to_proj4())


def _printable(text: str) -> str:
    """Header text from names that files bring along: printable ASCII only."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    return text[:_LONGEST]
