"""The service as `python -m service`, on a machine whose clock is wrong by as much as a file says, in seconds.

python shifted_clock.py FILE run --port ...
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path

_FILE = Path(sys.argv[1])
_right_time = time.time


def _time() -> float:
    return _right_time() + float(_FILE.read_text())


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
        return datetime.datetime.fromtimestamp(_time(), tz)


if __name__ == "__main__":
    import service.context
    from service.__main__ import main

    time.time = _time
    service.context.datetime = _Datetime  # type: ignore[attr-defined]
    sys.exit(main(sys.argv[2:]))
