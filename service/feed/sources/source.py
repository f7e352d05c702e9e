"""The protocol of a source of radar files: it lists names and returns bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from radar.errors import RaincellError, UnreadableFile
from radar.files.limits import FOLLOWED
from radar.products import is_forecast
from service.feed.sources.names import Listed, Naming

MOST_FILES = 5000
"""Limit of one listing; DWD keeps two days, 576 files of five minutes."""


class SourceUnavailable(RaincellError):
    """The source does not answer, or not with the requested file; a later request may succeed.

    Parameters
    ----------
    retry_after_seconds : float or None
        The pause that the source requests, if any.
    """

    def __init__(self, *, expected: str, got: str, remedy: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(expected=expected, got=got, remedy=remedy)
        self.retry_after_seconds = retry_after_seconds


class FileGone(SourceUnavailable):
    """A listed file does not exist yet, or no longer."""


class Fetched(NamedTuple):
    """The bytes of a file, and the tag with which the source can state later that they are unchanged."""

    data: bytes
    tag: str


class Others(NamedTuple):
    """Listed names that are not files of the product: their number, and the first of them."""

    total: int = 0
    names: tuple[str, ...] = ()


MOST_OTHERS = 20
"""The most names kept for messages."""


def others_of(names: Iterable[str]) -> Others:
    """The names that are not files of the product, for messages."""
    listed = sorted(set(names))
    return Others(len(listed), tuple(listed[:MOST_OTHERS]))


class Source(Protocol):
    """A directory of radar files of one product."""

    naming: Naming
    others: Others

    def files(self) -> list[Listed]:
        """All files of the product, oldest first; only the newest file's fixed name if there is no other.

        Afterwards `others` holds the other listed names. A time may have several forms, one after the other.

        Raises
        ------
        SourceUnavailable
            The source does not answer.
        """

    def fetch(self, file: Listed, tag: str = "") -> Fetched | None:
        """The bytes of a file; None if they are still those of `tag`.

        Raises
        ------
        SourceUnavailable, FileGone
            The file cannot be fetched now.
        UnreadableFile
            The file has more bytes than such a file may have.
        """

    def interrupt(self) -> None:
        """End what is waited for, which raises SourceUnavailable there; a signal handler may call it."""

    def close(self) -> None:
        """Close connections."""


def largest(product: str) -> int:
    """The most bytes that a file of a product may have."""
    return FOLLOWED.archive_bytes if is_forecast(product) else FOLLOWED.frame_bytes


def too_large(name: str, limit: int) -> UnreadableFile:
    """The error for a file with too many bytes."""
    return UnreadableFile(
        expected=f"at most {limit:,} bytes in {name}", got="more", remedy="see whether the source is the right one"
    )
