"""The archive keeps years of observed frames on disk, in one file for each day of a series.

Forecasts go to the store of a hindcast, and scores to the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radar.archive.archive import Archive

__all__ = ["Archive"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as typed above; NetCDF and pyproj load on demand
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from radar.archive import archive

    return getattr(archive, name)
