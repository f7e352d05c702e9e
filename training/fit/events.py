"""Checks of a run's events, file by file, before the training examples are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from radar.errors import RaincellError, UnreadableFile
from radar.files.open import open_sequence
from radar.grid import same_pixel_size
from radar.sequence import FrameSequence, iso
from radar.system.digest import sha256_of
from training.config.config import FitConfig

Part = Literal["train", "validation"]
_NAMED = 6


@dataclass(frozen=True)
class Event:
    """A run's record of an event.

    Parameters
    ----------
    name : str
        Name of its file.
    part : "train" or "validation"
    sha256 : str
        Digest of its file.
    product : str
        Empty where unknown.
    first, last : str
        ISO 8601 UTC.
    shape : tuple of int
        Rows and columns.
    windows : int
        Number of windows that are cut from it.
    """

    name: str
    part: Part
    sha256: str
    product: str
    first: str
    last: str
    shape: tuple[int, int]
    windows: int

    def record(self) -> dict[str, Any]:
        """The event's record in a manifest, as JSON values."""
        kept = ("name", "part", "sha256", "product", "first", "last")
        return {key: value for key, value in asdict(self).items() if key in kept}


def check_event_files(config: FitConfig, data: Path) -> None:
    """Raise FileNotFoundError, with the names of all events missing in `data`, or ValueError if none is configured."""
    if not data.is_dir():
        raise FileNotFoundError(f"expected a folder of data, got no {data}; give --data its folder")
    if config.data.dataset != "events":
        return
    for part, named in (("train", config.data.train or config.data.synthetic), ("validation", config.data.validation)):
        if not named:
            raise ValueError(
                f"expected events to train on and events to validate on, got no {part}; name them under [data]"
            )
    missing = [name for name in (*config.data.train, *config.data.validation) if not (data / name).is_file()]
    if missing:
        word = "the event" if len(missing) == 1 else "the events"
        raise FileNotFoundError(
            f"expected {word} {', '.join(missing)} in {data}, got no such file; give --data its folder"
        )


def check_events(config: FitConfig, data: Path, *, show: bool = True) -> list[Event]:
    """Read every event of a configuration once.

    Raises
    ------
    UnreadableFile
        Events have no known pixel, are shorter than a window, have another timestep or pixel size, or frames that do
        not fit into one batch; the error names each event and its fault.
    """
    parts: dict[Part, tuple[str, ...]] = {"train": config.data.train, "validation": config.data.validation}
    named = [(part, name) for part, names in parts.items() for name in names]
    events: list[Event] = []
    faults: list[str] = []
    for part, name in tqdm(named, "events", unit=" events", disable=not show, leave=False):
        try:
            sequence = open_sequence([data / name], observations_only=True)
        except RaincellError as error:
            faults.append(f"{name} (expected {error.expected}, got {error.got})")
            continue
        fault = _fault(sequence, config)
        faults += [f"{name} ({fault})"] if fault else []
        events.append(_event(data / name, part, sequence, config))
    for part in parts:
        faults += _odd_shapes([event for event in events if event.part == part], config)
    faults += _twins(events)
    _refuse(faults, config)
    return events


def _event(path: Path, part: Part, sequence: FrameSequence, config: FitConfig) -> Event:
    spare = len(sequence) - _length(config)
    return Event(
        name=path.name,
        part=part,
        sha256=sha256_of(path),
        product=sequence.product,
        first=iso(sequence.valid_times[0]),
        last=iso(sequence.valid_times[-1]),
        shape=sequence.grid.shape,
        windows=max(0, spare // config.data.stride + 1),
    )


def _length(config: FitConfig) -> int:
    return config.framing.input_length + config.leads


def _fault(sequence: FrameSequence, config: FitConfig) -> str | None:
    """Why an event cannot be used for training; None if it can."""
    framing = config.framing
    if sequence.timestep_minutes != framing.timestep_minutes:
        return f"{sequence.timestep_minutes} min apart"
    if not same_pixel_size(sequence.grid.pixel_size_km, framing.pixel_size_km):
        return f"pixels of {sequence.grid.pixel_size_km:g} km"
    if len(sequence) < _length(config):
        return f"{len(sequence)} frames"
    known = np.asarray(np.isfinite(sequence.rain_rate).any(axis=(1, 2)))
    if not known.any():
        return "no known pixel"
    starts = range(0, len(sequence) - _length(config) + 1, config.data.stride)
    if not any(_teaches(known[start : start + _length(config)], framing.input_length) for start in starts):
        return "no window whose last input frame and a later one have known pixels"
    return None


def _teaches(known: npt.NDArray[np.bool_], read: int) -> bool:
    return bool(known[read - 1] and known[read:].any())


def _odd_shapes(events: Sequence[Event], config: FitConfig) -> list[str]:
    """Events that are smaller than a crop: all crops of a batch have one size, and turned ones have to be square."""
    crop = config.optimiser.crop
    cut = {event.name: (min(event.shape[0], crop), min(event.shape[1], crop)) for event in events}
    sizes = {*cut.values(), *([(crop, crop)] if config.data.synthetic and events and events[0].part == "train" else [])}
    square = all(rows == columns for rows, columns in sizes)
    if len(sizes) <= 1 and (square or not config.data.symmetries):
        return []
    small = [event for event in events if min(event.shape) < crop]
    return [f"{event.name} ({event.shape[0]} x {event.shape[1]} pixels, a crop {crop})" for event in small]


def _twins(events: Sequence[Event]) -> list[str]:
    """Validation events whose file is also a training event under another name."""
    trained = {event.sha256: event.name for event in events if event.part == "train"}
    twins = [event for event in events if event.part == "validation" and event.sha256 in trained]
    return [f"{event.name} (the same file as {trained[event.sha256]}, which is trained on)" for event in twins]


def _refuse(faults: list[str], config: FitConfig) -> None:
    if not faults:
        return
    framing = config.framing
    more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
    raise UnreadableFile(
        expected=f"events with known pixels, of {_length(config)} frames or more, {framing.timestep_minutes} min apart "
        f"with pixels of {framing.pixel_size_km:g} km, as the configuration says",
        got=", ".join(faults[:_NAMED] + more),
        remedy="take them out of [data], or correct framing, leads or optimiser.crop",
    )
