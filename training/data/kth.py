"""KTH (Schuldt, Laptev and Caputo, 2004, doi:10.1109/ICPR.2004.1334462): people who walk, run, box, wave and clap."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from radar.sequence import Float32
from training.data.base import Part, SequenceDataset, checked

_PERSON = re.compile(r"person(\d+)_(\w+?)_d\d")
_PICTURES = (".png", ".jpg", ".jpeg")
TRAINING_PERSONS = range(1, 17)
TEST_PERSONS = range(17, 26)


def open_kth(
    folder: Path,
    part: Part,
    *,
    input_length: int = 10,
    leads: int = 10,
    size: int = 88,
    stride: int | None = None,
    actions: tuple[str, ...] = (),
) -> SequenceDataset:
    """Sequences of grey frames, of persons 1 to 16 for training and 17 to 25 for validation and testing.

    `folder` holds the published videos (personNN_ACTION_dN_uncomp.avi) or a folder of pictures for each, at any depth.
    Frames are resized to `size` x `size` pixels, 88 as in the MS-RNN paper; sequences begin every `stride` frames, by
    default without overlap. `actions`, if given, selects actions: ("running",).
    """
    stride = stride or input_length + leads
    if min(input_length, leads, size, stride) < 1:
        raise ValueError("expected input_length, leads, size and stride of 1 or more; correct the options")
    persons = TRAINING_PERSONS if part == "train" else TEST_PERSONS
    found = [path for path in sorted(folder.rglob("person*")) if path.is_dir() or path.suffix == ".avi"]
    if not found:
        raise FileNotFoundError(
            f"expected personNN_ACTION_dN_uncomp.avi, or folders of their frames, in {folder}, got none; get the "
            "videos of the KTH action data base and put them there"
        )
    clips = [clip for path in found if (clip := _clip(path, persons, actions)) is not None]
    length = input_length + leads
    starts = [(path, start) for path, frames in clips for start in range(0, frames - length + 1, stride)]
    return Kth(tuple(starts), input_length, leads, size)


def _clip(path: Path, persons: range, actions: tuple[str, ...]) -> tuple[Path, int] | None:
    """A video or folder and its number of frames, if it shows one of these persons and actions."""
    match = _PERSON.match(path.name)
    if match is None or int(match[1]) not in persons or (actions and match[2] not in actions):
        return None
    if path.is_dir():
        return path, len(_pictures(path))
    video = cv2.VideoCapture(str(path))
    frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    video.release()
    if frames < 1:
        raise ValueError(
            f"expected a video in {path.name}, got none that can be read; download it again, or give its frames"
        )
    return path, frames


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)


@dataclass(frozen=True, eq=False)
class Kth:
    """Sequences of frames, which are read on demand."""

    starts: tuple[tuple[Path, int], ...]
    input_length: int
    leads: int
    size: int
    name: str = "kth"

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Float32:
        """(T, 1, size, size).

        Raises
        ------
        ValueError
            A frame cannot be read; the error names it.
        """
        path, start = self.starts[checked(index, len(self))]
        length = self.input_length + self.leads
        frames = _from_pictures(path, start, length) if path.is_dir() else _from_video(path, start, length)
        grey = [cv2.resize(frame, (self.size, self.size), interpolation=cv2.INTER_AREA) for frame in frames]
        return np.stack(grey)[:, None].astype(np.float32) / np.float32(255)


def _from_pictures(folder: Path, start: int, length: int) -> list[np.ndarray]:
    paths = _pictures(folder)[start : start + length]
    return [_grey(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), f"{folder.name}/{path.name}") for path in paths]


def _from_video(path: Path, start: int, length: int) -> list[np.ndarray]:
    video = cv2.VideoCapture(str(path))
    try:
        video.set(cv2.CAP_PROP_POS_FRAMES, start)
        frames = [_grey(video.read()[1], f"frame {start + k} of {path.name}") for k in range(length)]
    finally:
        video.release()
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) if frame.ndim == 3 else frame for frame in frames]


def _grey(frame: np.ndarray | None, label: str) -> np.ndarray:
    if frame is None:
        raise ValueError(f"expected a picture in {label}, got none that can be read; download it again")
    return frame
