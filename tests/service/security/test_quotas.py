"""One contract for everything that counts requests, in memory and on a real server; and what happens without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from redis import Redis

from radar.errors import StoreUnavailable
from service.damage import Damage
from service.redis.client import connect
from service.security import quotas as limits
from service.security.quotas import Allowance, MemoryRateLimits, Quotas, RateLimits
from service.security.redis_quotas import RedisRateLimits
from tests.service.conftest import RedisServer

NOW = datetime(2024, 6, 1, 12, 0, 45, tzinfo=UTC)


@pytest.fixture(params=["memory", "redis"])
def counted(request: pytest.FixtureRequest) -> Iterator[RateLimits]:
    if request.param == "memory":
        yield MemoryRateLimits()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield RedisRateLimits(connect(server.url))


def test_requests_are_counted_by_caller_and_minute(counted: RateLimits) -> None:
    assert [counted.count("a", 100) for _ in range(3)] == [1, 2, 3]
    assert counted.count("b", 100) == 1
    assert counted.count("a", 101) == 1
    assert counted.count("a", 101) == 2


def test_a_clock_that_jumps_back_locks_nobody_out(counted: RateLimits) -> None:
    assert counted.count("a", 200) == 1
    assert counted.count("a", 100) == 1
    assert counted.count("a", 100) == 2


def test_memory_tells_a_bounded_number_of_callers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_COUNTED", 2)
    counted = MemoryRateLimits()
    assert [counted.count(who, 1) for who in "abcd"] == [1, 1, 1, 2]
    assert counted.count("a", 1) == 2


def test_counts_in_redis_go_after_their_minute(redis_server: RedisServer) -> None:
    RedisRateLimits(connect(redis_server.url)).count("key:office", 100)
    with Redis(port=redis_server.port) as redis:
        (key,) = redis.keys("*")
        assert key == b"raincell:{limit|key:office}:100"
        assert 60 < redis.ttl(key) <= 120


def spend(quotas: Quotas, who: str, times: int = 1) -> Allowance:
    """The allowance after so many requests."""

    async def all_of_them() -> Allowance:
        allowance = await quotas.spend(who, 3, NOW)
        for _ in range(times - 1):
            allowance = await quotas.spend(who, 3, NOW)
        return allowance

    return anyio.run(all_of_them)


def test_what_is_left_is_told() -> None:
    quotas = Quotas()
    allowance = spend(quotas, "a", 2)
    assert not allowance.exceeded
    assert allowance.headers() == {"RateLimit-Policy": '"minute";q=3;w=60', "RateLimit": '"minute";r=1;t=15'}
    allowance = spend(quotas, "a", 2)
    assert allowance.exceeded
    assert allowance.headers()["RateLimit"] == '"minute";r=0;t=15'
    assert allowance.headers()["Retry-After"] == "15"


def test_a_quota_holds_across_replicas(redis_server: RedisServer) -> None:
    one, other = (Quotas(RedisRateLimits(connect(redis_server.url))) for _ in range(2))
    assert spend(one, "a", 2).used == 2
    assert spend(other, "a", 2).used == 4
    assert spend(one, "a").exceeded


def test_without_redis_each_process_counts_and_asks_again_later(redis_server: RedisServer) -> None:
    now = [0.0]
    quotas = Quotas(RedisRateLimits(connect(redis_server.url)), monotonic=lambda: now[0])
    assert spend(quotas, "a", 2).used == 2
    redis_server.kill()
    assert spend(quotas, "a").used == 3
    assert spend(quotas, "a").exceeded
    redis_server.start()
    RedisRateLimits(connect(redis_server.url)).count("a", int(NOW.timestamp()) // 60)
    now[0] += 4
    assert spend(quotas, "a").used == 5, "memory's count: Redis is left alone for a while"
    with Redis(port=redis_server.port) as redis:
        for _ in range(9):
            redis.incr(f"raincell:{{limit|a}}:{int(NOW.timestamp()) // 60}")
    now[0] += 1
    assert spend(quotas, "a").used == 11


def test_a_paused_redis_costs_half_a_second_once(redis_server: RedisServer) -> None:
    quotas = Quotas(RedisRateLimits(connect(redis_server.url)), monotonic=lambda: 0.0)
    spend(quotas, "a")
    redis_server.pause()
    with anyio.from_thread.start_blocking_portal() as portal:
        for used in (2, 3, 4):
            allowance = portal.call(quotas.spend, "a", 3, NOW)
            assert allowance.used == used
    redis_server.resume()


def test_a_store_that_does_not_answer_is_an_error_of_the_store_alone(redis_server: RedisServer) -> None:
    counted = RedisRateLimits(connect(redis_server.url))
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        counted.count("a", 1)


SPOILED: dict[str, Callable[[Any, str], object]] = {
    "text": lambda redis, key: redis.set(key, "garbage"),
    "at its end": lambda redis, key: redis.set(key, 2**63 - 1),
    "more than anybody makes": lambda redis, key: redis.set(key, 2**62),
    "below zero": lambda redis, key: redis.set(key, -(10**6)),
    "another type": lambda redis, key: (redis.delete(key), redis.lpush(key, "x")),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_counter_that_is_none_costs_its_own_quota_alone(
    redis_server: RedisServer, spoil: Callable[[Any, str], object], caplog: pytest.LogCaptureFixture
) -> None:
    dropped: list[str] = []
    one, other = (Quotas(RedisRateLimits(connect(redis_server.url), Damage(dropped.append))) for _ in range(2))
    assert [spend(one, "a").used, spend(other, "b", 2).used] == [1, 2]
    key = f"raincell:{{limit|a}}:{int(NOW.timestamp()) // 60}"
    with Redis(port=redis_server.port) as redis:
        spoil(redis, key)
        assert spend(one, "a").used == 2, "memory's count"
        assert spend(one, "b").used == 3, "others are counted for all replicas still"
        assert 60 < redis.ttl(key) <= 120
    assert [spend(other, "a", 2).used, spend(one, "a").used] == [3, 4]
    assert dropped == ["quota"]
    assert "only in this process" not in caplog.text
    assert f"quota {key}" in caplog.text
