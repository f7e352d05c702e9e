"""Which stores the settings open, and that a replica has one client for all of them."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import pytest
from redis import Redis

from radar.errors import InvalidRequest
from service.history.codec import SeriesKey
from service.history.quarantine import QuarantineEntry
from service.settings import Settings
from service.stores import Stores, open_stores
from tests.service.conftest import END, RedisServer, free_port, sequence
from tests.service.runs_made import made_run

SERIES = SeriesKey("RY", "small")


def use_each(stores: Stores) -> None:
    """Write to every store, or ask it."""
    stores.history.append(sequence(5, end=END))
    stores.runs.publish(made_run())
    stores.quarantine.put(
        QuarantineEntry(
            product="RY", grid=None, time=END, reason="absurd", detail="", origin="post", noted_at=datetime.now(UTC)
        )
    )
    assert anyio.run(stores.quotas.spend, "somebody", 9, END).used == 1
    assert stores.leases.claim("RY.small.20170816T0115Z")
    assert stores.unserved.at(made_run().run.id, 5) == {}
    assert stores.references is None or stores.references.reference_times(SERIES) == []


def test_without_an_address_everything_is_in_memory() -> None:
    stores = open_stores(Settings(redis_url=None))
    use_each(stores)
    assert stores.kind == "memory"
    assert stores.references is None, "others' forecasts come by a feed, which needs Redis"
    assert stores.frames.times("RY", sequence(1).grid.key)[-1] == END


def test_a_replica_has_one_client_for_all_its_stores(redis_server: RedisServer) -> None:
    stores, settings = open_stores(Settings(redis_url=redis_server.url)), Settings(redis_url=redis_server.url)
    use_each(stores)
    with Redis(port=redis_server.port) as redis:
        assert len(redis.client_list()) - 1 == 1, "one after the other, they need one connection"
    other = open_stores(settings)
    assert other.kind == "redis"
    assert other.frames.times("RY", sequence(1).grid.key)[-1] == END
    assert other.runs.latest(made_run().run.series).value == made_run().run
    assert [entry.product for entry in other.quarantine.entries()] == ["RY"]
    assert anyio.run(other.quotas.spend, "somebody", 9, END).used == 2
    assert not other.leases.claim("RY.small.20170816T0115Z")


def test_opening_asks_redis_nothing() -> None:
    stores = open_stores(Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    assert not stores.history.answers()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="RAINCELL_REDIS_URL"):
        open_stores(Settings.model_construct(redis_url="http://nonsense"))
