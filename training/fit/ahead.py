"""Work that is done while its result is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
    """make(number) for each, one ahead of who asks."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for number in numbers:
            made, waiting = waiting, pool.submit(make, number)
            if made is not None:
                yield made.result()
        if waiting is not None:
            yield waiting.result()
