"""The connection to Redis. Only this module imports redis."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as TimedOut
from redis.retry import Retry

from radar.errors import StoreUnavailable
from service.errors import KeyOfAnotherType, StoreFull
from service.redis.url import check_redis_url

CONNECTION_SECONDS = 60.0
"""The longest age of a connection: one that only reads would stay with a former primary as long as that lives."""
_TIMEOUT_SECONDS = 1.0
_RETRIES = 2
_NOT_PRIMARY = re.compile(r"(?:^|-|: )(READONLY|MASTERDOWN|NOREPLICAS|NOMASTERLINK|UNBLOCKED)\b")
"""In Redis 6 the error of a script's command stands within the script's error, after a hyphen."""


def connect(url: str) -> Any:  # noqa: ANN401 - redis has no type for it that mypy could use
    """A client that gives up within seconds; redis-py's defaults wait for a minute.

    It connects on first use, and any number of threads may use it. If a server answers that it is not a primary, or
    still loads its data, the connection is dropped and the command repeated on a new one, which reaches the new primary
    after a fail-over behind one address. An invalid address raises InvalidRequest.
    """
    options: dict[str, Any] = parse_url(check_redis_url(url))  # type: ignore[no-untyped-call]
    kind = _KINDS[options.pop("connection_class", Connection)]
    chosen = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS} | options
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), _RETRIES)
    retry.update_supported_errors([NotPrimary])
    return _Client.from_pool(ConnectionPool(connection_class=kind, retry=retry, **chosen))


class NotPrimary(ReadOnlyError):
    """A server does not act as a primary; holds the code of its answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _FollowsPrimary:
    """Raises NotPrimary for answers of a non-primary, and renews old connections. A mixin in front of Connection."""

    _since = float("-inf")

    def connect(self: Any) -> None:
        """Called whenever a connection is taken from the pool, connected or not."""
        if self.is_connected and time.monotonic() - self._since > CONNECTION_SECONDS:
            self.disconnect()
        if not self.is_connected:
            self._since = time.monotonic()
        super().connect()  # type: ignore[misc]

    def read_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever Redis answers
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if code := _code_of_no_primary(error):
                raise NotPrimary(code) from error
            raise


def _code_of_no_primary(error: ResponseError) -> str | None:
    if isinstance(error, ReadOnlyError | MasterDownError):
        return "READONLY" if isinstance(error, ReadOnlyError) else "MASTERDOWN"
    found = _NOT_PRIMARY.search(str(error))
    return found[1] if found else None


class _OverTcp(_FollowsPrimary, Connection):
    pass


class _OverTls(_FollowsPrimary, SSLConnection):
    pass


class _OverSocket(_FollowsPrimary, UnixDomainSocketConnection):
    pass


_KINDS = {Connection: _OverTcp, SSLConnection: _OverTls, UnixDomainSocketConnection: _OverSocket}


class _Client(Redis):
    def transaction(
        self,
        func: Callable[[Any], Any],
        *watches: str,
        value_from_callable: bool = False,
        **_: object,
    ) -> Any:  # noqa: ANN401 - what `func` returns
        """As in redis-py: repeated whenever others change watched keys, but not for ever while connections fail."""
        dropped = 0
        with self.pipeline(transaction=True) as pipe:
            while True:
                try:
                    pipe.watch(*watches)  # type: ignore[no-untyped-call]
                    value = func(pipe)
                    done = pipe.execute()
                except WatchError as error:
                    cause = error.__context__  # why a connection was dropped; None if others changed a watched key
                    dropped += isinstance(cause, ConnectionFailed | TimedOut | NotPrimary)
                    if dropped > _RETRIES:
                        raise cause from error  # type: ignore[misc]
                else:
                    return value if value_from_callable else done


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreUnavailable or StoreFull for Redis's errors, without its address, which may hold a password."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFull(
            expected="room in the history store (Redis)",
            got="none",
            remedy="try again later; its operator gives Redis more memory, or a policy to evict by (volatile-ttl)",
        ) from error
    except (RedisError, OSError, ValueError) as error:
        if "WRONGTYPE" in str(error):
            raise KeyOfAnotherType(
                expected="keys of the history store as this version writes them",
                got="a key of another type (WRONGTYPE)",
                remedy="its operator deletes the keys below raincell: in Redis that others wrote",
            ) from error
        got, remedy = _fault(error)
        raise StoreUnavailable(
            expected="an answer from the history store (Redis)", got=got, remedy=f"{remedy} (RAINCELL_REDIS_URL)"
        ) from error


_PRIMARY = "try again in a moment; if the error persists, its operator names the address of the primary"
_FAULTS: dict[type[RedisError] | tuple[type[RedisError], ...], tuple[str, str]] = {
    AuthenticationError: (
        "a refusal of user or password (WRONGPASS or NOAUTH)",
        "its operator corrects them: redis://USER:PASSWORD@HOST:6379/0, with %40 for @ and the like",
    ),
    BusyLoadingError: ("a server that still loads its data (LOADING)", "try again in a moment"),
    (MovedError, AskError, ClusterDownError, ClusterCrossSlotError): (
        "a Redis Cluster",
        "its operator names a single primary, or a proxy before the cluster",
    ),
    TimedOut: ("none in time", "try again in a moment; its operator checks that Redis runs and is not overloaded"),
}
"""Fault and remedy, by kind of error."""


def _fault(error: Exception) -> tuple[str, str]:
    """Fault and remedy, without the address, names of users and keys, or texts of the server."""
    if isinstance(error, NotPrimary):
        return f"a server that is not a primary that takes writes ({error.code})", _PRIMARY
    if isinstance(error, NoPermissionError) or "ACL failure in script" in str(error):
        command = re.search(r"the '([\w|]+)' command", str(error))
        refused = f"the command {command[1]}" if command else "keys that begin with raincell:"
        return f"a refusal of {refused} (NOPERM)", "its operator gives Redis's user what docs/reference/redis.md lists"
    for kinds, fault in _FAULTS.items():
        if isinstance(error, kinds):
            return fault
    if "DB index" in str(error):
        return "no database of that number", "its operator names another after the last /, or in db="
    if isinstance(error, ResponseError):
        code = error.status_code or str(error).partition(" ")[0]
        return f"an error ({code if code.isupper() else 'ERR'})", "its operator looks into Redis's log"
    return _connection_fault(error)


def _connection_fault(error: Exception) -> tuple[str, str]:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"a certificate that is not trusted: {cause.verify_message}",
            "its operator names the host as the certificate does, and the file of its authority: ?ssl_ca_certs=/CA.pem",
        )
    if isinstance(cause, ssl.SSLError):
        return (
            f"no TLS that fits ({(cause.reason or 'SSL error').replace('_', ' ').lower()})",
            "its operator writes redis:// if Redis has no TLS, and the port that has it for rediss://",
        )
    why = cause.strerror if cause else None
    return (
        f"no connection ({why})" if why else type(error).__name__,
        "try again in a moment; its operator checks that Redis runs and that its address is right",
    )
