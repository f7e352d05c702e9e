"""Known hosts: no page can read the service under a name of its own (DNS rebinding).

A page of evil.example can make its name point to 127.0.0.1 after it was loaded. The browser then treats this service as
the page's own site, and only the Host header still distinguishes them.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from functools import lru_cache

from starlette.datastructures import Headers

from radar.errors import InvalidRequest
from service.errors import UnknownHost

ANY = "*"
_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\[\]:@/\\\s]+)(?::[0-9]{0,5})?")


class KnownHosts:
    """The host names under which callers without a key may reach the service.

    Names that nobody can register are always known: addresses, `localhost` and names below it, names without a dot,
    such as those of containers and machines of one network, and this machine's own name.

    Parameters
    ----------
    named : collection of str
        RAINCELL_HOSTS: names, "*.example.org" for all below one, "*" for any.
    """

    def __init__(self, named: Collection[str] = ()) -> None:
        self._any = ANY in named
        self._exact = {name for name in named if not name.startswith("*")} | {socket.gethostname().lower()}
        self._below = (".localhost", *(name[1:] for name in named if name.startswith("*.")))
        self._knows = lru_cache(maxsize=1024)(self._known)

    def check(self, headers: Headers) -> None:
        """Raise UnknownHost unless every Host of a request is known; browsers always send it."""
        for host in headers.getlist("host"):
            if not self._any and not self._knows(host):
                raise UnknownHost(
                    expected="a Host that is an address, localhost or a name of this service",
                    got=ascii(host[:80]),
                    remedy="ask by a known name or with an API key; the operator names others in RAINCELL_HOSTS",
                )

    def _known(self, host: str) -> bool:
        name = name_of(host)
        if name is None:
            return host == ""  # HTTP's value for a target without an authority
        return "." not in name or name in self._exact or name.endswith(self._below) or _is_address(name)


def name_of(host: str) -> str | None:
    """The name in a Host header, in lower case, without port and final dot; None if it is malformed."""
    found = _HOST.fullmatch(host)
    return found["name"].lower().removesuffix(".") if found else None


def check_hosts(hosts: Collection[str]) -> frozenset[str]:
    """Names of RAINCELL_HOSTS in lower case; raises InvalidRequest for an invalid one."""
    names = frozenset(host.lower().removesuffix(".") for host in hosts)
    for name in names - {ANY}:
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                expected="names such as radar.example or *.radar.example, or *, in RAINCELL_HOSTS",
                got=ascii(name[:80]),
                remedy="leave scheme, port and path out; addresses are always known",
            )
    return names


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
