"""make compose-test: the whole deployment on a Docker engine, from build to `down -v`, with what must hold in between.

    python docker/compose_test.py [--override FILE.yaml ...] [--no-build] [--keep]

Needs docker compose and nothing else. It is a project of its own, raincell-test, on ports of its own, so that a
deployment on the same machine stays as it is. --override files are put over docker-compose.yml, for an engine with
needs of its own; RAINCELL_COMPOSE_OVERRIDE names them too, with colons. The exit status is 0 if all holds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROJECT = "raincell-test"
URL = "http://127.0.0.1:18000"
PLACE = "/nowcast/point?lat=52.52&lon=13.40"
MODEL = "rain"
RETRAIN = """
start = "anew"
accept = "promote"
test_starts = 12
[parts]
block_hours = 1
separation_hours = 0.25
windows = 24
validation_windows = 6
tile = 128
[optimiser]
iterations = 20
batch = 2
crop = 64
validate_every = 10
save_every = 10
warm_up = 1
[gate]
latency_ratio = 100.0
fewest_blocks = 2.0
threshold = 0.5
heavy_threshold = 2.0
heavy_margin = 10.0
"""


class Failed(Exception):
    """Something does not hold."""


def main() -> int:
    """Run all steps; tear down whatever comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = [file for file in os.environ.get("RAINCELL_COMPOSE_OVERRIDE", "").split(":") if file]
    parser.add_argument("--override", action="append", default=named, metavar="FILE.yaml")
    parser.add_argument("--no-build", action="store_true", help="take the images that are there")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, to look at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "retrain.toml")
        config.write_text(RETRAIN)
        Path(folder).chmod(0o755)
        deployment = Deployment(options.override, config)
        try:
            _steps(deployment, options)
        except Failed as error:
            print(f"FAILED: {error}", flush=True)
            print(deployment.compose("logs", "--tail", "20", check=False).stdout[-8000:])
            return 1
        finally:
            if not options.keep:
                deployment.compose("down", "-v", "--remove-orphans", check=False)
    print("all holds")
    return 0


class Deployment:
    """The project on the engine."""

    def __init__(self, overrides: list[str], retrain: Path) -> None:
        files = [ROOT / "docker-compose.yml", *map(Path, overrides)]
        self._command = ["docker", "compose", "-p", PROJECT, "--project-directory", str(ROOT)]
        for file in files:
            self._command += ["-f", str(file)]
        self._environment = os.environ | {
            "COMPOSE_PROFILES": "demo",
            "RAINCELL_HTTP": "127.0.0.1:18000",
            "RAINCELL_HTTPS": "127.0.0.1:18443",
            "RAINCELL_REPLICAS": "2",
            "RAINCELL_DEMO_HOURS": "8",
            "RAINCELL_ANONYMOUS_PER_MINUTE": "1000000",
            "RAINCELL_RETRAIN_MODEL": MODEL,
            "RAINCELL_RETRAIN_CONFIG": str(retrain),
            "RAINCELL_COMMIT": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty") or "unknown",
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


def _steps(deployment: Deployment, options: argparse.Namespace) -> None:
    _remnants("before")
    if not options.no_build:
        with _step("images are built"):
            deployment.compose("--profile", "retrain", "build")
    with _step("images"):
        _images()
    with _step("up -d --wait in the demo profile"):
        deployment.compose("up", "-d", "--wait", "--no-build")
    _answers(deployment)
    _monitoring(deployment)
    _redis(deployment)
    _killed_replica(deployment)
    _retraining(deployment)
    with _step("one replica alone, from start to ready"):
        print(f"      {_start_to_ready(deployment):.1f} s")
    if not options.keep:
        with _step("down -v leaves nothing"):
            deployment.compose("--profile", "*", "down", "-v")
            _remnants("after")


def _images() -> None:
    for name in ("raincell-service", "raincell-training"):
        size = int(_output("docker", "image", "inspect", "-f", "{{.Size}}", name) or "0")
        user = _output("docker", "image", "inspect", "-f", "{{.Config.User}}", name)
        labels = json.loads(_output("docker", "image", "inspect", "-f", "{{json .Config.Labels}}", name) or "{}")
        _hold(size > 0 and user == "10001", f"{name} is there and runs as 10001")
        said = {key.rpartition(".")[2]: value for key, value in labels.items()}
        print(f"      {name} {size / 1e6:.0f} MB, version {said.get('version')}, commit {said.get('revision')}")


def _answers(deployment: Deployment) -> None:
    with _step("a forecast at Berlin through the proxy"):
        answer = _until(lambda: _json(PLACE), lambda answer: answer.get("method") == "model", 120)
        place = answer["places"][0] if "places" in answer else answer
        _hold(len(place["forecast"]) == 24, "24 steps of five minutes")
        print(f"      {answer['run']}: {place.get('starts_in_minutes')} min to rain, degraded {answer['degraded']}")
    with _step("/docs through the proxy; /metrics and writes do not pass"):
        _hold(_status("/docs") == 200, "/docs is there")
        _hold(_status("/metrics") == 404 and _status("/metrics/") == 404, "/metrics is not public")
        _hold(_status("/frames", "POST") == 401, "frames need a key")
        _hold(_status("/predict?product=DEMO&lead_minutes=5&encoding=none", "POST") == 200, "anybody predicts")
    with _step("/metrics inside"):
        text = deployment.python(
            "service",
            "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/metrics').read().decode())",
        )
        _hold('raincell_newest_frame_age_seconds{grid="radolan",product="DEMO"}' in text, "the age of frames")


def _monitoring(deployment: Deployment) -> None:
    with _step("Prometheus scrapes both replicas and has its rules"):
        deployment.compose("--profile", "monitoring", "up", "-d", "--wait", "--no-build", "--no-deps", "prometheus")
        query = 'sum(up{job="raincell"})'
        _until(lambda: _prometheus(deployment, f"query?query={query}"), lambda found: '"2"' in found, 90)
        rules = json.loads(_prometheus(deployment, "rules"))["data"]["groups"][0]["rules"]
        _hold(all(rule["health"] in ("ok", "unknown") for rule in rules), "all rules can be evaluated")
        print(f"      {len(rules)} rules")


def _prometheus(deployment: Deployment, path: str) -> str:
    asked = f"http://127.0.0.1:9090/api/v1/{path}"
    return deployment.compose("exec", "-T", "prometheus", "wget", "-q", "-O", "-", asked, check=False).stdout


def _redis(deployment: Deployment) -> None:
    with _step("Redis stopped: degraded answers"):
        deployment.compose("stop", "redis")
        answer = _until(lambda: _json(PLACE), lambda answer: bool(answer["degraded"]), 60)
        print(f"      {answer['degraded']}")
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            _hold(_status(PLACE) == 200, "every answer is 200")
            slowest = max(slowest, time.monotonic() - began)
        print(f"      20 answers, the slowest {slowest:.1f} s")
    with _step("Redis started: all is well"):
        deployment.compose("start", "redis")
        _until(lambda: [_json(PLACE)["degraded"] for _ in range(6)], lambda said: not any(said), 120)


def _killed_replica(deployment: Deployment) -> None:
    with _step("one of two replicas killed under load"):
        load = Load()
        with load.running():
            load.wait_for(300)
            _output("docker", "kill", deployment.container("service"))
            before = load.answered
            load.wait_for(before + 600)
        print(f"      {load.answered} requests, the slowest {load.slowest:.1f} s, failed: {load.failures[:5]}")
        _hold(not load.failures, "no request failed at the proxy")
    with _step("the replica comes back"):
        deployment.compose("up", "-d", "--wait", "--no-build")


def _retraining(deployment: Deployment) -> None:
    with _step("retraining, one-shot, from the archive of the demo"):
        champion = (ROOT / "docker" / "poor_champion.py").read_text()
        profile = ("--profile", "retrain", "run", "--rm", "-T")
        deployment.compose(*profile, "retrain", "python", "-", "/models", text=champion)
        answer = deployment.compose(*profile, "retrain")
        print("      " + "\n      ".join(answer.stdout.strip().splitlines()[:14]))
    with _step("its model is served"):
        version = json.loads(deployment.python("service", f"print(open('/models/{MODEL}/aliases.json').read())"))[
            "champion"
        ]
        _hold(version != "1", "the new version is champion")
        asked = f"/predict?product=DEMO&model={MODEL}&lead_minutes=10&encoding=none"
        _until(lambda: _json(asked, "POST"), lambda answer: answer.get("version") == version, 60)
        print(f"      {MODEL} {version}")


def _start_to_ready(deployment: Deployment) -> float:
    """Seconds from the start of the process to the moment that it listens, with everything else but Redis stopped."""
    deployment.compose("stop", "storms", "prometheus", "proxy", "service", check=False)
    deployment.compose("up", "-d", "--wait", "--no-build", "--no-deps", "--scale", "service=1", "service")
    container = deployment.container("service")
    began = datetime.fromisoformat(
        _output("docker", "inspect", "-f", "{{.State.StartedAt}}", container)[:23] + "+00:00"
    )
    log = _output("docker", "logs", "--since", began.isoformat(), container)
    (listens, *_) = re.findall(r'"time": "([^"]+)"[^\n]*Uvicorn running', log)
    return (datetime.fromisoformat(listens.replace("Z", "+00:00")) - began).total_seconds()


class Load:
    """Callers that go on until told to stop: places and runs mostly, and forecasts that take a while."""

    PATHS = ((PLACE, "GET"), (PLACE, "GET"), ("/nowcast", "GET"), ("/readyz", "GET"))
    SLOW = (("/predict?product=DEMO&lead_minutes=5&encoding=none", "POST"),)

    def __init__(self) -> None:
        self.answered, self.slowest = 0, 0.0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Six callers for as long as the block takes."""
        asked = [self.PATHS] * 5 + [self.SLOW]
        threads = [threading.Thread(target=self._call, args=(paths,)) for paths in asked]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def wait_for(self, answered: int) -> None:
        """Until so many were answered, or a minute and a half has passed."""
        deadline = time.monotonic() + 90
        while self.answered < answered and time.monotonic() < deadline:
            time.sleep(0.05)

    def _call(self, paths: tuple[tuple[str, str], ...]) -> None:
        while not self._stop.is_set():
            for path, method in paths:
                began = time.monotonic()
                status = _status(path, method)
                with self._lock:
                    self.answered += 1
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    if status != 200:
                        self.failures.append(f"{method} {path}: {status}")


def _remnants(when: str) -> None:
    label = f"label=com.docker.compose.project={PROJECT}"
    for kind in (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q")):
        found = _output("docker", *kind, "--filter", label)
        _hold(not found, f"no {kind[0]} of {PROJECT} {when}: {found}")


@contextmanager
def _step(name: str) -> Iterator[None]:
    print(f"...   {name}", flush=True)
    began = time.monotonic()
    yield
    print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)


def _until(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float) -> Any:  # noqa: ANN401
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


def _hold(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(f"does not hold: {what}")


def _json(path: str, method: str = "GET") -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(URL + path, method=method), timeout=130) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _status(path: str, method: str = "GET") -> int | str:
    try:
        with urllib.request.urlopen(urllib.request.Request(URL + path, method=method), timeout=130) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def _output(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (answer.stdout + (answer.stderr if command[:2] == ("docker", "logs") else "")).strip()


if __name__ == "__main__":
    sys.exit(main())
