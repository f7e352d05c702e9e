"""A bounded cache, and one maker for many who ask."""

from __future__ import annotations

import threading

import pytest

from service.runs.cache import Cache


def test_what_was_made_is_not_made_again() -> None:
    cache, made = Cache(100), []

    def make() -> tuple[str, int]:
        made.append(1)
        return "thing", 10

    assert cache.get("key", make) == cache.get("key", make) == "thing"
    assert len(made) == 1


def test_the_one_asked_for_longest_ago_goes_first() -> None:
    cache = Cache(30)
    for key in "abc":
        cache.keep(key, key, 10)
    assert cache.find("a") == "a"
    cache.keep("d", "d", 10)
    assert cache.find("b") is None
    assert [cache.find(key) for key in "acd"] == ["a", "c", "d"]


def test_a_thing_replaced_counts_once() -> None:
    cache = Cache(30)
    for _ in range(10):
        cache.keep("a", "a", 10)
    cache.keep("b", "b", 15)
    assert cache.find("a") == "a"


def test_half_of_the_cache_is_the_most_for_one_thing() -> None:
    cache = Cache(30)
    cache.keep("small", 1, 10)
    assert cache.get("large", lambda: (2, 16)) == 2
    assert cache.find("large") is None
    assert cache.find("small") == 1


def test_many_who_ask_at_a_time_wait_for_one_maker() -> None:
    cache, started, go, made, got = Cache(100), threading.Event(), threading.Event(), [], []

    def make() -> tuple[int, int]:
        made.append(1)
        started.set()
        assert go.wait(30)
        return 7, 1

    threads = [threading.Thread(target=lambda: got.append(cache.get("key", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(30)
    go.set()
    for thread in threads:
        thread.join()
    assert (len(made), got) == (1, [7] * 8)


def test_what_could_not_be_made_is_tried_again() -> None:
    cache = Cache(100)

    def fail() -> tuple[int, int]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("key", fail)
    assert cache.get("key", lambda: (1, 1)) == 1
