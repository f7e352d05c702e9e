"""The protocol of a data set: sequences of frames, each loaded on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from radar.rain import RainScaling
from radar.sequence import Float32

Part = Literal["train", "validation", "test"]


class SequenceDataset(Protocol):
    """Sequences (input_length + leads, 1, H, W) in [0, 1]; NaN = missing.

    An index always gives the same sequence, in every process.
    """

    @property
    def name(self) -> str:
        """The data set's name."""

    @property
    def input_length(self) -> int:
        """The number of frames that a network reads."""

    @property
    def leads(self) -> int:
        """The number of frames that it forecasts."""

    def __len__(self) -> int:
        """The number of sequences."""

    def __getitem__(self, index: int) -> Float32:
        """A sequence (T, 1, H, W).

        Raises
        ------
        IndexError
            The index is beyond the data set.
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
        It does not exist; `what` describes it and its origin.
    """
    if not path.exists():
        raise FileNotFoundError(f"expected {path.name} in {path.parent}, got none; get {what} and put it there")
    return path


def checked(index: int, length: int) -> int:
    """`index`, counted from the end if it is negative.

    Raises
    ------
    IndexError
        It is beyond the data set, which ends Python's loops over it.
    """
    if not -length <= index < length:
        raise IndexError(f"expected an index below {length}, got {index}")
    return index % length
