"""The feed from real sources into stores and archive: late, failing, cut off, corrupt."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radar.archive.archive import Archive
from radar.errors import InvalidRequest, StoreUnavailable
from radar.files.odim import write_odim
from radar.frame import Frame
from radar.grid import KNOWN_GRIDS, grid_named
from radar.sequence import FrameSequence
from service.feed.bad_files import MOST_KEPT, BadFiles
from service.feed.follow import ALL_TAKEN, NOTHING_THERE, SOME_BAD, UNAVAILABLE, Stop, follow, look_once
from service.feed.follower import Follower, Look
from service.feed.intake import ArchiveUnavailable, Intake, NotKept
from service.feed.metrics import FeedMetrics, QuietWatch
from service.feed.sources.backoff import BackOff
from service.feed.sources.folder import FolderSource
from service.feed.sources.http import HttpSource
from service.feed.sources.source import Source, SourceUnavailable
from service.history.codec import SeriesKey
from service.history.quarantine import MemoryQuarantine, QuarantineEntry
from service.history.redis.store import RedisHistory
from service.history.reference_forecasts import MemoryReferences
from service.history.store import EncodedHistory, MemoryHistory
from service.redis.client import connect
from tests.service.conftest import RedisServer, sequence
from tests.service.feed.feed_server import FeedServer, feed_server, rv_file, rv_name, ry_file, ry_name

START = datetime(2017, 8, 16, 1, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)
RY = SeriesKey("RY", "radolan")


class Feed:
    """A follower with its stores, and a clock that stands still until it is told."""

    def __init__(
        self,
        source: Source,
        product: str = "RY",
        *,
        archive: Path | None = None,
        archive_days: int | None = None,
        bad_files: Path | None = None,
        history: EncodedHistory | None = None,
        force: bool = False,
    ) -> None:
        self.now = START + timedelta(hours=1)
        self.history = history or MemoryHistory(timedelta(hours=6))
        self.quarantine = MemoryQuarantine()
        self.references = MemoryReferences()
        self.archive = Archive(archive) if archive else None
        self.product = product
        intake = Intake(
            product,
            self.history,
            self.quarantine,
            clock=lambda: self.now,
            references=self.references,
            archive=self.archive,
            archive_days=archive_days,
            force=force,
        )
        self.follower = Follower(source, intake, lambda: self.now, BadFiles(bad_files) if bad_files else None)

    def look(self) -> int:
        """How many files were taken."""
        return self.follower.look().taken

    def times(self, grid: str = "radolan") -> list[datetime]:
        return self.history.times(self.product, grid)

    def entries(self) -> list[QuarantineEntry]:
        return self.quarantine.entries()


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as running:
        yield running


@pytest.fixture
def http_feed(server: FeedServer) -> Iterator[Callable[..., Feed]]:
    """Makes feeds that follow the server."""
    with ExitStack() as stack:

        def make(product: str = "RY", **options: Any) -> Feed:
            return Feed(stack.enter_context(closing(HttpSource(server.url, product))), product, **options)

        yield make


def put(server: FeedServer, number: int, **options: Any) -> datetime:
    """The RY file of a time that comes to the server."""
    time = START + number * STEP
    server.put(ry_name(time), ry_file(time, number, **options))
    return time


def test_frames_that_appear_are_taken_once(server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path) -> None:
    feed = http_feed(archive=tmp_path / "archive")
    assert feed.look() == 0
    first = [put(server, 0), put(server, 1)]
    assert feed.look() == 2
    assert feed.look() == 0
    assert feed.times() == first
    second = put(server, 2)
    assert feed.look() == 1
    assert feed.times() == [*first, second]
    assert feed.archive is not None
    assert feed.archive.times("RY", "radolan") == [*first, second]
    assert [status for name, status in server.requests if name] == [200, 200, 200]


def test_late_frames_come_in_any_order(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    feed = http_feed()
    put(server, 3)
    assert feed.look() == 1
    put(server, 1)
    put(server, 0)
    assert feed.look() == 2
    assert feed.times() == [START, START + STEP, START + 3 * STEP]


def test_a_corrected_frame_replaces_the_first(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    feed = http_feed(archive=tmp_path)
    time = put(server, 0)
    feed.look()
    server.put(ry_name(time), ry_file(time, 7))
    assert feed.look() == 1
    assert feed.history.latest(*RY, 1).rain_rate[0, 107, 200] > 0
    assert feed.archive is not None
    assert corrections(feed.archive) == 1


def test_a_file_that_only_looks_new_is_not_sent_again(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    server.style = "nginx"
    feed = http_feed()
    time = put(server, 0)
    feed.look()
    known = feed.follower._known[ry_name(time)]
    known.version = "another"
    assert feed.look() == 0
    assert server.fetched(ry_name(time)) == [200, 304]
    assert feed.look() == 0
    assert server.fetched(ry_name(time)) == [200, 304]


def test_after_a_restart_nothing_is_fetched_twice(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    before = http_feed(archive=tmp_path)
    put(server, 0)
    put(server, 1)
    before.look()
    after = http_feed(archive=tmp_path, history=before.history)
    put(server, 2)
    assert after.look() == 1
    assert len([name for name, _ in server.requests if name]) == 3
    # A history that lost its frames is filled again, the archive does not notice.
    third = http_feed(archive=tmp_path)
    assert third.look() == 3
    assert third.archive is not None
    assert corrections(third.archive) == 0


def test_what_is_too_old_for_the_history_goes_into_the_archive_only(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    old = START - timedelta(hours=7)
    server.put(ry_name(old), ry_file(old, 50))
    put(server, 0)
    feed = http_feed()
    assert feed.look() == 1
    assert server.fetched(ry_name(old)) == []
    archiving = http_feed(archive=tmp_path)
    assert archiving.look() == 2
    assert archiving.times() == [START]
    assert archiving.archive is not None
    assert archiving.archive.times("RY", "radolan") == [old, START]
    assert [name for name, _ in server.requests if name][-1] == ry_name(old)


@pytest.mark.parametrize("fault", [404, 500, "truncated"])
def test_a_file_that_fails_is_fetched_when_it_is_there(
    server: FeedServer, http_feed: Callable[..., Feed], fault: int | str
) -> None:
    feed = http_feed()
    times = [put(server, 0), put(server, 1)]
    server.faults[ry_name(times[0])] = [fault, fault]
    look = feed.follower.look()
    assert look.taken == 1
    assert (look.failure is None) == (fault == 404)
    assert feed.look() == 0
    assert feed.look() == 1
    assert feed.times() == times
    assert feed.entries() == []


def test_a_few_files_that_always_fail_keep_no_others_waiting(
    server: FeedServer, http_feed: Callable[..., Feed]
) -> None:
    feed = http_feed()
    for number in range(4):
        server.faults[ry_name(put(server, number))] = [500] * 100
    assert feed.look() == 0
    assert len([name for name, _ in server.requests if name]) == 3
    time = put(server, 4)
    assert feed.look() == 1
    assert feed.times() == [time]


def test_a_corrupt_file_is_tried_once_more_and_put_aside(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    feed = http_feed(bad_files=tmp_path / "bad")
    time, good = put(server, 0), put(server, 1)
    whole = server.files[ry_name(time)]
    server.put(ry_name(time), whole[:1000])
    assert feed.look() == 1
    assert feed.times() == [good]
    (entry,) = feed.entries()
    assert (entry.reason, entry.origin, entry.time, entry.file) == ("unreadable", "feed", time, ry_name(time))
    assert (tmp_path / "bad" / ry_name(time)).read_bytes() == whole[:1000]
    assert "gzip" in (tmp_path / "bad" / f"{ry_name(time)}.reason.txt").read_text()
    feed.look()
    assert server.fetched(ry_name(time)) == [200]
    feed.now += timedelta(minutes=2)
    feed.look()
    assert server.fetched(ry_name(time)) == [200, 304]
    feed.now += timedelta(minutes=2)
    feed.look()
    assert server.fetched(ry_name(time)) == [200, 304]
    assert feed.follower.quarantined.by_reason == {"unreadable": 1}
    # DWD writes it anew.
    server.put(ry_name(time), whole)
    assert feed.look() == 1
    assert feed.times() == [time, good]
    assert feed.entries() == []


def test_a_file_that_was_read_while_it_was_written_is_read_again(tmp_path: Path) -> None:
    feed = Feed(FolderSource(tmp_path, "RY"))
    path = tmp_path / ry_name(START)
    whole = ry_file(START)
    path.write_bytes(whole[:5000])
    assert feed.look() == 0
    path.write_bytes(whole)
    assert feed.look() == 1
    assert feed.entries() == []


def test_a_file_that_grows_behind_an_unchanged_listing_is_asked_for_until_it_is_whole(
    server: FeedServer, http_feed: Callable[..., Feed]
) -> None:
    feed = http_feed()
    time = START
    whole = ry_file(time)
    for end in (2000, 4000, len(whole)):
        server.put(ry_name(time), whole[:end])
        feed.follower._known = {
            name: replace(known, version=feed.follower.source.files()[0].version)
            for name, known in feed.follower._known.items()
        }
        taken = feed.look()
        feed.now += timedelta(minutes=2)
    assert taken == 1
    assert feed.entries() == []
    assert feed.follower.quarantined.by_reason == {"unreadable": 1}


def test_frames_that_are_not_believed_are_put_aside_for_good(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    def flood(rain: np.ndarray) -> None:
        rain[300:800] = 1.2

    feed = http_feed(bad_files=tmp_path / "bad", archive=tmp_path / "archive")
    put(server, 0)
    bad = put(server, 1, change=flood)
    put(server, 2)
    assert feed.look() == 2
    assert bad not in feed.times()
    assert feed.archive is not None
    assert bad not in feed.archive.times("RY", "radolan")
    (entry,) = feed.entries()
    assert (entry.reason, entry.time) == ("wet_area", bad)
    assert "0% before and 56% now" in entry.detail
    feed.now += timedelta(minutes=10)
    feed.look()
    assert server.fetched(ry_name(bad)) == [200]
    # Somebody knows better.
    forced = Feed(FolderSource(tmp_path / "bad", "RY"), history=feed.history, archive=tmp_path / "archive", force=True)
    assert forced.look() == 1
    assert bad in feed.times()


def test_a_frozen_feed_is_noticed(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    feed = http_feed()
    for number in range(3):
        time = START + number * STEP
        server.put(ry_name(time), ry_file(time, 0))
    assert feed.look() == 1
    assert {entry.reason for entry in feed.entries()} == {"frozen"}


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("unreadable", ry_file(START + STEP)),
        ("unreadable", gzip.compress(b"x" * 100, mtime=0)),
        ("unreadable", b""),
        ("product", gzip.compress(gzip.decompress(ry_file(START)).replace(b"RY", b"YW", 1))),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, reason: str, data: bytes) -> None:
    feed = Feed(FolderSource(tmp_path, "RY"))
    (tmp_path / ry_name(START)).write_bytes(data)
    assert feed.look() == 0
    (entry,) = feed.entries()
    assert (entry.reason, entry.time) == (reason, START)
    assert str(tmp_path) not in entry.detail


def test_a_frame_from_the_future_is_taken_when_its_time_has_come(tmp_path: Path) -> None:
    feed = Feed(FolderSource(tmp_path, "RY"))
    feed.now = START - timedelta(minutes=11)
    (tmp_path / ry_name(START)).write_bytes(ry_file(START))
    assert feed.look() == 0
    assert [entry.reason for entry in feed.entries()] == ["time"]
    feed.now += timedelta(minutes=5)
    assert feed.look() == 0
    feed.now += timedelta(minutes=6)
    assert feed.look() == 1
    assert feed.entries() == []


def test_a_name_of_next_year_makes_nothing_else_old(tmp_path: Path) -> None:
    feed = Feed(FolderSource(tmp_path, "RY"))
    (tmp_path / ry_name(START)).write_bytes(ry_file(START))
    (tmp_path / ry_name(START + timedelta(days=365))).write_bytes(b"")
    assert feed.look() == 1
    assert feed.times() == [START]


def test_the_newest_file_alone_is_followed_where_nothing_is_listed(
    server: FeedServer, http_feed: Callable[..., Feed]
) -> None:
    feed = http_feed("RV")
    latest = "composite_rv_LATEST.tar"
    server.faults[""] = [404] * 10
    for number in range(2):
        server.put(latest, rv_file(START + number * STEP, seed=number))
        assert feed.look() == 1
        assert feed.look() == 0
    assert feed.times("de1200") == [START, START + STEP]
    assert server.fetched(latest) == [200, 304, 200, 304]
    server.validators = False
    assert feed.look() == 0
    assert feed.times("de1200") == [START, START + STEP]


def test_of_rv_lead_0_becomes_history_and_the_others_are_kept(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    feed = http_feed("RV", archive=tmp_path)
    server.put(rv_name(START), rv_file(START, leads=4))
    server.put("composite_rv_LATEST.tar", rv_file(START, leads=4))
    assert feed.look() == 1
    assert server.fetched("composite_rv_LATEST.tar") == []
    latest = feed.history.latest("RV", "de1200", 1)
    assert latest.valid_times == (START,)
    assert latest.reference_time is None
    kept = feed.references.get(SeriesKey("RV", "de1200"), START)
    assert kept is not None
    assert kept.lead_minutes == (5, 10, 15)
    assert kept.reference_time == START
    assert feed.archive is not None
    assert feed.archive.times("RV", "de1200") == [START]


def test_a_run_without_lead_0_or_others_is_put_aside(tmp_path: Path) -> None:
    feed = Feed(FolderSource(tmp_path, "RV"), "RV")
    (tmp_path / rv_name(START)).write_bytes(rv_file(START, leads=2, first=1))
    (tmp_path / rv_name(START + STEP)).write_bytes(rv_file(START + STEP, leads=1))
    assert feed.look() == 0
    assert sorted(entry.detail.split(" in ")[0] for entry in feed.entries()) == [
        "expected lead times beyond 0",
        "expected one run with one lead 0",
    ]


def test_days_that_are_over_are_packed(server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path) -> None:
    feed = http_feed(archive=tmp_path)
    evening = START.replace(hour=23, minute=55) - timedelta(days=1)
    for number, time in enumerate((evening - STEP, evening)):
        server.put(ry_name(time), ry_file(time, number))
    feed.look()
    day = tmp_path / "RY" / "radolan" / "2017"
    assert not (day / "2017-08-15.nc").exists()
    server.put(ry_name(evening + STEP), ry_file(evening + STEP, 2))
    feed.look()
    assert (day / "2017-08-15.nc").exists()
    assert not (day / "2017-08-15").exists()
    assert feed.archive is not None
    assert len(feed.archive.times("RY", "radolan")) == 3


def test_an_archive_keeps_as_many_days_as_it_is_told(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    every_day = [START - timedelta(days=days) for days in (4, 3, 2, 1)]
    for number, time in enumerate(every_day):
        server.put(ry_name(time), ry_file(time, number))
    assert http_feed("RY", archive=tmp_path).look() == 4  # keeps all
    others = sequence(2, product="YW", end=every_day[0])
    feed = http_feed(archive=tmp_path, archive_days=3)
    assert feed.archive is not None
    feed.archive.append(others)
    put(server, 0)
    assert feed.look() == 1
    assert feed.archive.times("RY", "radolan") == [*every_day[2:], START]
    assert feed.archive.times("YW", others.grid.key) == list(others.valid_times)  # another feed's
    asked = len(server.requests)
    assert http_feed(archive=tmp_path, archive_days=3).look() == 1  # for a history that begins empty
    assert [name for name, _ in server.requests[asked:] if name] == [ry_name(START)]  # what is forgotten stays so


def test_a_redis_that_is_away_costs_no_frame_and_one_that_is_empty_is_filled(
    server: FeedServer, http_feed: Callable[..., Feed], redis_server: RedisServer
) -> None:
    feed = http_feed(history=RedisHistory(connect(redis_server.url), timedelta(hours=6)))
    put(server, 0)
    assert feed.look() == 1
    redis_server.kill()
    put(server, 1)
    with pytest.raises(StoreUnavailable):
        feed.look()
    redis_server.start()  # empty
    assert feed.look() == 2
    assert feed.times() == [START, START + STEP]


def test_a_frame_that_was_withdrawn_stays_away(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    feed = http_feed()
    put(server, 0)
    put(server, 1)
    feed.look()
    assert feed.history.withdraw("RY", START)
    assert feed.look() == 0
    assert feed.times() == [START + STEP]


def test_one_look_has_an_exit_status(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    feed = http_feed()
    put(server, 0)
    assert look_once(feed.follower) == ALL_TAKEN
    server.put(ry_name(START + STEP), b"")
    assert look_once(feed.follower) == SOME_BAD
    server.faults[""] = [500]
    assert look_once(feed.follower) == UNAVAILABLE


def test_following_waits_longer_while_it_fails(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    feed = http_feed()
    put(server, 0)
    server.faults[""] = [500, 500]
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 4

    follow(feed.follower, BackOff(30, draw=lambda: 1.0), wait)
    assert waits == [60, 120, 30, 30]
    assert feed.times() == [START]


def test_it_stops_after_the_file_at_hand(server: FeedServer, http_feed: Callable[..., Feed]) -> None:
    feed = http_feed()
    put(server, 0)
    put(server, 1)
    feed.follower.stopping = lambda: bool(feed.times())
    assert feed.look() == 1


def test_a_source_that_lists_nothing_at_all_is_an_error_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        Feed(FolderSource(tmp_path / "none", "RY")).look()


def test_the_quarantine_folder_is_bounded(tmp_path: Path) -> None:
    bad = BadFiles(tmp_path)
    for number in range(MOST_KEPT + 5):
        bad.keep(f"file{number}", b"x", "broken")
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == 2 * MOST_KEPT
    assert f"file{MOST_KEPT + 4}" in names


def test_an_hour_of_real_frames(real_data: Path, tmp_path: Path) -> None:
    feed = Feed(FolderSource(real_data / "dwd" / "yw_20170816", "YW"), "YW", archive=tmp_path)
    assert feed.look() == 12
    assert len(feed.times("radklim")) == 12
    assert feed.entries() == []
    assert grid_named("radklim").key == "radklim"


def test_dwds_real_run(real_data: Path) -> None:
    feed = Feed(FolderSource(real_data / "dwd", "RV"), "RV")
    feed.now = datetime(2022, 10, 18, 8, tzinfo=UTC)
    assert feed.look() == 1
    made = datetime(2022, 10, 18, 7, tzinfo=UTC)
    assert feed.times("de1200") == [made]
    kept = feed.references.get(SeriesKey("RV", "de1200"), made)
    assert kept is not None
    assert kept.lead_minutes == tuple(range(5, 125, 5))


def corrections(archive: Archive) -> int:
    """Frames of the archive that were replaced by others."""
    manifest = archive.manifest()
    return sum(series["corrections"] for series in manifest["series"])


def test_a_disk_that_fails_stops_no_forecast_and_loses_nothing(
    server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    root.write_bytes(b"a file where a folder should be")
    feed = http_feed(archive=root)
    times = [put(server, number) for number in range(5)]
    look = feed.follower.look()
    assert isinstance(look.failure, ArchiveUnavailable)
    assert str(tmp_path) not in str(look.failure)
    feed.look()
    assert feed.times() == times  # those that failed before went last
    assert feed.entries() == []
    root.unlink()
    assert feed.look() == 5
    assert feed.archive is not None
    assert feed.archive.times("RY", "radolan") == times
    assert corrections(feed.archive) == 0


def test_a_fault_of_ours_does_not_end_the_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError

    feed = Feed(FolderSource(tmp_path, "RY"))
    (tmp_path / ry_name(START)).write_bytes(ry_file(START))
    with monkeypatch.context() as patch:
        patch.setattr("service.feed.intake.read_file", fault)
        assert feed.look() == 0
    (entry,) = feed.entries()
    assert "ZeroDivisionError" in entry.detail
    feed.now += timedelta(minutes=2)
    (tmp_path / ry_name(START)).touch()
    assert feed.look() == 0  # the same bytes


def test_waiting_ends_when_it_is_asked_for() -> None:
    stop = Stop()
    assert not stop.wait(0.01)
    stop.ask()
    assert stop.wait(1000)


def test_an_archive_that_cannot_be_read_stops_no_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Archive) -> list[tuple[str, str]]:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    feed = Feed(FolderSource(tmp_path, "RY"), archive=tmp_path / "archive")
    (tmp_path / ry_name(START)).write_bytes(ry_file(START))
    monkeypatch.setattr(Archive, "products", denied)
    assert feed.look() == 1
    assert feed.times() == [START]


def test_two_feeds_keep_nothing_twice(server: FeedServer, http_feed: Callable[..., Feed], tmp_path: Path) -> None:
    one = http_feed(archive=tmp_path)
    other = http_feed(archive=tmp_path, history=one.history)
    server.delay = 0.02
    times = [put(server, number) for number in range(6)]
    with ThreadPoolExecutor(2) as pool:
        looks = list(pool.map(lambda feed: feed.follower.look(), (one, other)))
    assert all(look.failure is None for look in looks)
    assert one.times() == times
    assert one.archive is not None
    assert one.archive.times("RY", "radolan") == times
    assert corrections(one.archive) == 0
    assert one.entries() == other.entries() == []


def test_a_frame_that_the_history_does_not_take_keeps_no_other_waiting(
    server: FeedServer, http_feed: Callable[..., Feed]
) -> None:
    class Choosy(MemoryHistory):
        def append(self, frames: FrameSequence, who: str | None = None) -> None:
            if frames.valid_times[0] == START:
                raise InvalidRequest(expected="another frame", got="this one", remedy="")
            super().append(frames, who)

    feed = http_feed(history=Choosy(timedelta(hours=6)))
    put(server, 0)
    later = put(server, 1)
    look = feed.follower.look()
    assert (look.taken, look.quarantined) == (1, 0)
    assert isinstance(look.failure, NotKept)
    assert feed.times() == [later]


def test_a_source_without_a_file_of_the_product_says_what_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed(FolderSource(tmp_path, "RY"), "RY")
    with caplog.at_level("WARNING", "raincell"):
        assert look_once(feed.follower) == NOTHING_THERE
        assert "got no files" in caplog.text
        (tmp_path / "raa01-rw_10000-1708160150-dwd---bin.gz").write_bytes(b"x")
        assert look_once(feed.follower) == NOTHING_THERE
    assert "expected files of RY (raa01-ry_10000-YYMMDDHHMM-dwd---bin" in caplog.text
    assert "product RW by its name, the sum of an hour" in caplog.text


def test_while_it_follows_it_says_once_that_there_is_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    feed, looks = Feed(FolderSource(tmp_path, "RY"), "RY"), list[tuple[int, bool]]()
    caplog.set_level("WARNING", "raincell")

    def wait(_seconds: float) -> bool:
        if len(looks) == 3:
            (tmp_path / ry_name(START)).write_bytes(ry_file(START))
        return len(looks) == 4

    follow(feed.follower, BackOff(1), wait, lambda look, failed: looks.append((look.taken, failed)))
    assert looks == [(0, False)] * 3 + [(1, False)]
    assert caplog.text.count("nothing to take") == 1
    assert caplog.text.count("the source has files of the product now") == 1


def test_a_look_that_failed_says_nothing_about_what_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    feed, looks = Feed(FolderSource(folder, "RY"), "RY"), list[bool]()
    caplog.set_level("WARNING", "raincell")

    def wait(_seconds: float) -> bool:
        folder.rename(tmp_path / "away") if len(looks) == 1 else (tmp_path / "away").rename(folder)
        return len(looks) == 3

    def note(_look: Look, failed: bool) -> None:
        looks.append(failed)
        if len(looks) == 3:
            folder.rename(tmp_path / "away")

    follow(feed.follower, BackOff(1), wait, note)
    assert looks == [False, True, False]
    assert caplog.text.count("nothing to take") == 1
    assert "has files of the product now" not in caplog.text


def test_a_bad_file_is_made_good_by_the_same_time_in_another_form(tmp_path: Path) -> None:
    (tmp_path / ry_name(START)).write_bytes(b"nonsense")
    feed = Feed(FolderSource(tmp_path, "RY"), "RY")
    assert feed.look() == 0
    frame = Frame(np.full((1200, 1100), 0.12, np.float32), START, KNOWN_GRIDS["de1200"], 5, "RY", "")
    (tmp_path / f"composite_ry_{START:%Y%m%d_%H%M}-hd5").write_bytes(write_odim(frame))
    assert feed.look() == 1
    assert feed.times("de1200") == [START]


def test_a_quiet_source_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "raincell")
    now = [START]
    watch = QuietWatch(30, lambda: now[0])
    states = []
    for minutes, taken in ((29, False), (31, False), (60, False), (61, True), (90, False)):
        now[0] = START + timedelta(minutes=minutes)
        watch.note(taken)
        states.append(watch.quiet)
    assert states == [False, True, True, False, False]
    assert caplog.text.count("the source is quiet: expected a new frame within 30 minutes") == 1
    assert caplog.text.count("the source brings frames again, after 61 minutes") == 1


def test_looks_are_counted(tmp_path: Path) -> None:
    feed, metrics = Feed(FolderSource(tmp_path, "RY"), "RY"), FeedMetrics()
    metrics.note(feed.follower.look(), False, START)
    (tmp_path / ry_name(START)).write_bytes(ry_file(START))
    metrics.note(feed.follower.look(), False, START)
    metrics.note(Look(), True, START)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"raincell_feed_{name}", labels)

    assert [value("looks_total", outcome=o) for o in ("nothing there", "taken", "failed")] == [1, 1, 1]
    assert (value("taken_files_total"), value("listed_files")) == (1, 1)
    assert value("newest_frame_timestamp_seconds") == START.timestamp()
