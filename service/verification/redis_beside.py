"""Forecasts beside runs in Redis, shared by all replicas.

Keys, hash-tagged as the runs':

    raincell:{product.grid}:beside:<run id>            set: who made forecasts beside the run
    raincell:{product.grid}:beside:<run id>:<maker>    hash: for each lead minutes m header:m (JSON) and data:m
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from service.codec import StoredFrame, read_header
from service.redis_client import store_errors
from service.runs.run import tag_of
from service.runs.store import unknown

_KEPT = timedelta(hours=3)


class RedisBeside:
    """See BesideForecasts.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis_client.connect`.
    kept : timedelta
        How long, by the wall clock.
    """

    def __init__(self, client: Any, kept: timedelta = _KEPT) -> None:  # noqa: ANN401 - redis has no type
        self._redis = client
        self._kept = kept

    def put(self, run_id: str, maker: str, frames: Mapping[int, StoredFrame]) -> None:
        """See BesideForecasts."""
        fields: dict[str, str | bytes] = {}
        for minutes, frame in frames.items():
            fields |= {f"header:{minutes}": frame.header.model_dump_json(), f"data:{minutes}": frame.data}
        makers, forecast = _key(run_id), f"{_key(run_id)}:{maker}"
        with store_errors(), self._redis.pipeline(transaction=True) as publish:
            publish.delete(forecast)
            publish.hset(forecast, mapping=fields)
            publish.expire(forecast, self._kept)
            publish.sadd(makers, maker)
            publish.expire(makers, self._kept)
            publish.execute()

    def at(self, run_id: str, minutes: int) -> dict[str, StoredFrame]:
        """See BesideForecasts."""
        with store_errors():
            makers = sorted(member.decode() for member in self._redis.smembers(_key(run_id)))
            with self._redis.pipeline(transaction=False) as reading:
                for maker in makers:
                    reading.hmget(f"{_key(run_id)}:{maker}", [f"header:{minutes}", f"data:{minutes}"])
                found = reading.execute()
        pairs = zip(makers, found, strict=True)
        return {maker: StoredFrame(read_header(header), data) for maker, (header, data) in pairs if header and data}


def _key(run_id: str) -> str:
    tag = tag_of(run_id)
    if tag is None:
        raise unknown(run_id)
    return f"raincell:{{{tag}}}:beside:{run_id}"
