"""Reading of a file's bytes: one observed frame and, for DWD's RV, its forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from radar.errors import InvalidRequest, ProductMismatch, UnreadableFile
from radar.files.frames import iter_frames
from radar.frame import Frame, forecast_refused, sequence_of
from radar.sequence import FrameSequence, iso
from service.feed.sources.names import Listed


class Contents(NamedTuple):
    """The content of a file of the feed.

    Parameters
    ----------
    observed : FrameSequence
        One frame.
    forecast : FrameSequence or None
        For RV: all lead times but 0, with their reference time.
    """

    observed: FrameSequence
    forecast: FrameSequence | None


Reader = Callable[[bytes, str], Iterable[Frame]]
"""Returns the frames of a file's bytes and name."""


def read_file(data: bytes, file: Listed, product: str, read: Reader = iter_frames) -> Contents:
    """The frames of a file of the feed.

    Lead 0 of an RV run is DWD's analysis of the observations. It is taken as an observation of product RV, as in
    `python -m training prepare`.

    Raises
    ------
    UnreadableFile
        The file is not a radar file, is damaged, or has another number of frames than its product or another time than
        its name.
    ProductMismatch, InvalidRequest
        The file is of another product, or holds a forecast of an observed product.
    """
    frames = list(read(data, file.name))
    for frame in frames:
        if frame.product != product:
            raise ProductMismatch(
                expected=f"product {product} in {file.name}", got=frame.product, remedy="correct --source or --product"
            )
    contents = _run(frames, file) if product == "RV" else _single(frames, file)
    time = contents.observed.valid_times[0]
    if file.time not in (None, time):
        raise _unreadable(file, f"a frame of {iso(file.time)}" if file.time else "a frame", f"one of {iso(time)}")
    return contents


def _single(frames: Sequence[Frame], file: Listed) -> Contents:
    if len(frames) != 1:
        raise _unreadable(file, "one frame", str(len(frames)))
    reference_time = frames[0].reference_time
    if reference_time is not None:
        raise forecast_refused(reference_time, f"in {file.name}")
    return Contents(sequence_of(frames), None)


def _run(frames: Sequence[Frame], file: Listed) -> Contents:
    made = {frame.reference_time for frame in frames}
    first = [frame for frame in frames if frame.valid_time == frame.reference_time]
    if len(made) != 1 or len(first) != 1:
        raise _unreadable(file, "one run with one lead 0", f"{len(made)} runs with {len(first)}")
    ahead = [frame for frame in frames if frame is not first[0]]
    if not ahead:
        raise _unreadable(file, "lead times beyond 0", "none")
    return Contents(sequence_of([replace(first[0], reference_time=None)]), sequence_of(ahead))


def _unreadable(file: Listed, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(expected=f"{expected} in {file.name}", got=got, remedy="see whether the source is sound")


def reason_of(error: Exception) -> str:
    """The word under which a refusal other than FrameQuarantined is listed and counted."""
    reasons = {UnreadableFile: "unreadable", ProductMismatch: "product", InvalidRequest: "time"}
    found = (reason for kind, reason in reasons.items() if isinstance(error, kind))
    return next(found, "maximum" if type(error).__name__ == "InvalidRain" else "mismatch")
