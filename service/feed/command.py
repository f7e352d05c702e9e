"""`python -m service ingest`, assembled from its parts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from radar.archive.archive import Archive
from radar.errors import InvalidRequest
from radar.files.frames import iter_frames
from radar.files.limits import FOLLOWED
from service.bodies.hdf5_pool import Decoders
from service.context import now_utc
from service.feed.bad_files import BadFiles
from service.feed.destination import FeedHistory
from service.feed.follow import ALL_TAKEN, Stop, follow, look_once
from service.feed.follower import Follower, Look
from service.feed.intake import Intake
from service.feed.metrics import FeedMetrics, QuietWatch
from service.feed.reading import Reader
from service.feed.remote import ANSWER_TIMES, ServiceHistory
from service.feed.sources.backoff import BackOff
from service.feed.sources.cut_off import AnswerTimes
from service.feed.sources.folder import FolderSource
from service.feed.sources.http import HttpSource
from service.feed.sources.source import Source
from service.history.quarantine import MemoryQuarantine, QuarantineList
from service.history.reference_forecasts import ReferenceForecasts
from service.monitoring import log
from service.monitoring.heartbeat import beating
from service.settings import Settings
from service.stores import open_stores
from service.unknown_settings import warn_of_unknown_settings


@dataclass(frozen=True)
class Options:
    """The options of the command line that are not settings.

    Parameters
    ----------
    source : str
        A folder, or an http or https address.
    product : str
    once : bool
        Look once instead of again and again.
    interval_seconds : float
    quarantine : Path or None
        Folder for bad files.
    force : bool
        Take frames that quality control would reject.
    service : str or None
        A running service to send frames to, instead of a Redis.
    heartbeat : Path or None
        A file that is touched after every look.
    """

    source: str
    product: str
    once: bool = False
    interval_seconds: float = 30.0
    quarantine: Path | None = None
    force: bool = False
    service: str | None = None
    heartbeat: Path | None = None


def ingest(settings: Settings, options: Options) -> int:
    """Follow the source until SIGTERM or SIGINT, or look once; returns the exit status.

    Raises
    ------
    InvalidRequest
        The product is unknown, the source is not valid, or no Redis is named.
    """
    log.set_up(settings.log_format, sys.stderr)
    warn_of_unknown_settings(os.environ)
    stop, decoders = Stop(), Decoders(size=1)
    follower = make_follower(settings, options, stop, partial(iter_frames, read_hdf5=decoders.read, limits=FOLLOWED))
    with closing(decoders), closing(follower.source):
        if options.once:
            return look_once(follower)  # cut short by a signal, it has a signal's status
        stop.interrupt = follower.source.interrupt
        stop.on_signals(settings.shutdown_seconds)
        note = _watched(settings, follower)
        follow(follower, BackOff(options.interval_seconds), beating(stop.wait, options.heartbeat), note)
        stop.tell()
        return ALL_TAKEN


def _watched(settings: Settings, follower: Follower) -> Callable[[Look, bool], None]:
    """Count every look, and watch for a source without new frames."""
    metrics, quiet = FeedMetrics(), QuietWatch(settings.feed_quiet_minutes, now_utc)
    follower.quarantined.listener = lambda reason: metrics.quarantined.labels(reason).inc()
    if settings.feed_metrics_port is not None:
        metrics.serve(settings.feed_metrics_host, settings.feed_metrics_port)

    def note(look: Look, failed: bool) -> None:
        metrics.note(look, failed, now_utc())
        quiet.note(bool(look.taken))
        metrics.quiet.set(quiet.quiet)

    return note


def make_follower(settings: Settings, options: Options, stop: Stop, read: Reader = iter_frames) -> Follower:
    """A follower that fills Redis, or sends to a service, and the archive if one is named; `read` opens files."""
    source = _source(options, _answer_times(settings))
    kept = _in_service(settings, options) if options.service else _in_redis(settings)
    intake = Intake(
        options.product,
        kept.history,
        kept.quarantine,
        clock=now_utc,
        references=kept.references,
        archive=Archive(settings.archive) if settings.archive else None,
        archive_days=settings.archive_days,
        read=read,
        force=options.force,
    )
    bad_files = BadFiles(options.quarantine) if options.quarantine else None
    return Follower(source, intake, now_utc, bad_files, lambda: stop.asked)


class _Kept(NamedTuple):
    """The stores of frames, of rejected frames, and of DWD's own forecasts."""

    history: FeedHistory
    quarantine: QuarantineList
    references: ReferenceForecasts | None = None


def _in_redis(settings: Settings) -> _Kept:
    if settings.redis_url is None:
        raise InvalidRequest(
            expected="RAINCELL_REDIS_URL or --redis-url, the Redis from which the service forecasts, or --service",
            got="none of them",
            remedy="e.g. RAINCELL_REDIS_URL=redis://localhost:6379/0, the same for service and feed, or"
            " --service http://127.0.0.1:8000",
        )
    stores = open_stores(settings)
    return _Kept(stores.frames, stores.quarantine, stores.references)


def _in_service(settings: Settings, options: Options) -> _Kept:
    history = ServiceHistory(
        options.service or "",
        options.product,
        timedelta(minutes=settings.history_minutes),
        key=settings.feed_key.get_secret_value() if settings.feed_key else None,
        force=options.force,
        times=_answer_times(settings, least_seconds=ANSWER_TIMES.seconds),
    )
    return _Kept(history, MemoryQuarantine())


def _answer_times(settings: Settings, least_seconds: float = 0.0) -> AnswerTimes:
    return AnswerTimes(max(least_seconds, settings.feed_answer_seconds), settings.feed_transfer_seconds)


def _source(options: Options, times: AnswerTimes) -> Source:
    if "://" in options.source:
        return HttpSource(options.source, options.product, times=times)
    return FolderSource(Path(options.source), options.product)
