"""The formats of every field. A new format is a function from a field to its content, and a row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from service.answers.arrays import to_json, to_netcdf_file, to_npy
from service.answers.field import Field
from service.answers.formats import JSON, Form
from service.answers.geotiff import to_geotiff
from service.answers.images import to_png, to_webp
from service.answers.large import Content


@dataclass(frozen=True)
class Writer(Form):
    """A format, and the function that writes a field in it.

    Parameters
    ----------
    write : callable
        Returns the content of the answer; may take tens of milliseconds.
    one_frame : bool
        Whether the answer holds only the last frame of the field.
    """

    write: Callable[[Field], Content] = field(kw_only=True)
    one_frame: bool = field(default=False, kw_only=True)


_ROWS = (
    Writer(JSON, "json", ("json",), shown=True, write=to_json),
    Writer("application/x-npy", "npy", ("npy",), write=to_npy),
    Writer("application/netcdf", "nc", ("netcdf", "nc"), write=to_netcdf_file),
    Writer("application/x-netcdf", "nc", write=to_netcdf_file),
    Writer("image/png", "png", ("png",), shown=True, write=to_png, one_frame=True),
    Writer("image/webp", "webp", ("webp",), shown=True, write=to_webp, one_frame=True),
    Writer("image/tiff", "tif", ("tiff", "tif", "geotiff"), write=to_geotiff),
)
WRITERS = {row.media_type: row for row in _ROWS}
"""Writers by media type, the default first."""
