"""Windows cut from events and storms, converted to the network's coordinates once, before training."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from models.framing import Framing
from radar.grid import Grid, same_pixel_size
from radar.sequence import Float32, FrameSequence
from radar.synthetic import random_weather, storm_sequence
from training.data.base import RainDataset, SequenceDataset

Float16 = npt.NDArray[np.float16]

_STORM_PIXELS = 384


@dataclass(frozen=True, eq=False)
class Example:
    """One window in network units and the network's coordinates; NaN = no data.

    Parameters
    ----------
    frames : float16 (T, H, W)
    targets : float16 (K, H, W)
    base : float16 (K, H, W)
    """

    frames: Float16
    targets: Float16
    base: Float16


def window_starts(sequence: FrameSequence, length: int, stride: int) -> range:
    """First frames of all windows of `length` frames; a FrameSequence has no gaps, so no window spans one."""
    return range(0, len(sequence) - length + 1, stride)


def cut_windows(sequence: FrameSequence, length: int, stride: int) -> Iterator[Float32]:
    """Windows (length, H, W) in mm/h, in order of time."""
    for start in window_starts(sequence, length, stride):
        yield sequence.rain_rate[start : start + length]


def make_example(window: Float32, framing: Framing) -> Example:
    """An example from a window (T + K, H, W) in mm/h; only its first T frames determine its motion and base."""
    observed, later = window[: framing.input_length], window[framing.input_length :]
    motion = framing.motion(observed)
    seen = framing.inputs(observed, motion)
    units = framing.scaling.to_network
    return Example(
        frames=units(seen).astype(np.float16),
        targets=units(framing.targets(later, motion)).astype(np.float16),
        base=np.stack(list(framing.bases(seen, len(later)))).astype(np.float16),
    )


def event_examples(events: Iterable[FrameSequence], framing: Framing, leads: int, stride: int) -> Iterator[Example]:
    """Examples of all windows of whole events.

    Raises
    ------
    ValueError
        An event's timestep or pixel size is not the framing's.
    """
    for event in events:
        same_size = same_pixel_size(event.grid.pixel_size_km, framing.pixel_size_km)
        if event.timestep_minutes != framing.timestep_minutes or not same_size:
            raise ValueError(
                f"expected frames {framing.timestep_minutes} min apart with pixels of {framing.pixel_size_km:g} km, "
                f"got {event.timestep_minutes} min and {event.grid.pixel_size_km:g} km; leave the event out"
            )
        for window in cut_windows(event, framing.input_length + leads, stride):
            yield make_example(window, framing)


class ExamplesOnDemand(Sequence[Example]):
    """Examples that are loaded or made on demand, by `_example`."""

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        """One example, or several."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        return self._example(range(len(self))[index])

    @abstractmethod
    def _example(self, index: int) -> Example:
        """The example of an index from 0."""


class SequenceExamples(ExamplesOnDemand):
    """A data set's sequences (T + K, 1, H, W) in [0, 1] as examples, each loaded on demand.

    Rain, which data sets of radar have in mm/h as `rain_rate`, is converted to the framing's coordinates; all other
    data stay Eulerian, with the base "none" or "persistence".
    """

    def __init__(self, dataset: SequenceDataset, framing: Framing, leads: int) -> None:
        if (dataset.input_length, dataset.leads) != (framing.input_length, leads):
            raise ValueError(
                f"expected {framing.input_length} + {leads} frames as the configuration says, got data of "
                f"{dataset.input_length} + {dataset.leads}; change framing.input_length and leads, or data.options"
            )
        self._needs_rain = framing.coordinates != "eulerian" or framing.base in ("smoothed", "sprog")
        if self._needs_rain and not isinstance(dataset, RainDataset):
            raise ValueError('expected coordinates "eulerian" and base "none" or "persistence" for data without rain')
        self._dataset = dataset.scaled(framing.scaling) if isinstance(dataset, RainDataset) else dataset
        self._framing = framing

    def _from_rain(self, index: int) -> Example:
        assert isinstance(self._dataset, RainDataset)  # noqa: S101
        return make_example(self._dataset.rain_rate(index), self._framing)

    def __len__(self) -> int:
        return len(self._dataset)

    def _example(self, index: int) -> Example:
        if self._needs_rain:
            return self._from_rain(index)
        frames = self._dataset[index][:, 0].astype(np.float16)
        observed, later = frames[: self._framing.input_length], frames[self._framing.input_length :]
        last = observed[-1]
        base = last if self._framing.base == "persistence" else np.where(np.isnan(last), last, np.float16(0))
        return Example(observed, later, np.repeat(base[None], len(later), axis=0))


def storm_examples(count: int, framing: Framing, leads: int, seed: int) -> Iterator[Example]:
    """Examples of `count` synthetic storms of random weather."""
    grid = Grid("synthetic", (_STORM_PIXELS, _STORM_PIXELS), framing.pixel_size_km)
    for index in range(count):
        storm = storm_sequence(
            grid,
            framing.input_length + leads,
            seed=seed * 100_000 + index,
            end_time=datetime(2000, 1, 1, tzinfo=UTC),
            timestep_minutes=framing.timestep_minutes,
            weather=random_weather(seed * 100_000 + index),
        )
        yield make_example(storm.rain_rate, framing)


class StoredExamples(ExamplesOnDemand):
    """The examples of a folder, in the order of their names.

    Raises
    ------
    FileNotFoundError
        The folder has no examples.
    """

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.npy"))
        if not self._files:
            raise FileNotFoundError(f"expected examples in {folder}, got none; begin a new run")

    def __len__(self) -> int:
        return len(self._files)

    def _example(self, index: int) -> Example:
        return _read(self._files[index])


class KeptExamples(ExamplesOnDemand):
    """Examples that are made on first use, and then kept in a folder.

    Several processes may share one folder.
    """

    def __init__(self, examples: Sequence[Example], folder: Path) -> None:
        self._examples, self._folder = examples, folder

    def __len__(self) -> int:
        return len(self._examples)

    def _example(self, index: int) -> Example:
        kept = next(self._folder.glob(f"{index:06d}-*.npy"), None)
        if kept is not None:
            return _read(kept)
        example = self._examples[index]
        store_example(self._folder, index, example)
        return example


def store_example(folder: Path, number: int, example: Example) -> None:
    """Write one example as <number>-<frames>-<leads>.npy, by a rename."""
    folder.mkdir(exist_ok=True)
    name = f"{number:06d}-{len(example.frames)}-{len(example.targets)}.npy"
    making = folder / f".{name}.{os.getpid()}"
    try:
        with making.open("wb") as file:
            np.save(file, np.concatenate([example.frames, example.targets, example.base]))
        making.replace(folder / name)
    finally:
        making.unlink(missing_ok=True)


def _read(path: Path) -> Example:
    """Read an example; its file name holds the numbers of frames and of targets, which equals that of base frames."""
    frames, leads = (int(number) for number in path.stem.split("-")[1:])
    return Example(*np.split(np.load(path, mmap_mode="r"), [frames, frames + leads]))
