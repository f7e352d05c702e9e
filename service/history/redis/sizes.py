"""Bytes of frames in Redis, counted by Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.damage import Damage
from service.history.redis.values import healed

_COUNT = """
local total = 0
for _, seconds in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local size = redis.pcall('HSTRLEN', KEYS[2] .. seconds, 'data')
  if type(size) == 'number' then total = total + size end
end
return total"""
"""Bytes of the frames that an index lists; a script, since there may be thousands."""


def listed_bytes(redis: Any, damage: Damage, indexes: Sequence[tuple[str, str]]) -> list[int]:  # noqa: ANN401 - untyped
    """Bytes of all frames of each index, given by its key and the prefix of its frames' keys."""

    def read() -> list[int]:
        with redis.pipeline(transaction=False) as reading:
            for index, frames in indexes:
                reading.eval(_COUNT, 2, index, frames)
            return list(reading.execute())

    return healed(redis, damage, {index: "zset" for index, _ in indexes}, read)


def frame_bytes(redis: Any, damage: Damage, keys: Sequence[str]) -> int:  # noqa: ANN401 - untyped
    """Bytes of the frames with these keys together."""

    def read() -> int:
        with redis.pipeline(transaction=False) as reading:
            for key in keys:
                reading.hstrlen(key, "data")
            return sum(reading.execute())

    return healed(redis, damage, dict.fromkeys(keys, "hash"), read)
