"""Requests of one instant share the event loop with what comes in meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from service.connections.turns import TURN_SECONDS, Turns


def test_requests_of_one_instant_begin_a_few_at_a_time_and_in_their_order() -> None:
    turns, begun, rounds = Turns(), list[int](), Counter[int]()
    now = [0]

    async def count_rounds() -> None:
        while len(begun) < 30:
            now[0] += 1
            await asyncio.sleep(0)

    async def request(number: int) -> None:
        await turns.wait()
        begun.append(number)
        rounds[now[0]] += 1
        until = time.perf_counter() + 0.6 * TURN_SECONDS
        while time.perf_counter() < until:
            pass

    async def all_at_once() -> None:
        await asyncio.gather(count_rounds(), *map(request, range(30)))

    asyncio.run(all_at_once())
    assert begun == list(range(30))
    assert max(rounds.values()) == 2


def test_who_is_alone_does_not_wait() -> None:
    async def wait() -> int:
        turns, rounds = Turns(), [0]
        asyncio.get_running_loop().call_soon(rounds.__setitem__, 0, 1)
        await turns.wait()
        return rounds[0]

    assert asyncio.run(wait()) == 0
