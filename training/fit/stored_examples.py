"""Examples in files, a file each, that are read when they are asked for and shared by all who read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from training.fit.examples import Example


class StoredExamples(Sequence[Example]):
    """The examples of a folder, in the order of their names.

    Raises
    ------
    FileNotFoundError
        There are none.
    """

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.npy"))
        if not self._files:
            raise FileNotFoundError(f"expected examples in {folder}, got none; begin a new run")

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        """One example, or several."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        frames, targets, base = np.split(np.load(self._files[index], mmap_mode="r"), self._cuts(index))
        return Example(frames, targets, base)

    def _cuts(self, index: int) -> list[int]:
        """Where the frames end and the targets, which are as many as the base's, from the file's name."""
        frames, leads = (int(number) for number in self._files[index].stem.split("-")[1:])
        return [frames, frames + leads]


def store_example(folder: Path, number: int, example: Example) -> None:
    """Write one example as <number>-<frames>-<leads>.npy."""
    name = f"{number:06d}-{len(example.frames)}-{len(example.targets)}.npy"
    np.save(folder / name, np.concatenate([example.frames, example.targets, example.base]))
