"""What writers of every format are given: fields of one quantity, with all that an answer says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from radar.colours import COLOURS
from radar.files.netcdf.writer import RAINFALL_RATE, Quantity
from radar.sequence import FrameSequence, iso
from service.answers.schema import FieldAnswer, NowcastAnswer

Encoding = Literal["base64", "list", "none"]
Colours = tuple[tuple[float, str], ...]
"""From each value on, this colour, in growing order."""
RAIN = "rain rate in mm/h"


@dataclass(frozen=True)
class Field:
    """Fields on a grid: rain rates in mm/h, or probabilities from 0 to 1.

    Parameters
    ----------
    frames : FrameSequence
        (T, H, W), NaN = no data; images show the last frame.
    answer : callable
        Makes the answer in JSON, without its frames; a summary takes a while, so only JSON asks for it.
    attributes : mapping of str to str
        Global attributes of NetCDF.
    attribution : str or None
        Whose data it was made from.
    encoding : "base64", "list" or "none"
        How JSON has the frames.
    in_parts : bool
        Callers may ask for bytes of the answer, which is kept for that; see service.http.ranges.
    title : str
        What the numbers are.
    colours : sequence of (float, str)
        Of images.
    quantity : Quantity
        The variable of NetCDF.
    """

    frames: FrameSequence
    answer: Callable[[], NowcastAnswer | FieldAnswer]
    attributes: Mapping[str, str]
    attribution: str | None
    encoding: Encoding = "base64"
    in_parts: bool = False
    title: str = RAIN
    colours: Colours = COLOURS
    quantity: Quantity = RAINFALL_RATE

    @property
    def about(self) -> str:
        """What a file holds, for those who find it without its headers."""
        frames = self.frames
        start = f" from {iso(frames.reference_time)}" if frames.reference_time else ""
        return f"{self.title}, {frames.product or 'no product'} on {frames.grid.name}{start}"
