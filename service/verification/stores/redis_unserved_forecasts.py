"""Forecasts beside runs in Redis, shared by all replicas.

Keys, hash-tagged as the runs':

    raincell:{product.grid}:beside:<run id>            set: the makers of forecasts beside the run
    raincell:{product.grid}:beside:<run id>:<maker>    hash: for each lead minutes m header:m (JSON) and data:m
    raincell:beside:bytes                              hash: bytes of each, <run id>:<maker>, of all series
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from service.damage import Damage
from service.history.codec import StoredFrame
from service.history.redis.values import frame_of, healed
from service.redis.client import store_errors
from service.runs.run import tag_of
from service.runs.shares.redis_sizes import RedisSizes
from service.runs.shares.run_shares import RunShares
from service.runs.store import unknown
from service.verification.stores.unserved_forecasts import bytes_of

_KEPT = timedelta(hours=3)


class RedisUnservedForecasts:
    """See UnservedForecasts.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    kept : timedelta
        How long they are kept, by the wall clock.
    damage : Damage, optional
    shares : RunShares, optional
        Bytes of all of them.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis has no type for it
        kept: timedelta = _KEPT,
        damage: Damage | None = None,
        shares: RunShares | None = None,
    ) -> None:
        self._redis = client
        self._kept = kept
        self._damage = damage or Damage()
        counted = "raincell:beside:bytes"
        self._sizes = RedisSizes(client, counted, "beside", shares or RunShares(), _place, kept, self._damage)

    def put(self, run_id: str, maker: str, frames: Mapping[int, StoredFrame]) -> None:
        """See UnservedForecasts."""
        fields: dict[str, str | bytes] = {}
        for minutes, frame in frames.items():
            fields |= {f"header:{minutes}": frame.header.model_dump_json(), f"data:{minutes}": frame.data}
        makers, forecast = _key(run_id), f"{_key(run_id)}:{maker}"
        gone = self._sizes.to_let_go(f"{run_id}:{maker}", bytes_of(frames))
        for each in gone:
            with store_errors():
                self._redis.delete(_place(each))
        self._sizes.forget(gone)
        with store_errors(), self._redis.pipeline(transaction=True) as publish:
            publish.delete(forecast)
            publish.hset(forecast, mapping=fields)
            publish.expire(forecast, self._kept)
            publish.sadd(makers, maker)
            publish.expire(makers, self._kept)
            publish.execute()

    def at(self, run_id: str, minutes: int) -> dict[str, StoredFrame]:
        """See UnservedForecasts."""
        key = _key(run_id)
        members = healed(self._redis, self._damage, {key: "set"}, lambda: self._redis.smembers(key))
        makers = sorted(member.decode(errors="backslashreplace") for member in members)

        def read() -> list[Any]:
            with self._redis.pipeline(transaction=False) as reading:
                for maker in makers:
                    reading.hmget(f"{key}:{maker}", [f"header:{minutes}", f"data:{minutes}"])
                return list(reading.execute())

        found = healed(self._redis, self._damage, {f"{key}:{maker}": "hash" for maker in makers}, read)
        pairs = [(maker, parts) for maker, parts in zip(makers, found, strict=True) if all(parts)]
        frames = {maker: self._frame(f"{key}:{maker} {minutes}", *parts) for maker, parts in pairs}
        return {maker: frame for maker, frame in frames.items() if frame}

    def _frame(self, name: str, header: bytes, data: bytes) -> StoredFrame | None:
        return frame_of(header, data, name, "beside", self._damage, lambda _: True)


def _key(run_id: str) -> str:
    tag = tag_of(run_id)
    if tag is None:
        raise unknown(run_id)
    return f"raincell:{{{tag}}}:beside:{run_id}"


def _place(forecast: str) -> str:
    """The key of a forecast by <run id>:<maker>."""
    run_id, _, maker = forecast.partition(":")
    return f"{_key(run_id)}:{maker}"
