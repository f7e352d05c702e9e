"""What a history is to those who fill and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from radar.sequence import FrameSequence
from service.codec import Series


class HistoryStore(Protocol):
    """Keeps frames by product and grid; retention counts from a product's newest frame."""

    def append(self, frames: FrameSequence, who: str | None = None) -> None:
        """Keep frames; one of a time that is already there replaces it.

        Parameters
        ----------
        who : str or None
            Whose share they count for; None is the operator. See `service.frame_shares`.

        Raises
        ------
        InvalidRequest
            A frame is older than the retention, has no product, or is more than its series or caller may store.
        StoreFull
            There is no room.
        """

    def latest(self, product: str, grid: str, count: int) -> FrameSequence:
        """The newest `count` frames of a product on the grid of that key.

        Raises
        ------
        UnknownProduct
            There is no frame.
        StoredHistoryIncomplete
            There are fewer, or there is a gap.
        """

    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first; none if there are none."""

    def products(self) -> list[Series]:
        """Every product and grid of which there are frames."""

    def withdraw(self, product: str, time: datetime) -> bool:
        """Take the frames of that time away on all grids, and remember it; whether there were any."""
