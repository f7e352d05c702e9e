"""How many connections this process can hold, by the files that it may open."""

from __future__ import annotations

import resource

MOST_CONNECTIONS = 2048
_OTHER_FILES = 256
"""For models, Redis, children, and answers that are read from disk."""


def most_connections() -> int:
    """As many as open files allow, of which as many are asked for as the system gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _OTHER_FILES
    if 0 <= soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, soft - min(_OTHER_FILES, soft // 2)))
