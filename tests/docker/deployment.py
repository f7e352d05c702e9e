"""A compose project on a Docker engine, and questions to it through its proxy: what compose_run.py works with."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT = "raincell-test"
URL = "http://127.0.0.1:18000"
PLACE = "/nowcast/point?lat=52.52&lon=13.40"
MODEL = "rain"
QUEUE = 5
"""A setting that docker-compose.yml knows nothing of."""


class Failed(Exception):
    """Something does not hold."""


class Deployment:
    """The project on the engine."""

    def __init__(self, overrides: list[str], retrain: Path, inbox: Path) -> None:
        self.inbox = inbox
        files = [ROOT / "docker-compose.yml", *map(Path, overrides)]
        settings = inbox.with_name("settings")  # an operator's `.env` beside docker-compose.yml is not this project's
        settings.write_text(f"RAINCELL_QUEUE={QUEUE}\n")
        self._command = ["docker", "compose", "-p", PROJECT, "--project-directory", str(ROOT)]
        self._command += ["--env-file", str(settings)]
        for file in files:
            self._command += ["-f", str(file)]
        self._environment = os.environ | {
            "COMPOSE_PROFILES": "demo",
            "RAINCELL_ENV_FILE": str(settings),
            "RAINCELL_HTTP": "127.0.0.1:18000",
            "RAINCELL_HTTPS": "127.0.0.1:18443",
            "RAINCELL_REPLICAS": "2",
            "RAINCELL_DEMO_HOURS": "7",
            "RAINCELL_ANONYMOUS_PER_MINUTE": "1000000",
            "RAINCELL_SOURCE": "/inbox/radolan",
            "RAINCELL_PRODUCT": "RY",
            "RAINCELL_INBOX": str(inbox),
            "RAINCELL_RETRAIN_MODEL": MODEL,
            "RAINCELL_RETRAIN_CONFIG": str(retrain),
            "RAINCELL_COMMIT": output("git", "-C", str(ROOT), "describe", "--always", "--dirty") or "unknown",
        }

    def compose(self, *arguments: str, check: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run docker compose; `text` is its input."""
        answer = subprocess.run(
            [*self._command, *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )
        if check and answer.returncode:
            raise Failed(f"docker compose {' '.join(arguments)}: {answer.stderr[-3000:]} {answer.stdout[-3000:]}")
        return answer

    def python(self, service: str, code: str) -> str:
        """What Python prints inside a container."""
        return self.compose("exec", "-T", service, "python", "-c", code).stdout

    def container(self, service: str) -> str:
        """The id of a service's first container."""
        return self.compose("ps", "-q", service).stdout.split()[0]


def until(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float) -> Any:
    """What `look` finds once it is good; raises Failed after so many seconds."""
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            found = look()
            if good(found):
                return found
        except (OSError, ValueError, KeyError) as error:
            found = error
        time.sleep(0.5)
    raise Failed(f"waited {seconds:g} s in vain, last: {str(found)[:500]}")


def hold(holds: bool, what: str) -> None:
    """Raise Failed unless it does."""
    if not holds:
        raise Failed(f"does not hold: {what}")


def get_json(path: str, method: str = "GET") -> dict[str, Any]:
    """What the proxy answers."""
    with urllib.request.urlopen(urllib.request.Request(URL + path, method=method), timeout=130) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def status_of(path: str, method: str = "GET") -> int | str:
    """The status of the whole answer, or what went wrong with the connection."""
    try:
        with urllib.request.urlopen(urllib.request.Request(URL + path, method=method), timeout=130) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def output(*command: str) -> str:
    """What a command prints, whatever its status; of docker logs both streams."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (answer.stdout + (answer.stderr if command[:2] == ("docker", "logs") else "")).strip()
