"""Readers and writers of radar files, one module for each format, behind `open_sequence`.

Grids and frames themselves are in radar/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radar.files.open import NamedBytes, iter_frames, open_sequence, read_frames

__all__ = ["NamedBytes", "iter_frames", "open_sequence", "read_frames"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as typed above; the libraries of all formats load on demand
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from radar.files import open as opened

    return getattr(opened, name)
