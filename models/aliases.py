"""The roles of a model's versions, champion, previous champion and challenger: <name>/aliases.json.

Every change is one atomic rename, which is on disk when the function returns; a lock serialises changes of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from models.repository import check_name, one_writer, read_json, version_file, write_json
from radar.errors import ArtifactRejected, InvalidRequest, UnknownModel
from radar.sequence import iso


@dataclass(frozen=True)
class Aliases:
    """The roles of a model's versions.

    Parameters
    ----------
    champion : str
        The served version.
    previous : str, optional
        The previous champion, for `rollback`.
    challenger : str, optional
        A version that forecasts beside the champion and is scored, but never served.
    challenger_since : datetime, optional
        When the challenger got its role, UTC.
    probation_until : datetime, optional
        Until this time, UTC, the previous champion is scored beside the new one, which may be rolled back.
    champion_since : datetime, optional
        When the champion got its role, UTC.
    """

    champion: str
    previous: str | None = None
    challenger: str | None = None
    challenger_since: datetime | None = None
    probation_until: datetime | None = None
    champion_since: datetime | None = None

    @property
    def versions(self) -> frozenset[str]:
        """All versions with a role, which must not be removed."""
        return frozenset(filter(None, (self.champion, self.previous, self.challenger)))

    def promoted(self, version: str, now: datetime, probation: timedelta) -> Aliases:
        """The aliases with `version` as champion."""
        until = now + probation if probation else None
        return Aliases(champion=version, previous=self.champion, probation_until=until, champion_since=now)

    def rolled_back(self, now: datetime | None) -> Aliases:
        """The aliases with champion and previous exchanged; raises InvalidRequest without a previous champion."""
        if self.previous is None:
            raise InvalidRequest(
                expected="a previous champion to go back to", got="none", remedy="promote another version by its name"
            )
        return Aliases(champion=self.previous, previous=self.champion, champion_since=now)


First = Callable[[Aliases], object]
"""Called with the current roles before a change, under the lock; if it raises an error, nothing is changed."""


def _nothing(_: Aliases) -> None: ...


def read_aliases(repository: Path, name: str) -> Aliases:
    """The roles of a model's versions, which need not exist.

    Raises
    ------
    UnknownModel
        The repository has no such model.
    ArtifactRejected
        The file names no champion, or has a value that is neither a version's name nor a time.
    """
    path = _file(repository, name)
    if not path.exists():
        raise UnknownModel(
            expected=f"a model {name} with aliases.json", got="no such file", remedy="export a first version of it"
        )
    content = read_json(path)
    try:
        return Aliases(
            champion=_champion(content["champion"]),
            previous=_version(content.get("previous")),
            challenger=_version(content.get("challenger")),
            challenger_since=_time(content.get("challenger_since")),
            probation_until=_time(content.get("probation_until")),
            champion_since=_time(content.get("champion_since")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactRejected(
            expected=f"champion in {name}/aliases.json, and times with their zone",
            got=f"another content ({type(error).__name__})",
            remedy="restore the file, or export the model again",
        ) from error


def _champion(name: object) -> str:
    champion = _version(name)
    if champion is None:
        raise TypeError("no champion")
    return champion


def _version(name: object) -> str | None:
    if name is not None and not isinstance(name, str):
        raise TypeError("a version that is not text")
    return None if name is None else check_name(name)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time.astimezone(UTC)


def set_challenger(repository: Path, name: str, version: str, now: datetime) -> Aliases:
    """Try a version beside the champion from `now` on; raises as `promote`."""
    version_file(repository, name, version)
    with _changed(repository, name) as change:
        _check_other(change.aliases, version)
        change.aliases = replace(change.aliases, challenger=version, challenger_since=now)
    return change.aliases


def drop_challenger(repository: Path, name: str, *, first: First = _nothing) -> Aliases:
    """Remove the challenger's role; for `first` see First."""
    with _changed(repository, name, first) as change:
        change.aliases = replace(change.aliases, challenger=None, challenger_since=None)
    return change.aliases


def promote(
    repository: Path,
    name: str,
    version: str | None = None,
    *,
    now: datetime,
    probation: timedelta = timedelta(),
    first: First = _nothing,
) -> Aliases:
    """Make the challenger, or a named version, champion, and the champion the previous one.

    Parameters
    ----------
    now : datetime
    probation : timedelta
        How long from `now` on live skill may roll it back.
    first : callable
        See First.

    Raises
    ------
    InvalidRequest
        There is no challenger, or the version is champion already.
    UnknownModel, ArtifactRejected
        The version is missing, or differs from its manifest.
    """
    with _changed(repository, name, first) as change:
        chosen = _chosen(change.aliases, version)
        _check_other(change.aliases, chosen)
        version_file(repository, name, chosen)
        change.aliases = change.aliases.promoted(chosen, now, probation)
    return change.aliases


def rollback(repository: Path, name: str, now: datetime | None = None, *, first: First = _nothing) -> Aliases:
    """Make the previous champion champion again; for `first` see First.

    Raises
    ------
    InvalidRequest
        There is no previous champion.
    UnknownModel, ArtifactRejected
        Its version is missing, or differs from its manifest.
    """
    with _changed(repository, name, first) as change:
        change.aliases = change.aliases.rolled_back(now)
        version_file(repository, name, change.aliases.champion)
    return change.aliases


def _chosen(aliases: Aliases, version: str | None) -> str:
    chosen = version or aliases.challenger
    if chosen is None:
        raise InvalidRequest(expected="a challenger to promote", got="none", remedy="name a version")
    return chosen


def _check_other(aliases: Aliases, version: str) -> None:
    if version == aliases.champion:
        raise InvalidRequest(
            expected=f"a version other than the champion, {aliases.champion}", got="that one", remedy="name another"
        )


class _Change:
    """The aliases that `_changed` writes when its block ends without an error."""

    def __init__(self, aliases: Aliases) -> None:
        self.aliases = aliases


@contextmanager
def _changed(repository: Path, name: str, first: First = _nothing) -> Iterator[_Change]:
    """The aliases to change, under the lock."""
    path = _file(repository, name)
    with one_writer(path):
        change = _Change(read_aliases(repository, name))
        first(change.aliases)
        yield change
        write_json(path, _content(change.aliases))


def _content(aliases: Aliases) -> dict[str, Any]:
    """The set values as JSON."""
    values = {key: iso(value) if isinstance(value, datetime) else value for key, value in asdict(aliases).items()}
    return {key: value for key, value in values.items() if value is not None}


def _file(repository: Path, name: str) -> Path:
    return repository / check_name(name) / "aliases.json"
