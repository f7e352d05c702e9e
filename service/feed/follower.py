"""Repeated looks at a source: new files are fetched and taken, bad ones are put aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from radar.errors import InvalidRequest, Overloaded, RaincellError, StoreUnavailable, UnreadableFile
from radar.sequence import iso
from service.errors import FrameQuarantined
from service.feed.bad_files import BadFiles
from service.feed.intake import ArchiveUnavailable, Intake, NotKept
from service.feed.reading import reason_of
from service.feed.sources.names import Listed, one_of_each_time, why_not
from service.feed.sources.source import Fetched, FileGone, Source, SourceUnavailable
from service.history.quarantine import Counts, QuarantineEntry

RETRY_AFTER = timedelta(seconds=60)
"""Pause until a bad file is fetched again, until its bytes stay the same: it may have been read while being written."""
MOST_FAILURES = 3
"""Consecutive failures of files after which a look ends."""

_NAMED = 5
"""The most files that a message names."""
_logger = logging.getLogger("raincell")


@dataclass
class Look:
    """The result of one look at the source.

    Parameters
    ----------
    listed : int
        Number of files of the product at the source, one for each time.
    taken, quarantined : int
    newest : datetime or None
        Time of the newest frame taken.
    found_nothing : str
        Why there is nothing to take, if the source has no file of the product.
    failure : RaincellError or None
        The error of the last file that could not be fetched or archived.
    """

    listed: int = 0
    taken: int = 0
    quarantined: int = 0
    failure: RaincellError | None = None
    newest: datetime | None = None
    found_nothing: str = ""


@dataclass
class _Known:
    """A file that was fetched, or whose frame existed already: its version, and its fate."""

    version: str
    tag: str = ""
    digest: str = "?"
    taken: bool = True
    retry_at: datetime | None = None


@dataclass
class Follower:
    """Looks at a source, and takes its new files.

    Parameters
    ----------
    source : Source
    intake : Intake
    clock : callable
        Returns the current time, UTC.
    bad_files : BadFiles or None
        Keeps unusable bytes.
    stopping : callable
        Returns whether to end after the current file.
    quarantined : Counts
        Files and frames that were not taken, by reason.
    """

    source: Source
    intake: Intake
    clock: Callable[[], datetime]
    bad_files: BadFiles | None = None
    stopping: Callable[[], bool] = lambda: False
    quarantined: Counts = field(default_factory=Counts)
    _known: dict[str, _Known] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _epoch: str = ""

    def look(self) -> Look:
        """Fetch and take new files, oldest first; those that are too old for the history come last.

        Raises
        ------
        SourceUnavailable
            The source does not list its files.
        StoreUnavailable
            The history cannot be read or written now. The remaining files stay due.
        """
        listed = self.source.files()
        files = one_of_each_time(listed, self._spoilt())
        look, failures = Look(listed=len(files)), 0
        if not listed:
            look.found_nothing = self._nothing()
        for file in self._due(files, listed):
            if self.stopping() or failures == MOST_FAILURES:
                break
            try:
                self._fetch(file, look)
                failures = 0
                self._failed.discard(file.name)
            except FileGone as error:  # the other files are unaffected
                self._note(file, error)
            except (SourceUnavailable, NotKept) as error:
                failures += 1
                look.failure = error
                self._note(file, error)
        try:
            self.intake.pack()
        except ArchiveUnavailable as error:
            look.failure = error
        return look

    def _note(self, file: Listed, error: RaincellError) -> None:
        self._failed.add(file.name)
        _logger.warning("failed, to be tried again: %s: %s", file.name, error)

    def _spoilt(self) -> set[str]:
        """Names of files that proved bad: the same time in another form may be good."""
        return {name for name, known in self._known.items() if not known.taken}

    def _nothing(self) -> str:
        """A message: the expected files, those found instead, and why they were left out."""
        others = self.source.others
        found = "no files" if not others.total else f"{others.total} other file{'s' * (others.total > 1)}"
        named = "; ".join(why_not(name) for name in others.names[:_NAMED])
        more = f"; and {others.total - _NAMED} more" if others.total > _NAMED else ""
        return (
            f"expected files of {self.intake.product} ({self.source.naming.shown}), got {found}"
            f"{': ' * bool(named)}{named}{more}; correct --source or --product"
        )

    def _due(self, files: list[Listed], listed: list[Listed]) -> list[Listed]:
        """The files to fetch, in order."""
        self._forget_lost(listed)
        unknown = [file for file in files if file.name not in self._known]
        done = self.intake.done(unknown)
        self._known |= {file.name: _Known(file.version) for file in unknown if file.name in done}
        due = [file for file in files if self._is_due(file)]
        if not due:
            return due
        oldest = self.intake.oldest_kept(files)
        # Files that failed before go last, so that a few that always fail do not delay the others.
        return sorted(due, key=lambda f: (f.name in self._failed, f.time is not None and f.time <= oldest))

    def _forget_lost(self, files: list[Listed]) -> None:
        """Forget files that are no longer listed, and all taken ones if the store has lost its frames."""
        names = {file.name for file in files}
        self._failed &= names
        epoch = self.intake.history.epoch()
        lost, self._epoch = epoch != self._epoch, epoch
        self._known = {
            name: known for name, known in self._known.items() if name in names and not (lost and known.taken)
        }

    def _is_due(self, file: Listed) -> bool:
        known = self._known.get(file.name)
        if known is None or file.time is None or known.version != file.version:
            return True
        return known.retry_at is not None and self.clock() >= known.retry_at

    def _fetch(self, file: Listed, look: Look) -> None:
        known = self._known.get(file.name)
        try:
            fetched = self.source.fetch(file, known.tag if known else "")
        except SourceUnavailable:
            raise
        except RaincellError as error:  # too large: no bytes to keep
            self._put_aside(file, Fetched(b"", ""), error, look)
            return
        digest = sha256(fetched.data).hexdigest() if fetched else ""
        if known is not None and (fetched is None or known.digest == digest):
            known.version, known.retry_at = file.version, None
        elif fetched is not None:
            self._take(file, fetched, digest, look)

    def _take(self, file: Listed, fetched: Fetched, digest: str, look: Look) -> None:
        try:
            time = self.intake.take(fetched.data, file)
        except (StoreUnavailable, Overloaded):  # not the file's fault
            raise
        except RaincellError as error:
            self._put_aside(file, fetched, error, look, digest)
            return
        except Exception as error:  # an unforeseen fault of one file must not end the feed again and again
            _logger.exception("a fault of the feed, at %s", file.name)
            self._put_aside(file, fetched, _unforeseen(file, error), look, digest)
            return
        self._known[file.name] = _Known(file.version, fetched.tag, digest)
        look.taken += 1
        look.newest = max(time, look.newest or time)
        _logger.info("took %s of %s from %s", self.intake.product, iso(time), file.name)

    def _put_aside(self, file: Listed, fetched: Fetched, error: RaincellError, look: Look, digest: str = "?") -> None:
        """Note a bad file, list it, and count it unless it was bad before."""
        before = self._known.get(file.name)
        bad_before = before is not None and not before.taken
        known = self._bad(file, fetched.tag, digest, error)
        self._known[file.name] = known
        _logger.warning("quarantined %s%s: %s", file.name, ", to be tried again" if known.retry_at else "", error)
        self._keep(file, fetched, error)
        entry = self._entry(file, error)
        with suppress(StoreUnavailable):  # listed or not, it is not taken
            self.intake.quarantine.put(entry)
        if not bad_before:
            look.quarantined += 1
            self.quarantined.add(entry.reason)

    def _bad(self, file: Listed, tag: str, digest: str, error: RaincellError) -> _Known:
        """The entry of a bad file: it is tried again at a time, or once its version changes."""
        soon, before = self.clock() + RETRY_AFTER, self._known.get(file.name)
        if isinstance(error, InvalidRequest) and file.time is not None and file.time > soon:
            # By then its time is no longer in the future; it is fetched although its bytes are the same.
            return _Known(file.version, taken=False, retry_at=file.time)
        same = before is not None and not before.taken and before.digest == digest
        final = same or isinstance(error, FrameQuarantined)
        return _Known(file.version, tag, digest, taken=False, retry_at=None if final else soon)

    def _entry(self, file: Listed, error: RaincellError) -> QuarantineEntry:
        reason, detail = reason_of(error), str(error)
        if isinstance(error, FrameQuarantined):
            flaw = next(iter(error.flaws.values()))
            reason, detail = flaw.reason, f"expected {flaw.expected}, got {flaw.got}"
        return QuarantineEntry(
            product=self.intake.product,
            grid=None,
            time=file.time,
            reason=reason,
            detail=detail,
            origin="feed",
            noted_at=self.clock(),
            file=file.name,
        )

    def _keep(self, file: Listed, fetched: Fetched, error: RaincellError) -> None:
        if self.bad_files is None or not fetched.data:
            return
        try:
            self.bad_files.keep(file.name, fetched.data, str(error))
        except OSError as failure:
            _logger.warning("the quarantine folder was not written: %s", failure.strerror)


def _unforeseen(file: Listed, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        expected=f"a file that can be read in {file.name}", got=type(error).__name__, remedy="see the log of the feed"
    )
