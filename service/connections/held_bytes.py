"""Bytes of bodies and answers that are held for callers, bounded for each caller and for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.types import Scope

from radar.errors import Overloaded

MEBIBYTE = 1024 * 1024
PATIENCE_SECONDS = 5.0
"""Seconds without reading after which a connection ends if others need its held bytes."""
_ACCOUNT = "raincell.held"


class Reader(Protocol):
    """The connection of a caller; see service.connections.connection."""

    stalled_since: float | None

    def end(self) -> None:
        """End the connection at once."""


class HeldBytes:
    """Bytes of bodies that are received or processed and of answers that are made or sent, counted together.

    Parameters
    ----------
    together : int
        The most bytes of all callers.
    each : int
        The most bytes of one address.
    clock : callable
        Returns seconds, on the clock of `Reader.stalled_since`.
    """

    def __init__(self, together: int, each: int, clock: Callable[[], float]) -> None:
        self._together = together
        self._each = each
        self._clock = clock
        self._held = 0
        self._by_caller: Counter[str] = Counter()
        self._sharers: dict[int, dict[Account, int]] = {}
        self._accounts: dict[Account, None] = {}

    def open(self, caller: str, reader: Reader | None) -> Account:
        """Open an account for one request."""
        account = Account(self, caller, reader)
        self._accounts[account] = None
        return account

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    def take(self, account: Account, size: int) -> None:
        """Count bytes for an account; raises Overloaded."""
        self._end_stalled(self._by_caller[account.caller] + size - self._each, account, account.caller)
        self._end_stalled(self._held + size - self._together, account)
        most = self._each - self._by_caller[account.caller]
        if size > min(self._together - self._held, most):
            raise self._overloaded(size > most)
        self.give(account, -size)

    def give(self, account: Account, size: int) -> None:
        """Release counted bytes."""
        account.size -= size
        self._held -= size
        self._by_caller[account.caller] -= size
        if not self._by_caller[account.caller]:
            del self._by_caller[account.caller]

    def share(self, account: Account, size: int, content: object) -> None:
        """Count bytes that several accounts share, for the first of them; raises Overloaded."""
        sharers = self._sharers.get(id(content))
        if sharers is None:
            self.take(account, size)
            self._sharers[id(content)] = {account: size}
        else:
            sharers[account] = size

    def close(self, account: Account, contents: list[object]) -> None:
        """Close an account; bytes that others share with it are then counted for the next of them."""
        self._accounts.pop(account, None)
        for content in contents:
            sharers = self._sharers[id(content)]
            paid, size = next(iter(sharers)) is account, sharers.pop(account)
            if not sharers:
                del self._sharers[id(content)]
            elif paid:
                self.give(account, size)
                self.give(next(iter(sharers)), -size)
        self.give(account, account.size)

    def _end_stalled(self, wanted: int, asking: Account, caller: str | None = None) -> None:
        """End connections that do not read, of all callers or of one, the slowest first, until enough is free."""
        if wanted <= 0:
            return
        before = self._clock() - PATIENCE_SECONDS
        stalled = [(since, account) for account in self._accounts if (since := account.stalled_since) is not None]
        for since, account in sorted(stalled, key=lambda pair: pair[0]):
            if wanted <= 0 or since > before:
                return
            if account is not asking and caller in (None, account.caller):
                wanted -= account.size
                account.end()

    def _overloaded(self, one: bool) -> Overloaded:
        most, whose = (self._each, "of one address") if one else (self._together, "together")
        return Overloaded(
            expected=f"at most {most // MEBIBYTE} MiB of bodies and unread answers {whose} at a time",
            got="more",
            remedy="try again in a few seconds, and read answers as they come",
        )


class Account:
    """The bytes held for one request."""

    def __init__(self, held: HeldBytes, caller: str, reader: Reader | None) -> None:
        self.caller = caller
        self.size = 0
        self._held = held
        self._reader = reader
        self._contents: dict[int, object] = {}
        self._open = True

    @property
    def stalled_since(self) -> float | None:
        """Since when its caller has stopped reading; None while it reads."""
        return self._reader.stalled_since if self._reader else None

    def take(self, size: int) -> None:
        """Count bytes until the request ends; raises Overloaded."""
        if self._open:
            self._held.take(self, size)

    def give(self, size: int) -> None:
        """Release some of them earlier."""
        if self._open:
            self._held.give(self, size)

    def share(self, size: int, content: object) -> None:
        """Count the bytes of a content once for all requests that it answers; raises Overloaded."""
        if self._open and id(content) not in self._contents:
            self._held.share(self, size, content)
            self._contents[id(content)] = content

    def close(self) -> None:
        """Release all bytes."""
        if self._open:
            self._open = False
            self._held.close(self, list(self._contents.values()))

    def end(self) -> None:
        """End the connection, and release all bytes."""
        if self._reader:
            self._reader.end()
        self.close()


def remember_account(scope: Scope, account: Account) -> None:
    """Note the account of a request, for `account_of`."""
    scope[_ACCOUNT] = account


def account_of(request: Request) -> Account:
    """The account of a request."""
    account: Account = request.scope[_ACCOUNT]
    return account
