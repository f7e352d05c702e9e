"""The headers that are Raincell's own: the one list that they are written by and shown to other sites by."""

from __future__ import annotations

from enum import StrEnum


class Own(StrEnum):
    """A header's name. No answer has one that is not named here, so pages of other sites may read all of them."""

    MODEL = "X-Raincell-Model"
    METHOD = "X-Raincell-Method"
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
"""Of a request that adds frames, no answer: "1" says that they come from the feed; see `service.history.fed_marks`."""
