"""Alert rules and dashboard ask for metrics that the service has, and every alert is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from service.feed.metrics import FeedMetrics
from tests.service.conftest import Client

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "docker" / "monitoring"
_OF_PROMETHEUS = {"up"}
_WORD = re.compile(r"\b(?:raincell_|process_)\w+|\bup\b")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "raincell.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


@pytest.fixture
def exposed(make_client: Callable[..., Client], tmp_path: Path) -> set[str]:
    """Every name that the /metrics of service and feed have, samples of histograms included."""
    client = make_client(verification=tmp_path)
    text = client.get("/metrics").text + generate_latest(FeedMetrics().registry).decode()
    declared = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    names = {name for name, _ in declared}
    for name, kind in declared:
        if kind == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def test_every_metric_that_is_asked_for_is_there(exposed: set[str]) -> None:
    asked = {name for expression in expressions() for name in _WORD.findall(expression)}
    assert len(asked) > 12
    assert asked - exposed - _OF_PROMETHEUS == set()


def test_labels_that_are_asked_for_are_documented() -> None:
    documents = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    builtin = {"le", "job", "instance"}
    for expression in expressions():
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            for label in re.split(r",\s*", labels):
                assert label in builtin or f"`{label}`" in documents, (label, expression)


def test_every_alert_is_explained_with_what_to_do() -> None:
    operations = (ROOT / "docs" / "how-to" / "respond-to-alerts.md").read_text()
    for rule in rules():
        assert f"| `{rule['alert']}` |" in operations


def test_the_dashboard_shows_what_it_must() -> None:
    text = " ".join(expressions())
    for name in ("newest_frame_age_seconds", "http_request_seconds", "http_requests_total", "live_skill", "live_csi"):
        assert f"raincell_{name}" in text
