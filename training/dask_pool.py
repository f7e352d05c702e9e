"""Many tasks on the workers of a Dask cluster, on a pool of local processes, or in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from radar.errors import StoreUnavailable
from radar.system.cpus import usable_cpus

if TYPE_CHECKING:
    from distributed import Client

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
        # Dask takes a second to import, and the other commands do without it.
        from distributed import Client, LocalCluster

        count = usable_cpus() if workers is None else workers
        local = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None)
        with local, Client(local) as client:
            yield client
    else:
        with _connected(address) as client:
            yield client


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
