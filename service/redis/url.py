"""The address of Redis, RAINCELL_REDIS_URL or --redis-url, checked before the start.

redis-py accepts many invalid addresses silently: it reads a database that is not a number as 0, a missing host as this
machine, and an unknown option as one at which the first command fails.
"""

from __future__ import annotations

import difflib
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, urlsplit

from radar.errors import InvalidRequest

EXPECTED = (
    "RAINCELL_REDIS_URL (or --redis-url) such as redis://USER:PASSWORD@HOST:6379/0, rediss://... for TLS,"
    " or unix:///PATH/TO/SOCKET?db=0"
)
_ENCODED = "write special characters of user and password percent-encoded: %40 for @, %2F for /, %3A for :, %23 for #"
_SCHEMES = ("redis", "rediss", "unix")
_OTHER_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis+tls": "rediss", "tls": "rediss", "tcp": "redis"}
_SWITCH = ("true", "false", "yes", "no", "1", "0")


def check_redis_url(url: str) -> str:
    """The address without surrounding blanks.

    Raises
    ------
    InvalidRequest
        The address is invalid or ambiguous. The message repeats no part of it that may be a password.
    """
    url = url.strip()
    scheme, found, _ = url.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        _refuse("a text without redis:// at its beginning", "put redis://, rediss:// or unix:// before it")
    if scheme not in _SCHEMES:
        _refuse(f"{scheme}://", _instead_of(scheme))
    if re.search(r"\s", url):
        _refuse("one with a blank in it", _ENCODED)
    parts = _split(url)
    if scheme == "unix":
        _check_socket(parts)
    else:
        _check_host(parts)
    _check_options(parts)
    return url


def _refuse(got: str, remedy: str) -> NoReturn:
    raise InvalidRequest(expected=EXPECTED, got=got, remedy=remedy)


def _instead_of(scheme: str) -> str:
    if "sentinel" in scheme or "cluster" in scheme:
        return "name the one address that follows the primary: neither Sentinel nor a cluster is queried"
    return f"write {_OTHER_SCHEMES.get(scheme.lower(), 'redis')}:// if a Redis or Valkey listens there"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        _refuse("brackets without an IPv6 address", f"write redis://[::1]:6379/0; {_ENCODED}")
    if parts.fragment or url.endswith("#"):
        _refuse("one with a # in it", _ENCODED)
    return parts


def _check_socket(parts: SplitResult) -> None:
    host = parts.netloc.rpartition("@")[2]
    if host or parts.path in ("", "/"):
        _refuse("unix:// without the path of a socket", "write three slashes: unix:///run/redis/redis.sock")


def _check_host(parts: SplitResult) -> None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        _refuse("a port that is not a number from 1 to 65535", f"write HOST:6379; {_ENCODED}")
    if not parts.hostname:
        _refuse("no host", f"name it, be it localhost; {_ENCODED}")
    if not re.fullmatch(r"/?|/\d+/?", parts.path):
        _refuse("a database that is not a number", f"end with /0, or with the number of another database; {_ENCODED}")


def _check_options(parts: SplitResult) -> None:
    known = dict(_options(parts.scheme))
    seen = set()
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            _refuse(_shown(name), _nearest(name, parts.scheme, known))
        if name in seen:
            _refuse(f"the option {name} twice", "leave one")
        seen.add(name)
        if fault := known[name](value):
            _refuse(f"{name} that is not {fault}", "correct it, or leave it out")
    if "db" in seen and parts.scheme != "unix" and parts.path not in ("", "/"):
        _refuse("two databases, one after the / and one as db", "leave one")
    if parts.query and not seen:
        _refuse("a ? that no option follows", f"write NAME=VALUE after it, or take it out; {_ENCODED}")
    _check_certificates(dict(parse_qsl(parts.query)))


def _shown(name: str) -> str:
    """The name of an option, if it looks like one; any other text may be a part of a password."""
    return f"the option {name}" if re.fullmatch(r"[a-z][a-z_]{1,40}", name) else "an option with an invalid name"


def _nearest(name: str, scheme: str, known: dict[str, Check]) -> str:
    if scheme != "rediss" and name.startswith("ssl"):
        return "write rediss:// for TLS"
    near = difflib.get_close_matches(name, known, 1)
    return f"write {near[0]}" if near else f"known are {', '.join(sorted(known))}; {_ENCODED}"


Check = Callable[[str], str | None]
"""Returns the expected form of a value, or None if it is valid."""


def _options(scheme: str) -> Iterator[tuple[str, Check]]:
    yield "db", _whole(0, 10**6)
    for name in ("username", "password", "client_name"):
        yield name, lambda _: None
    for name in ("socket_timeout", "socket_connect_timeout"):
        yield name, _seconds
    yield "health_check_interval", _whole(0, 3600)
    yield "max_connections", _whole(1, 10**5)
    yield "protocol", _one_of("2", "3")
    if scheme != "unix":
        yield "socket_keepalive", _one_of(*_SWITCH)
    if scheme == "rediss":
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
            yield name, _file
        yield "ssl_ca_path", lambda value: None if Path(value).is_dir() else "a folder that can be read"
        yield "ssl_password", lambda _: None
        yield "ssl_cert_reqs", _one_of("required", "optional", "none")
        yield "ssl_check_hostname", _one_of(*_SWITCH)


def _whole(lowest: int, highest: int) -> Check:
    def check(value: str) -> str | None:
        good = re.fullmatch(r"\d{1,9}", value) and lowest <= int(value) <= highest
        return None if good else f"a whole number from {lowest} to {highest}"

    return check


def _one_of(*values: str) -> Check:
    return lambda value: None if value.lower() in values else f"one of {', '.join(values)}"


def _seconds(value: str) -> str | None:
    good = re.fullmatch(r"\d{1,3}(\.\d+)?", value) and 0 < float(value) <= 60
    return None if good else "a number of seconds up to 60"


def _file(value: str) -> str | None:
    try:
        with Path(value).open("rb") as file:
            file.read(1)
    except (OSError, ValueError):
        return "a file that can be read"
    return None


def _check_certificates(options: dict[str, str]) -> None:
    """Load the files that the client loads for its first connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if "ssl_ca_certs" in options:
            context.load_verify_locations(cafile=options["ssl_ca_certs"])
    except ssl.SSLError:
        _refuse("ssl_ca_certs that holds no certificate", "name a file of PEM certificates")
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        _refuse("ssl_keyfile without ssl_certfile", "name both")
    if "ssl_certfile" in options:
        password = options.get("ssl_password", "")
        try:  # without a password here OpenSSL would prompt for one at the terminal
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"), lambda: password)
        except ssl.SSLError:
            _refuse("ssl_certfile and ssl_keyfile that are not a certificate and its key", "name a pair of PEM files")
