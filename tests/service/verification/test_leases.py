"""Leases: one contract for this process's memory and for Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from service.redis.client import connect
from service.verification.stores.leases import Leases, MemoryLeases
from service.verification.stores.redis_leases import RedisLeases
from tests.service.conftest import RedisServer, wait_until

NAME = "RY.small.20170816T0115Z.still-1.000000000000:5"


@pytest.fixture(params=["memory", "redis"])
def claims(request: pytest.FixtureRequest) -> Leases:
    if request.param == "memory":
        return MemoryLeases()
    server: RedisServer = request.getfixturevalue("redis_server")
    return RedisLeases(connect(server.url))


def test_the_first_has_it(claims: Leases) -> None:
    assert claims.claim(NAME)
    assert not claims.claim(NAME)
    assert claims.claim(NAME + "0")
    claims.release(NAME)
    assert claims.claim(NAME)


def test_one_that_dies_keeps_others_from_it_for_a_while(claims: Leases) -> None:
    assert claims.claim(NAME, seconds=0.05)
    wait_until(lambda: claims.claim(NAME), "the claim to expire")


def test_what_is_done_stays_claimed(claims: Leases) -> None:
    assert claims.claim(NAME, seconds=0.05)
    claims.keep(NAME)
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        assert not claims.claim(NAME)


def test_of_many_one_gets_it(claims: Leases) -> None:
    got: list[bool] = []
    together = threading.Barrier(8)

    def go() -> None:
        together.wait()
        got.append(claims.claim(NAME))

    threads = [threading.Thread(target=go) for _ in range(8)]
    run_all(threads)
    assert sorted(got) == [False] * 7 + [True]


def run_all(threads: list[threading.Thread]) -> None:
    each: Callable[[threading.Thread], None]
    for each in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            each(thread)
