"""make compose-test: the whole deployment on a Docker engine, from build to `down -v`, with what must hold in between.

    python -m tests.docker.compose_run [--override FILE.yaml ...] [--no-build] [--keep]

Needs docker compose and nothing else. It is a project of its own, raincell-test, on ports of its own, so that a
deployment on the same machine stays as it is. --override files are put over docker-compose.yml, for an engine with
needs of its own; RAINCELL_COMPOSE_OVERRIDE names them too, with colons. The exit status is 0 if all holds.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from tests.docker.attacks import attack
from tests.docker.deployment import (
    MODEL,
    PLACE,
    PROJECT,
    QUEUE,
    ROOT,
    Deployment,
    Failed,
    get_json,
    hold,
    output,
    status_of,
    until,
)
from tests.docker.load import Load

# A retraining of a minute or two that passes its gate: what it begins with, smoothed extrapolation, has a smaller RMSE
# than extrapolation, and the champion is poor.
RETRAIN = """
start = "anew"
accept = "promote"
test_starts = 6
[parts]
block_hours = 1
separation_hours = 0.25
windows = 12
validation_windows = 3
tile = 96
[optimiser]
iterations = 10
batch = 2
crop = 64
validate_every = 5
save_every = 5
warm_up = 1
[gate]
latency_ratio = 100.0
fewest_blocks = 2.0
score = "rmse"
heavy_margin = 10.0
must_beat = ["persistence"]
"""


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
        inbox = Path(folder, "inbox")
        inbox.mkdir()
        inbox.chmod(0o777)  # containers write there as another user
        Path(folder).chmod(0o755)
        deployment = Deployment(options.override, config, inbox)
        try:
            _steps(deployment, options)
        except Failed as error:
            print(f"FAILED: {error}", flush=True)
            print(deployment.compose("logs", "--tail", "20", check=False).stdout[-8000:])
            return 1
        finally:
            if not options.keep:
                deployment.compose("--profile", "*", "down", "-v", check=False)
    print("all holds")
    return 0


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
    with _step("what hurts others, through the proxy"):
        attack(deployment)
    _monitoring(deployment)
    _redis(deployment)
    _killed_replica(deployment)
    _retraining(deployment)
    _scheduler(deployment)
    _live(deployment)
    with _step("one replica alone, from start to ready"):
        print(f"      {_start_to_ready(deployment):.1f} s")
    if not options.keep:
        with _step("down -v leaves nothing"):
            deployment.compose("--profile", "*", "down", "-v")
            _remnants("after")


def _images() -> None:
    for name in ("raincell-service", "raincell-training"):
        size = int(output("docker", "image", "inspect", "-f", "{{.Size}}", name) or "0")
        user = output("docker", "image", "inspect", "-f", "{{.Config.User}}", name)
        labels = json.loads(output("docker", "image", "inspect", "-f", "{{json .Config.Labels}}", name) or "{}")
        hold(size > 0 and user == "10001", f"{name} is there and runs as 10001")
        hold(name != "raincell-service" or size <= 700e6, f"{name} has at most 700 MB, got {size / 1e6:.0f}")
        said = {key.rpartition(".")[2]: value for key, value in labels.items()}
        print(f"      {name} {size / 1e6:.0f} MB, version {said.get('version')}, commit {said.get('revision')}")


def _answers(deployment: Deployment) -> None:
    with _step("a forecast at Berlin through the proxy"):
        answer = until(lambda: get_json(PLACE), lambda answer: answer.get("method") == "model", 120)
        place = answer["places"][0] if "places" in answer else answer
        hold(len(place["forecast"]) == 24, "24 steps of five minutes")
        print(f"      {answer['run']}: {place.get('starts_in_minutes')} min to rain, degraded {answer['degraded']}")
    with _step("/docs through the proxy; /metrics and writes do not pass"):
        hold(status_of("/docs") == 200, "/docs is there")
        hold(status_of("/metrics") == 404 and status_of("/metrics/") == 404, "/metrics is not public")
        hold(status_of("/frames", "POST") == 401, "frames need a key")
        hold(status_of("/predict?product=DEMO&lead_minutes=5&encoding=none", "POST") == 200, "anybody predicts")
    with _step("/metrics inside"):
        text = deployment.python(
            "service",
            "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/metrics').read().decode())",
        )
        hold('raincell_newest_frame_age_seconds{grid="radolan",product="DEMO"}' in text, "the age of frames")
    with _step("a setting of the operator's file is in force in every replica"):
        hold(f"raincell_places {QUEUE}.0" in text, f"{QUEUE} places for forecasts")
        for service in ("service", "storms"):
            said = deployment.python(service, "import os; print(os.environ['RAINCELL_QUEUE'])").strip()
            hold(said == str(QUEUE), f"{service} has it")


def _monitoring(deployment: Deployment) -> None:
    with _step("Prometheus scrapes both replicas and has its rules"):
        deployment.compose("--profile", "monitoring", "up", "-d", "--wait", "--no-build", "--no-deps", "prometheus")
        query = 'sum(up{job="raincell"})'
        until(lambda: _prometheus(deployment, f"query?query={query}"), lambda found: '"2"' in found, 90)
        rules = json.loads(_prometheus(deployment, "rules"))["data"]["groups"][0]["rules"]
        hold(all(rule["health"] in ("ok", "unknown") for rule in rules), "all rules can be evaluated")
        print(f"      {len(rules)} rules")
    with _step("Prometheus answers what the dashboard asks"):
        panels = json.loads((ROOT / "docker/monitoring/grafana/dashboards/raincell.json").read_text())["panels"]
        asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
        answers = {query: _prometheus(deployment, f"query?query={quote(query)}") for query in asked}
        refused = [query for query, answer in answers.items() if '"success"' not in answer]
        hold(not refused, f"all {len(asked)} questions are understood, not {refused}")
        told = {query for query, answer in answers.items() if '"value"' in answer}
        hold({asked[0], 'sum(up{job="raincell"})'} <= told, "the age of frames and the replicas are there")
        print(f"      {len(told)} of {len(asked)} have data so far")


def _prometheus(deployment: Deployment, path: str) -> str:
    asked = f"http://127.0.0.1:9090/api/v1/{path}"
    return deployment.compose("exec", "-T", "prometheus", "wget", "-q", "-O", "-", asked, check=False).stdout


def _redis(deployment: Deployment) -> None:
    with _step("Redis stopped: degraded answers"):
        deployment.compose("stop", "redis")
        answer = until(lambda: get_json(PLACE), lambda answer: bool(answer["degraded"]), 60)
        print(f"      {answer['degraded']}")
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            hold(status_of(PLACE) == 200, "every answer is 200")
            slowest = max(slowest, time.monotonic() - began)
        print(f"      20 answers, the slowest {slowest:.1f} s")
    with _step("Redis started: all is well"):
        deployment.compose("start", "redis")
        until(lambda: [get_json(PLACE)["degraded"] for _ in range(6)], lambda said: not any(said), 120)


def _killed_replica(deployment: Deployment) -> None:
    with _step("one of two replicas killed under load"):
        load = Load()
        with load.running():
            load.wait_for(300)
            output("docker", "kill", deployment.container("service"))
            before = load.answered
            load.wait_for(before + 600)
        print(f"      {load.answered} requests, the slowest {load.slowest:.1f} s, failed: {load.failures[:5]}")
        hold(not load.failures, "no request failed at the proxy")
    with _step("the replica comes back"):
        deployment.compose("up", "-d", "--wait", "--no-build")


def _retraining(deployment: Deployment) -> None:
    with _step("retraining, one-shot, from the archive of the demo"):
        champion = Path(__file__).with_name("poor_champion.py").read_text()
        profile = ("--profile", "retrain", "run", "--rm", "-T")
        deployment.compose(*profile, "retrain", "python", "-", "/models", text=champion)
        answer = deployment.compose(*profile, "retrain")
        rules = [
            line for line in answer.stdout.splitlines() if line.startswith(("| yes", "| NO")) or "champion" in line
        ]
        print("      " + "\n      ".join(rules[-10:]))
    with _step("its model is served"):
        version = json.loads(deployment.python("service", f"print(open('/models/{MODEL}/aliases.json').read())"))[
            "champion"
        ]
        hold(version != "1", "the new version is champion")
        asked = f"/predict?product=DEMO&model={MODEL}&lead_minutes=10&encoding=none"
        until(lambda: get_json(asked, "POST"), lambda answer: answer.get("version") == version, 60)
        print(f"      {MODEL} {version}")


def _scheduler(deployment: Deployment) -> None:
    with _step("the scheduler is healthy, and ends when told to"):
        profile = ("--profile", "schedule")
        deployment.compose(*profile, "up", "-d", "--wait", "--no-build", "--no-deps", "scheduler")
        deployment.compose(*profile, "stop", "scheduler")
        container = deployment.compose(*profile, "ps", "-aq", "scheduler").stdout.strip()
        hold(output("docker", "inspect", "-f", "{{.State.ExitCode}}", container) == "0", "its exit status is 0")


def _live(deployment: Deployment) -> None:
    with _step("the live profile follows a folder: runs of product RY"):
        folder = ("-v", f"{deployment.inbox}:/out")
        deployment.compose("run", "--rm", "-T", "--no-deps", *folder, "setup", "python", "-m", "radar", "demo", "/out")
        deployment.compose("--profile", "live", "up", "-d", "--wait", "--no-build", "feed")
        run = until(lambda: get_json("/nowcast?product=RY"), lambda answer: answer["method"] == "model", 120)
        print(f"      {run['run']}")


def _start_to_ready(deployment: Deployment) -> float:
    """Seconds from the start of the process to the moment that it listens, with everything else but Redis stopped."""
    deployment.compose("--profile", "*", "stop", "storms", "feed", "prometheus", "proxy", "service")
    deployment.compose("up", "-d", "--wait", "--no-build", "--no-deps", "--scale", "service=1", "service")
    container = deployment.container("service")
    began = datetime.fromisoformat(output("docker", "inspect", "-f", "{{.State.StartedAt}}", container)[:23] + "+00:00")
    log = output("docker", "logs", "--since", began.isoformat(), container)
    (listens, *_) = re.findall(r'"time": "([^"]+)"[^\n]*Uvicorn running', log)
    return (datetime.fromisoformat(listens.replace("Z", "+00:00")) - began).total_seconds()


def _remnants(when: str) -> None:
    label = f"label=com.docker.compose.project={PROJECT}"
    for kind in (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q")):
        found = output("docker", *kind, "--filter", label)
        hold(not found, f"no {kind[0]} of {PROJECT} {when}: {found}")


@contextmanager
def _step(name: str) -> Iterator[None]:
    print(f"...   {name}", flush=True)
    began = time.monotonic()
    yield
    print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
