"""The answer in the media type that was chosen."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Response

from service.answers.arrays import Encoding, to_json, to_netcdf_file, to_npy
from service.answers.formats import disposition
from service.answers.images import to_geotiff, to_png, to_webp
from service.answers.large import Content, LargeResponse
from service.answers.nowcast import Nowcast
from service.answers.placement import placement_headers
from service.http.own_headers import Own

JSON = "application/json"

WRITERS: dict[str, Callable[[Nowcast], Content]] = {
    "application/x-npy": to_npy,
    "application/netcdf": to_netcdf_file,
    "application/x-netcdf": to_netcdf_file,
    "image/png": lambda nowcast: [to_png(nowcast.forecast, nowcast.attribution)],
    "image/webp": lambda nowcast: [to_webp(nowcast.forecast.rain_rate[-1])],
    "image/tiff": lambda nowcast: [to_geotiff(nowcast.forecast, nowcast.attribution)],
}
MEDIA_TYPES = (JSON, *WRITERS)
"""What can be answered, the default first."""


def render(nowcast: Nowcast, media_type: str, encoding: Encoding) -> Response:
    """The whole answer; takes tens of milliseconds, so not on the event loop."""
    content = to_json(nowcast, encoding) if media_type == JSON else WRITERS[media_type](nowcast)
    start, model = nowcast.history_times[-1], f"{nowcast.model}-{nowcast.version}"
    named = disposition(media_type, nowcast.forecast.product, f"{start:%Y%m%dT%H%MZ}", model)
    return LargeResponse(content, media_type, _headers(nowcast) | named)


def _headers(nowcast: Nowcast) -> dict[str, str]:
    """What a reader of arrays and images cannot find in them."""
    said = nowcast.metadata()
    headers = {
        Own.MODEL: f"{said['model']} {said['version']}",
        Own.METHOD: said["method"],
        Own.RUN: said["run"],
        Own.PRODUCT: said["product"],
        Own.GRID: said["grid"]["name"],
        Own.REFERENCE_TIME: said["reference_time"],
        Own.LEAD_MINUTES: ",".join(map(str, said["lead_minutes"])),
        Own.AGE_SECONDS: str(said["age_seconds"]),
        Own.DEGRADED: said["degraded"],
        Own.ASSUMED: "; ".join(said["assumed"]),
        Own.ATTRIBUTION: said["attribution"],
    }
    placed = placement_headers(nowcast.forecast.grid)
    return {name: printable(value) for name, value in (headers | placed).items() if value}


def printable(text: str) -> str:
    """Header text from names that files bring along: printable ASCII only."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    return text[:500]
