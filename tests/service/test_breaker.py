"""A store that failed is left alone for a while, and everybody learns so at once."""

from __future__ import annotations

import pytest

from radar.errors import StoreUnavailable
from service.breaker import PAUSE_SECONDS, Breaker
from service.errors import StoredValueDamaged, StoreFull


def failure(kind: type[StoreUnavailable] = StoreUnavailable, got: str = "none in time") -> StoreUnavailable:
    return kind(expected="an answer", got=got, remedy="wait")


class Store:
    """Fails as it is told to, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: StoreUnavailable | None = None

    def read(self) -> str:
        self.asked += 1
        if self.failure:
            raise self.failure
        return "rain"


def test_a_store_that_failed_is_not_asked_until_the_pause_is_over() -> None:
    now, store = [0.0], Store()
    breaker = Breaker("the rain store", lambda: now[0])
    assert breaker.ask(store.read) == "rain"
    store.failure = failure()
    with pytest.raises(StoreUnavailable, match="none in time"):
        breaker.ask(store.read)
    store.failure = None
    now[0] += PAUSE_SECONDS - 0.1
    assert breaker.is_open
    with pytest.raises(StoreUnavailable, match="the rain store, got none a moment ago"):
        breaker.ask(store.read)
    assert store.asked == 2
    now[0] += 0.1
    assert breaker.ask(store.read) == "rain"
    assert not breaker.is_open


@pytest.mark.parametrize(
    ("kind", "left_alone"), [(StoredValueDamaged, False), (StoreFull, False), (StoreUnavailable, True)]
)
def test_an_error_of_one_value_leaves_the_store_open_to_others(kind: type[StoreUnavailable], left_alone: bool) -> None:
    store = Store()
    breaker = Breaker("the rain store", lambda: 0.0, harmless=(StoredValueDamaged, StoreFull))
    store.failure = failure(kind)
    with pytest.raises(kind):
        breaker.ask(store.read)
    assert breaker.is_open is left_alone


def test_a_failure_is_told_once_and_so_is_its_end() -> None:
    now, store, told = [0.0], Store(), list[str]()
    breaker = Breaker("the rain store", lambda: now[0], on_change=told.append)
    assert breaker.ask(store.read) == "rain"
    for got in ("none in time", "none in time", "a refusal", None):
        store.failure = failure(got=got) if got else None
        now[0] += PAUSE_SECONDS
        if got:
            with pytest.raises(StoreUnavailable):
                breaker.ask(store.read)
        else:
            breaker.ask(store.read)
    assert [bool(text) for text in told] == [True, True, False]
    assert "a refusal" in told[1]
