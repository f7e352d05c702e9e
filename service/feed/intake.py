"""The path of a fetched file: reference forecasts, history, archive, in this order.

A file is done once its frame is in history and archive. A feed that is killed in between fetches the file again, and
storing the same frame again changes nothing. The history comes first because a service behind it decides by its own
quality control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta

from radar.archive.archive import Archive
from radar.errors import InvalidRequest, RaincellError, StoreUnavailable
from radar.files.frames import iter_frames
from radar.quality import LIMITS
from radar.sequence import FrameSequence, midnight
from service.bodies.posted import LATEST_AHEAD, check_plausible
from service.feed.destination import FeedHistory
from service.feed.reading import Reader, read_file
from service.feed.sources.names import Listed
from service.history.codec import StoredFrame, series_of
from service.history.quarantine import QuarantineList, control_quality, frame_before
from service.history.reference_forecasts import ReferenceForecasts


class NotKept(StoreUnavailable):
    """One frame cannot be kept now, although its file is good; other frames may be kept."""


class ArchiveUnavailable(NotKept):
    """The archive cannot be written or read now; the frame is in the history, and its file is fetched again."""


class Intake:
    """Puts the frames of one product into their stores.

    Parameters
    ----------
    product : str
    history : FeedHistory
    quarantine : QuarantineList
        The list of rejected frames; frames that prove good are removed from it.
    references : ReferenceForecasts or None
        For the lead times of RV.
    archive : Archive or None
        For all accepted frames, also those too old for the history.
    archive_days : int or None
        How many days of the product stay in the archive, up to that of the newest frame; all if None.
    clock : callable
        Returns the current time, UTC.
    read : callable
        Returns the frames in a file's bytes, given its name; as `radar.files.frames.iter_frames`.
    force : bool
        Accept every readable frame.
    """

    def __init__(
        self,
        product: str,
        history: FeedHistory,
        quarantine: QuarantineList,
        *,
        clock: Callable[[], datetime],
        references: ReferenceForecasts | None = None,
        archive: Archive | None = None,
        archive_days: int | None = None,
        read: Reader = iter_frames,
        force: bool = False,
    ) -> None:
        self.product = product
        self.history, self.quarantine = history, quarantine
        self._references, self._archive, self._archive_days = references, archive, archive_days
        self._clock, self._read, self._force = clock, read, force
        self._loose_days: set[date] = set()
        self._newest_day = date.min

    def done(self, files: list[Listed]) -> set[str]:
        """Names of files that need not be fetched: their frames are kept, or too old to be kept."""
        dated = {file.name: file.time for file in files if file.time}
        if not dated:
            return set()
        stored = self._stored()
        archived = self._archived(min(dated.values()), max(dated.values()))
        newest = self._newest(files)
        oldest, forgotten = newest - self.history.retention, self._forgotten_before(newest.date())
        return {
            name
            for name, time in dated.items()
            if (time in stored or time <= oldest) and (archived is None or time in archived or time < forgotten)
        }

    def oldest_kept(self, files: list[Listed]) -> datetime:
        """Frames up to this time are too old for the history, by its newest frame or the source's newest file."""
        return self._newest(files) - self.history.retention

    def _newest(self, files: list[Listed]) -> datetime:
        """The time of the history's newest frame or the source's newest file."""
        # A name with a time next year must not make everything else old.
        latest = self._clock() + LATEST_AHEAD
        times = [*self._stored(), *(file.time for file in files if file.time)]
        return max((time for time in times if time <= latest), default=latest)

    def _forgotten_before(self, newest: date) -> datetime:
        """The beginning of the archive while its last day is `newest`."""
        if self._archive_days is None:
            return datetime.min.replace(tzinfo=UTC)
        return midnight(newest - timedelta(days=self._archive_days - 1))

    def take(self, data: bytes, file: Listed) -> datetime:
        """Keep the frames of a file; returns the time of its observed frame.

        Raises
        ------
        FrameQuarantined
            Quality control rejects the frame.
        StoreUnavailable
            The history cannot be written now.
        NotKept
            The history does not take this frame, or the archive cannot be written after the history was.
        RaincellError
            The file cannot be used.
        """
        observed, forecast = read_file(data, file, self.product, self._read)
        check_plausible(observed, self._clock())
        if not self._force:
            control_quality(observed, self._before(observed))
        if forecast is not None and self._references is not None:
            self._references.put(forecast)
        self._append_to_history(observed)
        self.history.mark_fed(series_of(observed))
        self.quarantine.clear(self.product, observed.valid_times)
        self._append_to_archive(observed)
        return observed.valid_times[0]

    def pack(self) -> int:
        """Pack the archive's past days, and remove those that are too old; returns the number of packed frames."""
        if self._archive is None:
            return 0
        over = {day for day in self._loose_days if day < self._newest_day}
        with _archive_errors():
            packed = sum(self._archive.pack(day) for day in sorted(over))
            if over and self._archive_days is not None:
                self._archive.forget_before(self._forgotten_before(self._newest_day), self.product)
        self._loose_days -= over
        return packed

    def _stored(self) -> set[datetime]:
        """Times in the history, on any grid."""
        known = [series for series in self.history.products() if series.product == self.product]
        return {time for series in known for time in self.history.times(*series)}

    def _archived(self, start: datetime, end: datetime) -> set[datetime] | None:
        """Times in the archive, none if it cannot be read now; None without an archive."""
        if self._archive is None:
            return None
        with suppress(ArchiveUnavailable), _archive_errors():
            known = [pair for pair in self._archive.products() if pair[0] == self.product]
            return {time for pair in known for time in self._archive.times(*pair, start, end)}
        return set()

    def _before(self, observed: FrameSequence) -> FrameSequence | None:
        series = series_of(observed)
        times = self.history.times(*series)

        def newest(count: int) -> list[StoredFrame]:
            return self.history.newest(series, count)

        return frame_before(times, newest, observed.valid_times[0], LIMITS.frozen_within)

    def _append_to_history(self, observed: FrameSequence) -> None:
        time = observed.valid_times[0]
        if time <= max([time, *self.history.times(*series_of(observed))]) - self.history.retention:
            return
        try:
            self.history.append(observed)
        except InvalidRequest as error:  # e.g. too many series
            raise NotKept(expected=error.expected, got=error.got, remedy=error.remedy) from None

    def _append_to_archive(self, observed: FrameSequence) -> None:
        if self._archive is None:
            return
        with _archive_errors():
            self._archive.append(observed)
        day = observed.valid_times[0].date()
        # A feed that was stopped may have left the days before loose.
        self._loose_days |= {day, day - timedelta(days=1)} if day not in self._loose_days else set()
        self._newest_day = max(self._newest_day, day)


@contextmanager
def _archive_errors() -> Iterator[None]:
    """Raise ArchiveUnavailable for a failing disk or a damaged file of the archive: the frame is not at fault."""
    try:
        yield
    except OSError as error:
        raise ArchiveUnavailable(
            expected="a disk that holds the archive",
            got=(error.strerror or "an error").lower(),
            remedy="check its space and permissions; it is tried again",
        ) from None
    except RaincellError as error:
        raise ArchiveUnavailable(
            expected=f"an archive that takes the frame: {error.expected}", got=error.got, remedy=error.remedy
        ) from None
