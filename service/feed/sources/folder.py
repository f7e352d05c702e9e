"""A folder into which files are copied, as a source."""

from __future__ import annotations

import os
from pathlib import Path

from service.feed.sources.names import Listed, dated_or_latest, listed, naming_of
from service.feed.sources.source import (
    MOST_FILES,
    Fetched,
    FileGone,
    Others,
    SourceUnavailable,
    largest,
    others_of,
    too_large,
)


class FolderSource:
    """The files of a product in a folder, without subfolders; links are not followed.

    Parameters
    ----------
    folder : Path
    product : str
        One of `service.feed.sources.names.NAMINGS`.
    """

    def __init__(self, folder: Path, product: str) -> None:
        self._folder = folder
        self.naming = naming_of(product)
        self.others = Others()
        self._largest = largest(product)

    def files(self) -> list[Listed]:
        """See Source; a file's version is its size and the time of its last change."""
        try:
            with os.scandir(self._folder) as entries:
                listed_names = {entry.name: self._listed(entry) for entry in entries}
        except OSError as error:
            raise _failed("a folder that can be listed", error) from None
        self.others = others_of(name for name, file in listed_names.items() if file is None)
        return dated_or_latest(self.naming, [file for file in listed_names.values() if file])[-MOST_FILES:]

    def fetch(self, file: Listed, tag: str = "") -> Fetched | None:
        """See Source."""
        try:
            # The name is one of the product's patterns, so it has no folder in it.
            descriptor = os.open(self._folder / file.name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as stream:
                version = _version(os.fstat(descriptor))
                data = b"" if version == tag else stream.read(self._largest + 1)
        except FileNotFoundError as error:
            raise _gone(file.name, error) from None
        except OSError as error:
            raise _failed(f"a readable file {file.name}", error) from None
        if len(data) > self._largest:
            raise too_large(file.name, self._largest)
        return None if version == tag else Fetched(data, version)

    def interrupt(self) -> None:
        """See Source: a folder keeps nobody waiting."""

    def close(self) -> None:
        """See Source; there is nothing to close."""

    def _listed(self, entry: os.DirEntry[str]) -> Listed | None:
        file = listed(self.naming, entry.name, "")
        try:
            if file is None or not entry.is_file(follow_symlinks=False):
                return None
            return file._replace(version=_version(entry.stat(follow_symlinks=False)))
        except FileNotFoundError:  # moved away meanwhile
            return None


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns}-{stat.st_size}"


def _gone(name: str, error: OSError) -> FileGone:
    return FileGone(expected=f"a file {name}", got=(error.strerror or "none").lower(), remedy="it is tried again")


def _failed(expected: str, error: OSError) -> SourceUnavailable:
    return SourceUnavailable(
        expected=expected, got=(error.strerror or "an error").lower(), remedy="check the name and the permissions"
    )
