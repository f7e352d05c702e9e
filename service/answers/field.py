"""The input of writers of every format: fields of one quantity, with everything that an answer states about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from models.exceedance.odds import Statistic
from radar.colours import COLOURS
from radar.files.netcdf.writer import RAINFALL_RATE, Quantity
from radar.sequence import FrameSequence, iso
from service.answers.schema import FieldAnswer, NowcastAnswer
from service.answers.statistics import RAIN

Encoding = Literal["base64", "list", "none"]
Colours = tuple[tuple[float, str], ...]
"""Lower bounds and their colours, in growing order."""


@dataclass(frozen=True)
class Field:
    """Fields on a grid: rain rates in mm/h, or probabilities from 0 to 1.

    Parameters
    ----------
    frames : FrameSequence
        (T, H, W), NaN = no data; images show the last frame.
    answer : callable
        Makes the answer in JSON, without its frames; only JSON calls it, since a summary takes a while.
    attributes : mapping of str to str
        Global attributes of NetCDF.
    attribution : str or None
        The owner of the data.
    encoding : "base64", "list" or "none"
        The form of the frames in JSON.
    in_parts : bool
        Callers may request byte ranges of the answer, which is kept for that; see service.http.ranges.
    title : str
        A description of the numbers.
    statistic : Statistic or None
        Of a forecast of rain; None for other fields.
    colours : sequence of (float, str)
        The colours of images.
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
    statistic: Statistic | None = None
    colours: Colours = COLOURS
    quantity: Quantity = RAINFALL_RATE

    @property
    def about(self) -> str:
        """A description of a file's content, for readers without the answer's headers."""
        frames = self.frames
        start = f" from {iso(frames.reference_time)}" if frames.reference_time else ""
        return f"{self.title}, {frames.product or 'no product'} on {frames.grid.name}{start}"
