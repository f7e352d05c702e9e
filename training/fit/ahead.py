"""Work that is prepared one step ahead in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
    """Yield make(number) for each number; the next result is computed while the consumer works."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for number in numbers:
            made, waiting = waiting, pool.submit(make, number)
            if made is not None:
                yield made.result()
        if waiting is not None:
            yield waiting.result()
