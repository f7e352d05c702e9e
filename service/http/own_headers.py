"""Raincell's own headers: one list for writing them and for exposing them to pages of other sites."""

from __future__ import annotations

from enum import StrEnum


class Own(StrEnum):
    """A header's name. Answers have no own header outside this list, so pages of other sites may read all of them."""

    MODEL = "X-Raincell-Model"
    METHOD = "X-Raincell-Method"
    STATISTIC = "X-Raincell-Statistic"
    RUN = "X-Raincell-Run"
    PRODUCT = "X-Raincell-Product"
    GRID = "X-Raincell-Grid"
    REFERENCE_TIME = "X-Raincell-Reference-Time"
    LEAD_MINUTES = "X-Raincell-Lead-Minutes"
    AGE_SECONDS = "X-Raincell-Age-Seconds"
    DEGRADED = "X-Raincell-Degraded"
    ASSUMED = "X-Raincell-Assumed"
    ATTRIBUTION = "X-Raincell-Attribution"
    PROJECTION = "X-Raincell-Projection"
    BOUNDS = "X-Raincell-Bounds"
    CORNERS = "X-Raincell-Corners"


FROM_FEED = "X-Raincell-Feed"
"""In requests that add frames, not in answers: "1" marks frames from the feed; see `service.history.fed_marks`."""
