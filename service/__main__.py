"""python -m service run [--host HOST] [--port PORT]; everything else is set by RAINCELL_* variables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from radar.errors import RaincellError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service; the exit status is 1 if it could not start."""
    parser = argparse.ArgumentParser(prog="python -m service", description="Rain nowcasts over HTTP.")
    run = parser.add_subparsers(dest="command", required=True).add_parser("run", help="serve until stopped")
    run.add_argument("--host", help="where to listen (RAINCELL_HOST, 127.0.0.1)")
    run.add_argument("--port", type=int, help="where to listen (RAINCELL_PORT, 8000)")
    options = parser.parse_args(arguments)
    given = {name: value for name in ("host", "port") if (value := getattr(options, name)) is not None}

    from service.app import serve
    from service.settings import Settings

    try:
        serve(Settings(**given))
    except ValidationError as error:
        faults = "; ".join(f"RAINCELL_{fault['loc'][0]}".upper() + f": {fault['msg']}" for fault in error.errors())
        return _refuse(faults)
    except RaincellError as error:
        return _refuse(str(error))
    return 0


def _refuse(why: str) -> int:
    print(f"raincell does not start: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
