"""The protocol of a source of radar files: it lists names and gives bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from radar.errors import RaincellError, UnreadableFile
from radar.files.limits import FOLLOWED
from radar.products import is_forecast
from service.feed.sources.names import Listed, Naming

MOST_FILES = 5000
"""Of one listing; DWD keeps two days, 576 files of five minutes."""


class SourceUnavailable(RaincellError):
    """The source does not answer, or not with what was asked for; worth asking again.

    Parameters
    ----------
    retry_after_seconds : float or None
        When the source wants to be asked again, if it says so.
    """

    def __init__(self, *, expected: str, got: str, remedy: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(expected=expected, got=got, remedy=remedy)
        self.retry_after_seconds = retry_after_seconds


class FileGone(SourceUnavailable):
    """A file that is not there, though it was listed: not yet, or no longer."""


class Fetched(NamedTuple):
    """The bytes of a file, and what the source wants to be told to say that they are still the same."""

    data: bytes
    tag: str


class Others(NamedTuple):
    """What a source lists besides the files of the product: how many names, and the first of them."""

    total: int = 0
    names: tuple[str, ...] = ()


MOST_OTHERS = 20
"""Names that are kept to be told."""


def others_of(names: Iterable[str]) -> Others:
    """The names that are no files of the product, for messages."""
    listed = sorted(set(names))
    return Others(len(listed), tuple(listed[:MOST_OTHERS]))


class Source(Protocol):
    """A directory of radar files of one product."""

    naming: Naming
    others: Others

    def files(self) -> list[Listed]:
        """All files of the product, oldest first; the newest file's other name alone if there is no other.

        What else was listed is in `others` then. A time may come in several forms, one after the other.

        Raises
        ------
        SourceUnavailable
            It does not answer.
        """

    def fetch(self, file: Listed, tag: str = "") -> Fetched | None:
        """The bytes of a file; None if they are still those of `tag`.

        Raises
        ------
        SourceUnavailable, FileGone
            Worth another try.
        UnreadableFile
            More bytes than such a file may have.
        """

    def interrupt(self) -> None:
        """End what is waited for, which raises SourceUnavailable there; a signal handler may call it."""

    def close(self) -> None:
        """Let go of connections."""


def largest(product: str) -> int:
    """The most bytes that a file of a product may have."""
    return FOLLOWED.archive_bytes if is_forecast(product) else FOLLOWED.frame_bytes


def too_large(name: str, limit: int) -> UnreadableFile:
    """The error of a file with more bytes than it may have."""
    return UnreadableFile(
        expected=f"at most {limit:,} bytes in {name}", got="more", remedy="see whether the source is the right one"
    )
