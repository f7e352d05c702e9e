"""Jobs by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from training.promote.schedule import Schedule, ScheduledJob, moment

SATURDAY = datetime(2026, 5, 2, 12, tzinfo=UTC)


class Running:
    """A process that ends when told to."""

    def __init__(self) -> None:
        self.status: int | None = None

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.status = -15

    def wait(self, timeout: float | None = None) -> int:
        assert self.status is not None
        return self.status


class World:
    """A clock, a log and the processes that were started."""

    def __init__(self, *jobs: ScheduledJob, at_once: frozenset[str] = frozenset()) -> None:
        self.now = SATURDAY
        self.log: list[str] = []
        self.started: list[tuple[str, Running]] = []
        self.schedule = Schedule(jobs, lambda: self.now, self.log.append, self._start, at_once)

    def _start(self, job: ScheduledJob) -> Running:
        self.started.append((job.name, Running()))
        return self.started[-1][1]

    def after(self, **passed: float) -> list[str]:
        """Names of what has been started when so much time has passed."""
        self.now += timedelta(**passed)
        self.schedule.look()
        return [name for name, _ in self.started]


@pytest.mark.parametrize(
    ("text", "every", "offset"),
    [
        ("Mon 00:00", timedelta(days=7), timedelta()),
        ("Sun 03:00", timedelta(days=7), timedelta(days=6, hours=3)),
        ("daily 23:59", timedelta(days=1), timedelta(hours=23, minutes=59)),
    ],
)
def test_moments(text: str, every: timedelta, offset: timedelta) -> None:
    assert moment(text) == (every, offset)


@pytest.mark.parametrize("text", ["", "Sun", "Sun 24:00", "Sun 3:00", "Xyz 03:00", "Sun 03:60"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Sun 03:00"):
        moment(text)


def test_a_job_starts_at_its_moment_and_a_week_later() -> None:
    every, offset = moment("Sun 03:00")
    world = World(ScheduledJob("retrain", ("true",), every, offset))
    assert world.after(hours=14, minutes=59) == []
    assert world.after(minutes=1) == ["retrain"]
    world.started[0][1].status = 3
    assert world.after(days=6) == ["retrain"]
    assert world.after(days=1) == ["retrain", "retrain"]
    assert world.log == ["retrain starts", "retrain ended with 3", "retrain starts"]


def test_one_that_still_runs_is_not_started_twice() -> None:
    world = World(ScheduledJob("guard", ("true",), timedelta(minutes=10)))
    assert world.after(minutes=10) == ["guard"]
    assert world.after(minutes=10) == ["guard"]
    assert world.log[-1] == "guard still runs: not started again"
    world.started[0][1].status = 0
    assert world.after(minutes=10) == ["guard", "guard"]


def test_after_a_pause_a_job_starts_once() -> None:
    world = World(ScheduledJob("guard", ("true",), timedelta(minutes=10)))
    assert world.after(hours=5) == ["guard"]


def test_one_that_was_cut_off_goes_on_at_once_and_stopping_ends_it() -> None:
    world = World(ScheduledJob("retrain", ("true",), timedelta(days=7)), at_once=frozenset({"retrain"}))
    assert world.after() == ["retrain"]
    world.schedule.stop()
    assert world.started[0][1].status == -15


def test_a_clock_that_was_ahead_and_is_set_right_keeps_no_job_waiting() -> None:
    world = World(ScheduledJob("guard", ("true",), timedelta(minutes=10)))
    assert world.after(days=3650) == ["guard"]
    world.started[0][1].status = 0
    assert world.after(days=-3650) == ["guard"]
    assert world.after(minutes=10) == ["guard", "guard"]


@pytest.mark.parametrize("minutes", [0.0, -10.0])
def test_a_job_without_a_time_between_its_turns_is_refused(minutes: float) -> None:
    with pytest.raises(ValueError, match=r"expected a time above 0 between two turns of guard, got .*; correct it"):
        ScheduledJob("guard", ("true",), timedelta(minutes=minutes))
