"""API keys: long random texts of which only SHA-256 digests are kept, one key per line of a file.

    # name   scopes             requests per minute   digest
    office   read,predict       600                   sha256:9f86d081...
    feed     read,ingest        -                     sha256:60303ae2...

A plain digest suffices: nobody can try 2^256 keys, salted or not.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from radar.errors import RaincellError

READ, PREDICT, INGEST = "read", "predict", "ingest"
SCOPES = frozenset({READ, PREDICT, INGEST})
"""read: forecasts and stored frames; predict: the processor; ingest: frames that enter everybody's forecast."""
UNLIMITED = "-"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_PREFIX = "rc_"
_REREAD_SECONDS = 1.0
_logger = logging.getLogger("raincell.keys")


class KeysRejected(RaincellError):
    """A file of API keys that cannot be read."""


@dataclass(frozen=True)
class ApiKey:
    """The rights of one key.

    Parameters
    ----------
    per_minute : int or None
        Requests; None for any number.
    digest : str
        SHA-256 of the key in hexadecimal digits.
    """

    name: str
    scopes: frozenset[str]
    per_minute: int | None
    digest: str

    @property
    def line(self) -> str:
        """The key's line in a file of keys."""
        return f"{self.name} {','.join(sorted(self.scopes))} {self.per_minute or UNLIMITED} sha256:{self.digest}"


def make_key(name: str, scopes: Iterable[str], per_minute: int | None) -> tuple[str, ApiKey]:
    """A new key, and its stored form; raises KeysRejected for an invalid name or scope."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(name, frozenset(scopes), per_minute, _digest(secret))
    return secret, parse_keys(key.line)[0]


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of a file; raises KeysRejected, which names the line, never its content."""
    lines = [(number, line.split("#")[0].split()) for number, line in enumerate(text.splitlines(), 1)]
    keys = tuple(_key(number, fields) for number, fields in lines if fields)
    names = [key.name for key in keys]
    if len(set(names)) < len(names):
        raise _rejected("one line for each name", "a name twice")
    return keys


class KeyFile:
    """The keys of a file, which is read again when it changes, so that keys change without a restart.

    If the file disappears or becomes invalid, the keys stay unchanged, and an error is logged.

    Raises
    ------
    KeysRejected
        The file cannot be read at the start.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._state = self._stat()
        self._keys = self._read()

    def find(self, secret: str) -> ApiKey | None:
        """The key of that text, compared with every digest in constant time; None if it is unknown."""
        self._look()
        digest = _digest(secret)
        found = [key for key in self._keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None

    def _look(self) -> None:
        if self._clock() - self._looked_at < _REREAD_SECONDS:
            return
        self._looked_at = self._clock()
        state = self._stat()
        if state == self._state:
            return
        self._state = state
        try:
            self._keys = self._read()
            _logger.info("API keys read again: %d", len(self._keys))
        except KeysRejected as error:
            _logger.error("API keys stay as they were: %s", error)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> tuple[ApiKey, ...]:
        try:
            text = self._path.read_text("utf-8")
        except (OSError, UnicodeError) as error:
            raise _rejected("a readable file", type(error).__name__) from None
        return parse_keys(text)


def _key(number: int, fields: list[str]) -> ApiKey:
    if len(fields) != 4:
        raise _rejected("name, scopes, requests per minute and digest", f"{len(fields)} fields in line {number}")
    name, scopes, per_minute, digest = fields
    matched = _DIGEST.fullmatch(digest)
    if matched is None:
        raise _rejected("sha256: and 64 hexadecimal digits", f"another digest in line {number}")
    if not _NAME.fullmatch(name):
        raise _rejected("a name of at most 40 letters, digits, dots and dashes", f"another in line {number}")
    if not scopes or not set(scopes.split(",")) <= SCOPES:
        raise _rejected("scopes of read, predict, ingest, with commas and no spaces", f"others in line {number}")
    if per_minute != UNLIMITED and not re.fullmatch("[1-9][0-9]{0,8}", per_minute):
        raise _rejected(f"requests per minute, or {UNLIMITED} for any number", f"another text in line {number}")
    limit = None if per_minute == UNLIMITED else int(per_minute)
    return ApiKey(name, frozenset(scopes.split(",")), limit, matched[1])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _rejected(expected: str, got: str) -> KeysRejected:
    return KeysRejected(
        expected=f"{expected} in the file of API keys",
        got=got,
        remedy="make lines with python -m service key NAME --scopes read,predict; see docs/how-to/api-keys.md",
    )
