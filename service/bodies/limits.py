"""Limits on the content of a body, checked before it is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from radar.errors import InvalidRequest
from radar.files.limits import LARGEST_FRAME_PIXELS
from radar.frame import Frame

MOST_FILES = 64
MOST_FRAMES = 64
MOST_VALUES = 32_000_000
"""Values of all frames together: 128 MB as float32, two hours of Germany's largest composite."""
MOST_ANSWERED_VALUES = 2 * MOST_VALUES
"""Values of all frames of a forecast together."""
MOST_LISTED_VALUES = 1_000_000
"""The most values in JSON lists, in requests and answers."""


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise InvalidRequest unless a shape is (frames, rows, columns) of an accepted size."""
    if len(shape) != 3 or min(shape) < 1:
        raise InvalidRequest(
            expected="an array of shape (frames, rows, columns), none of them 0",
            got=f"shape {shape}"[:80],
            remedy="stack the frames along a first axis",
        )
    frames, rows, columns = shape
    if frames > MOST_FRAMES or rows * columns > LARGEST_FRAME_PIXELS or frames * rows * columns > MOST_VALUES:
        raise _too_many(f"shape {shape}"[:80])


def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the same frames; raises InvalidRequest as soon as they are too many or too large."""
    values = 0
    for number, frame in enumerate(frames, 1):
        values += frame.rain_rate.size
        if values > MOST_VALUES or number > MOST_FRAMES:
            raise _too_many(f"{number} frames with {values} pixels")
        check_shape((1, *frame.rain_rate.shape))
        yield frame


def check_files(count: int) -> None:
    """Raise InvalidRequest for more files than one request may have."""
    if count > MOST_FILES:
        raise InvalidRequest(
            expected=f"at most {MOST_FILES} files", got=str(count), remedy="send only the newest frames"
        )


def _too_many(got: str) -> InvalidRequest:
    return InvalidRequest(
        expected=f"at most {MOST_FRAMES} frames of {LARGEST_FRAME_PIXELS} pixels, {MOST_VALUES} values together",
        got=got,
        remedy="send only the newest frames, or a part of the grid",
    )
