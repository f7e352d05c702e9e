"""What docker compose would start, without an engine: services by profile, the schema, and how they are hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ALWAYS = {"setup", "redis", "service", "proxy"}
PROFILES = {
    "": {"feed"},  # none is chosen
    "live": {"feed"},
    "demo": {"storms"},
    "retrain": {"retrain"},
    "schedule": {"scheduler"},
    "monitoring": {"prometheus", "grafana"},
}
GPU = ROOT / "docker" / "compose.gpu.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """As written, anchors and merges resolved, variables not."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_each_profile_has_exactly_its_services(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "profiles" not in service} == ALWAYS
    for profile, own in PROFILES.items():
        assert {name for name, service in services.items() if profile in service.get("profiles", [])} == own
    named = {profile for service in services.values() for profile in service.get("profiles", [])}
    assert named == set(PROFILES)


def test_the_feed_runs_where_no_profile_is_chosen(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert ("" in service.get("profiles", [])) is (name == "feed")


def _config(*options: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "compose", "--project-directory", str(ROOT), "--env-file", "/dev/null", "-f"]
    command += [str(ROOT / "docker-compose.yml"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


needs_compose = pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="needs docker compose (no engine)",
)


@needs_compose
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("chosen", [False, True])
def test_compose_lists_the_same(profile: str, chosen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_PROFILES", raising=False)
    if chosen:
        monkeypatch.setenv("COMPOSE_PROFILES", profile)
    answer = _config(*(("--profile", profile) if profile and not chosen else ()), "config", "--services")
    assert set(answer.stdout.split()) == ALWAYS | PROFILES[profile], answer.stderr


@needs_compose
def test_the_gpu_override_replaces_images_and_nothing_else() -> None:
    answer = _config("-f", str(GPU), "--profile", "retrain", "--profile", "schedule", "config")
    found = yaml.safe_load(answer.stdout)["services"]
    assert found["service"]["build"]["dockerfile"] == "docker/service-gpu.Dockerfile"
    assert found["service"]["environment"]["RAINCELL_PROVIDER"] == "cuda"
    assert found["setup"]["build"]["dockerfile"] == "docker/service.Dockerfile"
    assert found["retrain"]["build"]["args"]["TORCH_INDEX"] == ""
    for name in ("service", "retrain", "scheduler"):
        assert found[name]["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"


@pytest.mark.parametrize("file", ["docker-compose.yml", "docker/compose.gpu.yaml"])
def test_the_compose_files_follow_the_compose_specification(file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(ROOT / file)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_service_is_hardened(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"], name
        assert "privileged" not in service, name
        assert not any("docker.sock" in volume for volume in service.get("volumes", [])), name


def test_memory_is_bounded_and_tmp_with_it(services: dict[str, Any]) -> None:
    units = {"m": 1, "g": 1024}
    for name, service in services.items():
        limit = re.sub(r"^\$\{\w+:-(\w+)\}$", r"\1", service["mem_limit"])
        (tmp,) = service["tmpfs"]
        size = re.fullmatch(r"/tmp:size=(\d+)([mg]),mode=1777", tmp)
        assert size, name
        assert int(size[1]) * units[size[2]] < int(limit[:-1]) * units[limit[-1]], name
        assert service["pids_limit"] <= 1024


def test_what_runs_on_has_a_health_check_or_says_why_not(services: dict[str, Any]) -> None:
    without = {name for name, service in services.items() if service.get("healthcheck") == {"disable": True}}
    assert without == {"setup"}  # it ends
    own = {name for name, service in services.items() if "test" in service.get("healthcheck", {})}
    assert own == {"redis", "proxy", "feed", "storms", "scheduler", "prometheus", "grafana"}


def test_only_the_proxy_and_grafana_have_ports_and_on_this_machine_only(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(ports) == {"proxy", "grafana"}
    for port in [*ports["proxy"], *ports["grafana"]]:
        assert re.match(r"\$\{RAINCELL_\w+:-127\.0\.0\.1:\d+\}:\d+$", port)


def test_only_those_that_must_reach_the_outside(services: dict[str, Any]) -> None:
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"proxy", "feed", "grafana"}


def test_the_password_of_redis_is_in_no_file_and_in_no_environment(services: dict[str, Any]) -> None:
    assert services["redis"]["command"][:2] == ["redis-server", "/secrets/redis.conf"]
    for service in services.values():
        assert "RAINCELL_REDIS_URL" not in service.get("environment", {})
    assert "volatile-ttl" in services["redis"]["command"]


def test_anonymous_callers_read_and_predict(services: dict[str, Any]) -> None:
    environment = services["service"]["environment"]
    assert environment["RAINCELL_ALLOW_ANONYMOUS"] == "${RAINCELL_ALLOW_ANONYMOUS-read,predict}"
    assert "location /metrics { return 404; }" in (ROOT / "docker" / "proxy" / "nginx.conf").read_text()


def test_images_are_pinned_to_a_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert re.search(r"raincell-(service|training)\}|:[v\d]+[\d.]*(-alpine)?$", service["image"]), name
