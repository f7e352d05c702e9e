"""Moving MNIST (Srivastava et al., 2015, arXiv:1502.04681): two digits that bounce within 64 x 64 pixels."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from radar.sequence import Float32
from training.data.base import Part, SequenceDataset, checked, required

Bytes = npt.NDArray[np.uint8]

TRAINING_IMAGES = "train-images-idx3-ubyte"
PUBLISHED_TEST = "mnist_test_seq.npy"
_SEQUENCES = 10_000
_SPEEDS = (2.0, 5.0)
"""The least and largest speed of a digit, in pixels per frame."""
_SEEDS = {"train": 0, "validation": 1, "test": 2}


def open_moving_mnist(
    folder: Path,
    part: Part,
    *,
    input_length: int = 10,
    leads: int = 10,
    digits: int = 2,
    size: int = 64,
    sequences: int = _SEQUENCES,
    seed: int = 0,
    test: Literal["published", "generated"] = "published",
) -> SequenceDataset:
    """Generate sequences from the MNIST training images, or open the 10,000 published ones for testing.

    Training uses the first five sixths of the images, validation and a generated test the rest.
    """
    if part == "test" and test == "published":
        path = required(folder / PUBLISHED_TEST, "the Moving MNIST test set of the University of Toronto")
        return PublishedMovingMnist(path, input_length, leads)
    if min(input_length, leads, digits, sequences) < 1:
        raise ValueError("expected input_length, leads, digits and sequences of 1 or more; correct the options")
    images = read_idx_images(_images_file(folder))
    border = len(images) * 5 // 6
    images = images[:border] if part == "train" else images[border:]
    if not len(images) or size < max(images.shape[1:]):
        raise ValueError(f"expected some digits of at most {size} pixels, got {images.shape}; give a larger size")
    return MovingMnist(images, input_length, leads, digits, size, sequences, (seed, _SEEDS[part]))


def _images_file(folder: Path) -> Path:
    plain = folder / TRAINING_IMAGES
    packed = folder / f"{TRAINING_IMAGES}.gz"
    return plain if plain.exists() else required(packed, "the training images of the MNIST data base (plain or .gz)")


def read_idx_images(path: Path) -> Bytes:
    """The images (N, H, W) of an IDX file, plain or gzip.

    Raises
    ------
    ValueError
        The file is not an IDX file, or damaged.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise ValueError(f"expected gzip in {path.name}, got something else; download it again") from error
    if len(content) < 16 or content[:4] != b"\0\0\x08\x03":
        raise ValueError(f"expected IDX images of bytes in {path.name}, got something else; download it again")
    count, rows, columns = struct.unpack(">3I", content[4:16])
    if len(content) != 16 + count * rows * columns:
        raise ValueError(f"expected {count} images of {rows}x{columns} in {path.name}, got {len(content)} bytes in all")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, rows, columns)


@dataclass(frozen=True, eq=False)
class MovingMnist:
    """Sequences drawn on demand; index and seed determine them."""

    images: Bytes
    input_length: int
    leads: int
    digits: int
    size: int
    sequences: int
    seed: tuple[int, int]
    name: str = "moving-mnist"

    def __len__(self) -> int:
        return self.sequences

    def __getitem__(self, index: int) -> Float32:
        """(T, 1, size, size); where digits overlap, the brighter one is shown."""
        draw = np.random.default_rng((*self.seed, checked(index, len(self))))
        frames = np.zeros((self.input_length + self.leads, 1, self.size, self.size), np.float32)
        for _ in range(self.digits):
            image = self.images[int(draw.integers(len(self.images)))].astype(np.float32) / 255
            rows, columns = image.shape
            for frame, (row, column) in zip(frames, self._path(draw, image.shape, len(frames)), strict=True):
                place = frame[0, row : row + rows, column : column + columns]
                np.maximum(place, image, out=place)
        return frames

    def _path(self, draw: np.random.Generator, shape: tuple[int, ...], frames: int) -> npt.NDArray[np.int64]:
        """Upper left corners (frames, 2) on a straight line that is folded at the borders."""
        room = np.array([self.size - edge for edge in shape], float)
        angle, speed = draw.uniform(0, 2 * np.pi), draw.uniform(*_SPEEDS)
        line = draw.uniform(0, 1, 2) * room + np.arange(frames)[:, None] * speed * np.array(
            [np.sin(angle), np.cos(angle)]
        )
        folded = np.abs((line + room) % np.maximum(2 * room, 1e-9) - room)
        corners: npt.NDArray[np.int64] = np.minimum(folded.round(), room).astype(np.int64)
        return corners


class PublishedMovingMnist:
    """The published test sequences, (20, N, 64, 64) bytes, each read on demand."""

    name = "moving-mnist"

    def __init__(self, path: Path, input_length: int = 10, leads: int = 10) -> None:
        try:
            shape, kind = (array := np.load(path, mmap_mode="r")).shape, array.dtype
        except ValueError as error:
            raise ValueError(
                f"expected an array of bytes in {path.name}, got something else; download it again"
            ) from error
        if len(shape) != 4 or kind != np.uint8 or shape[0] < input_length + leads:
            raise ValueError(f"expected bytes ({input_length + leads}, N, 64, 64) in {path.name}, got {kind} {shape}")
        self.path, self.input_length, self.leads, self._length = path, input_length, leads, shape[1]

    def __len__(self) -> int:
        return int(self._length)

    def __getitem__(self, index: int) -> Float32:
        """(T, 1, 64, 64)."""
        array = np.load(self.path, mmap_mode="r")
        frames = array[: self.input_length + self.leads, checked(index, len(self)), None]
        return np.asarray(frames, np.float32) / np.float32(255)
