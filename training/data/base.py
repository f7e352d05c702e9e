"""The protocol of a data set: sequences of frames, each loaded on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from radar.rain import RainScaling
from radar.sequence import Float32

Part = Literal["train", "validation", "test"]


class SequenceDataset(Protocol):
    """Sequences (input_length + leads, 1, H, W) in [0, 1]; NaN = missing.

    One index gives one sequence, the same whoever asks and in whatever process.
    """

    @property
    def name(self) -> str:
        """The data set's."""

    @property
    def input_length(self) -> int:
        """Frames that a network reads."""

    @property
    def leads(self) -> int:
        """Frames that it forecasts."""

    def __len__(self) -> int:
        """How many sequences there are."""

    def __getitem__(self, index: int) -> Float32:
        """A sequence (T, 1, H, W).

        Raises
        ------
        IndexError
            There are not so many.
        """


@runtime_checkable
class RainDataset(Protocol):
    """A data set whose frames are rain."""

    def rain_rate(self, index: int) -> Float32:
        """The frames of a sequence (T, H, W) in mm/h, NaN = no data."""

    def scaled(self, scaling: RainScaling) -> SequenceDataset:
        """The same data set in the units of another scaling."""


def required(path: Path, what: str) -> Path:
    """`path`, if it exists.

    Raises
    ------
    FileNotFoundError
        It does not; `what` says what it is and where it comes from.
    """
    if not path.exists():
        raise FileNotFoundError(f"expected {path.name} in {path.parent}, got none; get {what} and put it there")
    return path


def checked(index: int, length: int) -> int:
    """`index`, counted from the end if it is negative.

    Raises
    ------
    IndexError
        It is beyond the data set, which is how Python's loops know that it ends.
    """
    if not -length <= index < length:
        raise IndexError(f"expected an index below {length}, got {index}")
    return index % length
