"""The format of an answer, by `format` in the query or the Accept header, and its name as a file."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from fastapi import Query

from radar.errors import InvalidRequest
from service.http.negotiate import choose

FORMATS = {
    "json": "application/json",
    "npy": "application/x-npy",
    "netcdf": "application/netcdf",
    "nc": "application/netcdf",
    "png": "image/png",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "tiff": "image/tiff",
    "tif": "image/tiff",
    "geotiff": "image/tiff",
}
"""What may be written for a media type."""
_EXTENSIONS = {
    "application/json": "json",
    "application/x-npy": "npy",
    "application/netcdf": "nc",
    "application/x-netcdf": "nc",
    "image/png": "png",
    "image/webp": "webp",
    "image/svg+xml": "svg",
    "image/tiff": "tif",
}
_SHOWN = frozenset({"application/json", "image/png", "image/webp", "image/svg+xml"})
"""What browsers show in place; the others they save."""
_LONGEST_NAME = 150

Format = Annotated[
    str | None,
    Query(
        max_length=80,
        description="goes before Accept: json, npy, netcdf (nc), png, webp, tiff (geotiff, tif), or a media type",
        examples=["tiff"],
    ),
]


class Chosen(NamedTuple):
    """The media type of an answer, and the headers that the choice depended on, for Vary."""

    media_type: str
    vary: str | None


def choose_form(form: str | None, accept: str | None, offered: tuple[str, ...]) -> Chosen:
    """The media type that a caller wants, of those offered.

    Raises
    ------
    InvalidRequest
        A format that the route has not.
    NotAcceptable
        No format, and Accept allows none of them.
    """
    if form is None:
        return Chosen(choose(accept, offered), "Accept")
    wanted = form.strip().lower().replace(" ", "+")  # image/svg+xml, whose + a query makes a blank of
    media_type = FORMATS.get(wanted, wanted)
    if media_type not in offered:
        names = [name for name, known in FORMATS.items() if known in offered]
        raise InvalidRequest(
            expected=f"format to be one of {', '.join(names)}", got=ascii(form[:40]), remedy="name one of these"
        )
    return Chosen(media_type, None)


def disposition(media_type: str, *words: str) -> dict[str, str]:
    """The header that names an answer as a file, e.g. raincell-RY-20240601T1205Z-still-1.nc."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(["raincell", *filter(None, words)]))[:_LONGEST_NAME]
    how = "inline" if media_type in _SHOWN else "attachment"
    return {"Content-Disposition": f'{how}; filename="{name}.{_EXTENSIONS[media_type]}"'}
