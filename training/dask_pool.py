"""Many tasks on the workers of a Dask cluster, on a pool of local processes, or in this process."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, TypeVar

from radar.errors import StoreUnavailable
from radar.system.cpus import usable_cpus

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

_TASKS_AHEAD = 4
"""Tasks submitted per worker: enough to keep it busy, few enough that the scheduler does not hold years of tasks."""
_PATIENCE_SECONDS = 10

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def pool(address: str | None, workers: int | None) -> Iterator[Client | None]:
    """The client of the named cluster or of a pool of local processes, or None for this process.

    Parameters
    ----------
    address : str or None
        Address of a scheduler, e.g. tcp://host:8786.
    workers : int or None
        Number of local processes; as many as usable processors if None, only this process if 0.

    Raises
    ------
    ValueError
        There are fewer than 0 workers, or both workers and an address.
    StoreUnavailable
        No scheduler answers.
    """
    _check(address, workers)
    if workers == 0:
        yield None
    elif address is None:
        with _local_processes(usable_cpus() if workers is None else workers) as client:
            yield client
    else:
        with _connected(address) as client:
            yield client


@contextmanager
def _local_processes(count: int) -> Iterator[Client]:
    """The client of so many processes, which a Ctrl-C at the terminal does not reach: they end with this one."""
    # Dask takes a second to import, and the other commands do without it.
    from distributed import Client, LocalCluster

    _start_tracker()
    with _told_nothing_if_interrupted():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # is inherited, and here it is only late
        try:
            local = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        client = Client(local)
        try:
            yield client
        except KeyboardInterrupt:
            raise  # no farewell, at which Dask would fail: the processes watch this one, and end with it
        except BaseException:
            _close(client, local)
            raise
        _close(client, local)


def _start_tracker() -> None:
    """Start Python's tracker of semaphores now: later it would let signals through, and tell of those that are left."""
    quiet = "ignore::UserWarning:multiprocessing.resource_tracker"
    sys.warnoptions.append(quiet)  # which its process is started with
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(quiet)


@contextmanager
def _told_nothing_if_interrupted() -> Iterator[None]:
    """Dask's tasks that are cut off complain in the log; the command has a line of its own."""
    try:
        yield
    except KeyboardInterrupt:
        for name in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        raise


def _close(client: Client, local: LocalCluster) -> None:
    client.close()
    local.close()


def run_all(
    function: Callable[[Task], Result], tasks: Sequence[Task], client: Client | None
) -> Iterator[tuple[Task, Result | BaseException]]:
    """Yield each task with its result, as they end; if a worker fails or dies, the result is its exception.

    Without a client, in this process, exceptions are raised.
    """
    if client is None:
        yield from ((task, function(task)) for task in tasks)
        return
    from distributed import as_completed

    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    waiting = iter(tasks)
    given = {_submit(client, function, task): task for task in islice(waiting, _TASKS_AHEAD * max(1, workers))}
    completed = as_completed(list(given))
    for future in completed:
        task = given.pop(future)
        error = future.exception()
        yield task, future.result() if error is None else error
        for following in islice(waiting, 1):
            future = _submit(client, function, following)
            given[future] = following
            completed.add(future)


def _submit(client: Client, function: Callable[[Task], Any], task: Task) -> Any:  # noqa: ANN401
    return client.submit(function, task, pure=False)


def _check(address: str | None, workers: int | None) -> None:
    if workers is not None and workers < 0:
        raise ValueError(f"expected 0 workers or more, got {workers}; leave --workers out for all cores")
    if workers is not None and address is not None:
        raise ValueError("expected --workers or --dask, got both; a cluster has workers of its own")


def _connected(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=_PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        raise StoreUnavailable(
            expected=f"a Dask scheduler that answers at {address[:80]}",
            got=type(error).__name__,
            remedy="start `dask scheduler` and its workers, or leave --dask out for local processes",
        ) from None
