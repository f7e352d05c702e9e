"""The real events whose place is known."""

from __future__ import annotations

from pathlib import Path

_SHIFTED = "dwd_yw_201805"
"""Nine spells of May 2018, whose publisher shifted the place: they have no projection."""


def placed_events(real_data: Path) -> list[Path]:
    """The nine events that have a projection, in order."""
    found = sorted(path for path in (real_data / "events").glob("*.nc") if not path.name.startswith(_SHIFTED))
    assert len(found) == 9
    return found
