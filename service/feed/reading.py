"""From a file's bytes to one observed frame and, of DWD's RV, the forecast that came with it."""

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
    """What a file of the feed holds.

    Parameters
    ----------
    observed : FrameSequence
        One frame.
    forecast : FrameSequence or None
        Of RV: all lead times but 0, with their reference time.
    """

    observed: FrameSequence
    forecast: FrameSequence | None


Reader = Callable[[bytes, str], Iterable[Frame]]
"""From a file's bytes and name to its frames."""


def read_file(data: bytes, file: Listed, product: str, read: Reader = iter_frames) -> Contents:
    """The frames of a file of the feed.

    Lead 0 of an RV run is DWD's analysis of what the radars saw, and is taken as an observation of product RV, as
    `python -m training prepare` does.

    Raises
    ------
    UnreadableFile
        No radar file, damaged, more or fewer frames than the product has, or of another time than its name says.
    ProductMismatch, InvalidRequest
        Another product, or a forecast where the product is observed.
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
    """The word under which a refusal is listed and counted, for those that are no FrameQuarantined."""
    reasons = {UnreadableFile: "unreadable", ProductMismatch: "product", InvalidRequest: "time"}
    found = (reason for kind, reason in reasons.items() if isinstance(error, kind))
    return next(found, "maximum" if type(error).__name__ == "InvalidRain" else "mismatch")
