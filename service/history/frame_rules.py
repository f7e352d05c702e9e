"""Rules for new frames, so that no writer can spoil the frames of others.

The table of products, or the stored frames of a product, define its grid and timestep. Stored frames count until the
new ones are later by the retention: then a product may change its grid or its timestep.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from radar.errors import InvalidRequest
from radar.grid import KNOWN_GRIDS
from radar.products import PRODUCTS
from radar.sequence import FrameSequence, iso
from service.history.codec import FrameHeader, SeriesKey, series_of

STORED_AHEAD = timedelta(minutes=5)
"""How much later than now a stored frame may be, since clocks differ. Its time is the end of a past interval."""
MOST_SERIES = 32
"""The most series of unknown products at a time; those of the table of products always have a place."""


@dataclass(frozen=True)
class Held:
    """A stored series, described by its newest frame."""

    series: SeriesKey
    newest: FrameHeader


def is_known(product: str) -> bool:
    """Whether the table of products has the product as a readable one."""
    known = PRODUCTS.get(product)
    return known is not None and not known.instead


def check_frames(frames: FrameSequence) -> None:
    """Raise InvalidRequest for frames that contradict their product's definition, without regard to stored frames."""
    if not frames.product:
        raise InvalidRequest(expected="the product of the frames", got="none", remedy="name it, e.g. product=RY")
    first = frames.valid_times[0]
    if first.second or first.microsecond:
        raise InvalidRequest(
            expected="frames of whole minutes",
            got=first.astimezone(UTC).isoformat(),
            remedy="send the time that ends the frame's interval, e.g. valid_time=2017-08-16T01:15Z",
        )
    if is_known(frames.product) and frames.timestep_minutes != (step := PRODUCTS[frames.product].timestep_minutes):
        raise _otherwise(frames, f"{step} minutes apart", f"{frames.timestep_minutes} minutes", "the product is")


def check_clock(frames: FrameSequence, now: float) -> None:
    """Raise InvalidRequest for frames ahead of the store's clock, `now` in seconds.

    Replicas check their own clock first; the store's clock is common, so that a wrong clock of one replica does not
    affect the others.
    """
    latest = datetime.fromtimestamp(now, UTC) + STORED_AHEAD
    if frames.valid_times[-1] > latest:
        raise InvalidRequest(
            expected=f"observed frames, until {iso(latest)} at the latest by the clock of the history store",
            got=iso(frames.valid_times[-1]),
            remedy="check the clock and the time zone, those of this machine and of Redis: times are UTC",
        )


def check_place(series: SeriesKey, known: Iterable[SeriesKey]) -> None:
    """Raise InvalidRequest if no place is left for another series."""
    others = [each for each in known if not is_known(each.product)]
    if not is_known(series.product) and series not in others and len(others) >= MOST_SERIES:
        raise InvalidRequest(
            expected=f"at most {MOST_SERIES} products and grids",
            got="one more",
            remedy="withdraw the frames of one that is not needed",
        )


def check_fits(frames: FrameSequence, held: Iterable[Held], retention: timedelta) -> None:
    """Raise InvalidRequest for frames on another grid, or at other times, than the stored frames of their product."""
    oldest = frames.valid_times[-1] - retention
    for each in held:
        if each.series.product != frames.product or each.newest.valid_time <= oldest:
            continue
        if each.series == series_of(frames):
            _check_times(frames, each.newest)
        elif not _takes_over(frames, each):
            raise _otherwise(frames, f"on grid {each.series.grid}", frames.grid.key, _stored(each.newest))


def _takes_over(frames: FrameSequence, held: Held) -> bool:
    """Whether the new frames of a known product are on a grid of its network, and the stored ones are not."""
    return is_known(frames.product) and _is_named(frames.grid.key) and not _is_named(held.series.grid)


def _is_named(key: str) -> bool:
    return any(key == grid.key for grid in KNOWN_GRIDS.values())


def _check_times(frames: FrameSequence, newest: FrameHeader) -> None:
    step = newest.timestep_minutes
    if frames.timestep_minutes != step:
        raise _otherwise(frames, f"{step} minutes apart", f"{frames.timestep_minutes} minutes", _stored(newest))
    if (frames.valid_times[0] - newest.valid_time) % timedelta(minutes=step):
        expected = f"{step} minutes, or a multiple of it, from {iso(newest.valid_time)}"
        raise _otherwise(frames, expected, iso(frames.valid_times[0]), _stored(newest))


def _stored(newest: FrameHeader) -> str:
    return f"those stored until {iso(newest.valid_time)} are"


def _otherwise(frames: FrameSequence, expected: str, got: str, source: str) -> InvalidRequest:
    return InvalidRequest(
        expected=f"frames of {frames.product} {expected}, as {source}",
        got=got,
        remedy="correct it, or send them under a product name of their own",
    )
