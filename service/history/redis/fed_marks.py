"""The series that the feed brings, in Redis.

Key: raincell:fed, a sorted set: "product|grid" by the time when the feed last brought frames of it. It does not expire,
so that a full Redis does not evict it.
"""

from __future__ import annotations

import math
from typing import Any

from service.damage import Damage
from service.history.codec import SeriesKey
from service.history.fed_marks import marked
from service.history.redis.values import healed, series_of_member
from service.redis.client import store_errors

_KEY = "raincell:fed"


class RedisFedMarks:
    """See service.history.fed_marks.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    damage : Damage
    """

    def __init__(self, client: Any, damage: Damage) -> None:  # noqa: ANN401 - redis has no type for it
        self._redis = client
        self._damage = damage

    def mark(self, series: SeriesKey, now: float) -> None:
        """Mark a series, and remove the marks that no longer count."""
        known = self.all()
        kept = marked(known, series, now)
        with store_errors(), self._redis.pipeline(transaction=True) as writing:
            for gone in known.keys() - kept.keys():
                writing.zrem(_KEY, "|".join(gone))
            writing.zadd(_KEY, {"|".join(series): kept[series]})
            writing.execute()

    def all(self) -> dict[SeriesKey, float]:
        """Every mark, with its time in seconds since 1970."""
        found = healed(
            self._redis, self._damage, {_KEY: "zset"}, lambda: self._redis.zrange(_KEY, 0, -1, withscores=True)
        )
        read = ((series_of_member(member, _KEY, "mark", self._damage), float(at)) for member, at in found)
        return {series: at for series, at in read if series and math.isfinite(at)}
