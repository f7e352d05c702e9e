"""The service below a path of its host, e.g. /radar: routes are matched below the prefix, and links begin with it."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.types import Scope

from radar.errors import InvalidRequest

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})
"""Paths that need no key."""
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_LONGEST = 200


def root_path_of(scope: Scope) -> str:
    """The prefix of links: "" or e.g. "/radar"."""
    # Below a mounted folder root_path is the folder's, and app_root_path keeps the original.
    return str(scope.get("app_root_path", scope.get("root_path", "")))


def route_path(scope: Scope) -> str:
    """The path below the prefix, by which routes and scopes of API keys are chosen."""
    return str(scope["path"][len(root_path_of(scope)) :])


def check_prefix(prefix: str, source: str, taken: Collection[str] = ()) -> str:
    """A prefix without a slash at its end; "" and "/" mean no prefix.

    Raises
    ------
    InvalidRequest
        The prefix is not a path of plain segments, or its first one is the first of a route (`taken`): then a path does
        not show whether a proxy removed the prefix.
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
