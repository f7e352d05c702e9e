"""Bytes that are held for callers, counted together."""

from __future__ import annotations

import pytest

from radar.errors import Overloaded
from service.connections.held_bytes import PATIENCE_SECONDS, HeldBytes


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Caller:
    """A connection that may stop reading."""

    def __init__(self, stalled_since: float | None = None) -> None:
        self.stalled_since = stalled_since
        self.ended = False

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held(clock: Clock) -> HeldBytes:
    return HeldBytes(together=100, each=60, clock=clock)


def test_what_comes_on_top_is_refused_and_forgotten_with_its_request(held: HeldBytes) -> None:
    one, other = held.open("a", None), held.open("b", None)
    one.take(50)
    other.take(50)
    with pytest.raises(Overloaded, match="together"):
        held.open("c", None).take(1)
    one.close()
    one.close()
    assert held.held == 50
    held.open("c", None).take(50)


def test_one_address_has_not_all_whatever_its_number_of_requests(held: HeldBytes) -> None:
    held.open("a", None).take(40)
    second = held.open("a", None)
    second.take(20)
    with pytest.raises(Overloaded, match="of one address"):
        second.take(1)
    second.give(20)
    second.take(10)
    held.open("b", None).take(50)
    assert held.held == 100


def test_one_content_counts_once_and_until_the_last_who_takes_it_has_left(held: HeldBytes) -> None:
    content = object()
    first, second, third = (held.open(caller, None) for caller in ("a", "b", "c"))
    for account in (first, second, third, third):
        account.share(50, content)
    assert held.held == 50
    first.close()
    assert held.held == 50
    with pytest.raises(Overloaded, match="of one address"):
        held.open("b", None).take(20)  # b pays for it now
    third.close()
    second.close()
    assert held.held == 0


def test_who_does_not_read_makes_room_for_who_does(held: HeldBytes, clock: Clock) -> None:
    long, longer, reading = Caller(clock.now - 1), Caller(clock.now - 2), Caller()
    for name, caller in (("a", long), ("b", longer), ("c", reading)):
        held.open(name, caller).take(30)
    with pytest.raises(Overloaded):
        held.open("d", None).take(30)  # nobody has been waited for long enough
    clock.now += PATIENCE_SECONDS
    held.open("d", None).take(30)
    assert (long.ended, longer.ended, reading.ended) == (False, True, False)
    assert held.held == 90
    held.open("d", None).take(30)
    assert (long.ended, reading.ended) == (True, False)


def test_an_address_that_does_not_read_ends_its_own_first(held: HeldBytes, clock: Clock) -> None:
    own, others = Caller(clock.now), Caller(clock.now - 1)
    held.open("a", own).take(50)
    held.open("b", others).take(20)
    clock.now += 2 * PATIENCE_SECONDS
    held.open("a", None).take(30)
    assert (own.ended, others.ended) == (True, False)
