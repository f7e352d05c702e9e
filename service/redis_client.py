"""The connection to Redis. The one module that imports redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from radar.errors import StoreUnavailable
from service.errors import StoreFull

_TIMEOUT_SECONDS = 1.0
_RETRIES = 2


def connect(url: str) -> Any:  # noqa: ANN401 - redis has no type for it that mypy could use
    """A client that gives up within seconds; redis-py's defaults wait for a minute.

    It connects when it is first used, and may be used by any number of threads. A URL that is none raises
    StoreUnavailable.
    """
    with store_errors():
        return Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), _RETRIES),
        )


@contextmanager
def store_errors() -> Iterator[None]:
    """Redis's errors as StoreUnavailable or StoreFull, without its address, which may hold a password."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFull(
            expected="room in the history store (Redis)",
            got="none",
            remedy="try again later; its operator gives Redis more memory, or a policy to evict by (volatile-ttl)",
        ) from error
    except (RedisError, OSError, ValueError) as error:
        raise StoreUnavailable(
            expected="an answer from the history store (Redis)",
            got=type(error).__name__,
            remedy="try again in a moment; its operator checks that Redis runs and that RAINCELL_REDIS_URL is right",
        ) from error
