"""Readers and writers of radar files, one module for each format, behind `open_sequence`.

Grids and frames themselves are in radar/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radar.files.frames import iter_frames, read_frames
    from radar.files.open import NamedBytes, open_sequence

__all__ = ["NamedBytes", "iter_frames", "open_sequence", "read_frames"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as typed above; the libraries of all formats load on demand
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from radar.files import frames, open  # noqa: A004 - the module

    return getattr(frames if name.endswith("_frames") else open, name)
