"""The number of connections that this process can hold, by its limit of open files."""

from __future__ import annotations

import resource

MOST_CONNECTIONS = 2048
_OTHER_FILES = 256
"""Files reserved for models, Redis, children, and answers that are read from disk."""


def most_connections() -> tuple[int, int]:
    """The most connections by open files, and how many may be accepted at once before excess ones are ended.

    The limit of open files is raised as far as needed and as the system permits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _OTHER_FILES
    if 0 <= soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    others = _OTHER_FILES if soft == resource.RLIM_INFINITY else min(_OTHER_FILES, soft // 2)
    most = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft - others)
    return max(1, most), max(1, others // 4)
