"""A cache of computed objects in a bounded number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Cache:
    """The most recently used objects by key; the least recently used one is dropped first.

    An object that several threads request at a time is made by one of them.

    Parameters
    ----------
    capacity : int
        Bytes of all objects together. An object of more than half of them is not kept.
    on_find : callable
        Called for every request, with whether the object was in the cache.
    """

    def __init__(self, capacity: int, on_find: Callable[[bool], object] = lambda _: None) -> None:
        self._capacity = capacity
        self._on_find = on_find
        self._held = 0
        self._things: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._coming: dict[Hashable, Future[Any]] = {}
        self._guard = threading.Lock()

    def find(self, key: Hashable) -> Any:  # noqa: ANN401 - things are of any kind
        """The object, or None."""
        with self._guard:
            entry = self._things.get(key)
            if entry is not None:
                self._things.move_to_end(key)
        self._on_find(entry is not None)
        return None if entry is None else entry[0]

    def keep(self, key: Hashable, thing: object, size: int) -> None:
        """Keep an object of `size` bytes."""
        with self._guard:
            self._held -= self._things.pop(key, (None, 0))[1]
            if size > self._capacity // 2:
                return
            self._things[key] = (thing, size)
            self._held += size
            while self._held > self._capacity:
                self._held -= self._things.popitem(last=False)[1][1]

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """The object, made with its size in bytes if it is missing; for threads that may wait."""
        found = self.find(key)
        if found is not None:
            return cast(T, found)
        with self._guard:
            coming = self._coming.get(key)
            mine: Future[T] | None = None if coming else Future()
            if mine:
                self._coming[key] = mine
        return self._made(key, make, mine) if mine else cast(T, cast("Future[Any]", coming).result())

    def _made(self, key: Hashable, make: Callable[[], tuple[T, int]], future: Future[T]) -> T:
        try:
            thing, size = make()
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            self.keep(key, thing, size)
            future.set_result(thing)
            return thing
        finally:
            with self._guard:
                self._coming.pop(key, None)
