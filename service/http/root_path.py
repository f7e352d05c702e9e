"""The service below a path of its host, e.g. /radar: its routes are told apart below the prefix, and links get it."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.types import Scope

from radar.errors import InvalidRequest

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})
"""Paths for everybody, whatever keys there are."""
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_LONGEST = 200


def root_path_of(scope: Scope) -> str:
    """What links begin with: "" or e.g. "/radar"."""
    # Below a mounted folder root_path is the folder's, and this one what it was before.
    return str(scope.get("app_root_path", scope.get("root_path", "")))


def route_path(scope: Scope) -> str:
    """The path below the prefix: that which routes and scopes of API keys are chosen by."""
    return str(scope["path"][len(root_path_of(scope)) :])


def check_prefix(prefix: str, source: str, taken: Collection[str] = ()) -> str:
    """A prefix without a slash at its end; "" and "/" are none.

    Raises
    ------
    InvalidRequest
        No path of plain segments; or its first one is the first of a route (`taken`), so that it would not be known
        whether a proxy took the prefix away.
    """
    bare = prefix.removesuffix("/")
    if bare and (len(bare) > _LONGEST or not _PREFIX.fullmatch(bare)):
        raise InvalidRequest(
            expected=f"a path such as /radar in {source}",
            got=ascii(prefix[:60]),
            remedy="begin it with one slash, and use letters, digits, dots, dashes, _ and ~; no host and no blank",
        )
    if bare and bare.split("/")[1] in taken:
        raise InvalidRequest(
            expected=f"a path in {source} that no route of the service begins with",
            got=bare[:60],
            remedy="name the prefix otherwise, e.g. /radar",
        )
    return bare
