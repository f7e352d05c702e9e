"""The number of connections of each address, so that no address takes all connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from service.http.forwarded_prefix import trusts
from service.security.access import caller_of


class Addresses:
    """Counts connections by address, for IPv6 by network, like requests.

    Parameters
    ----------
    most : int
        The most connections of one address; 0 for any number.
    proxies : sequence of str
        Addresses and networks of proxies, which may have any number.
    """

    def __init__(self, most: int = 0, proxies: Sequence[str] = ()) -> None:
        self._most = most
        self._is_proxy = trusts(tuple(proxies))
        self._counts = Counter[str]()

    def enter(self, host: str | None) -> str | None:
        """Count a connection; returns the caller, for `leave`, or None if it is not counted."""
        if not self._most or host is None or self._is_proxy(host):
            return None
        caller = caller_of(host)
        self._counts[caller] += 1
        return caller

    def are_too_many(self, caller: str | None) -> bool:
        """Whether a caller has too many connections."""
        return caller is not None and self._counts[caller] > self._most

    def refusal(self) -> tuple[str, str, str]:
        """The texts expected, got and remedy of a refusal."""
        expected = f"at most {self._most} connections of one address at a time"
        return expected, "one more", "use connections again, and close those that are not needed"

    def leave(self, caller: str | None) -> None:
        """Forget a counted connection."""
        if caller is None:
            return
        self._counts[caller] -= 1
        if not self._counts[caller]:
            del self._counts[caller]
