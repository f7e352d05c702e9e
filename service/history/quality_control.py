"""Quality control of posted frames: what is not believed is refused as a whole, listed, counted and logged."""

from __future__ import annotations

import logging
from contextlib import suppress

from radar.errors import StoreUnavailable
from radar.quality import LIMITS
from radar.sequence import FrameSequence, iso
from service.context import Service
from service.errors import FrameQuarantined
from service.history.codec import series_of
from service.history.quarantine import entries_of, refuse_flawed

_logger = logging.getLogger("raincell")


def believe(service: Service, frames: FrameSequence) -> None:
    """Raise FrameQuarantined unless all frames can be what the sky did, compared with the stored one before them."""
    if not frames.product:  # the history refuses it, with better words
        return
    series = series_of(frames)
    before = service.history.before(series, frames.valid_times[0], LIMITS.frozen_within)
    try:
        refuse_flawed(frames, before)
    except FrameQuarantined as error:
        for time, flaw in error.flaws.items():
            service.quarantined.add(flaw.reason)
            _logger.warning("quarantined %s at %s (%s): got %s", series.product, iso(time), flaw.reason, flaw.got)
        with suppress(StoreUnavailable):  # listed or not, it is refused
            for entry in entries_of(error, series, "post", service.clock()):
                service.quarantine.put(entry)
        raise
