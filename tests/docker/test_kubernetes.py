"""The Kubernetes manifests: the published schemas, and that they name what is there. No cluster is asked."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from starlette.routing import Mount, Route

from service.app import create_app
from service.first_start import make_secrets
from service.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
DOCUMENTED = ROOT / "docs" / "how-to" / "kubernetes.md"
VERSIONS = ("1.30", "1.37")
"""The oldest that the manifests are for, and the newest whose schemas the package carries."""

PODS = {"Job": ("spec", "template"), "CronJob": ("spec", "jobTemplate", "spec", "template")}
LONG_RUNNING = ("service", "feed", "redis")


def documents() -> Iterator[dict[str, Any]]:
    for file in FILES:
        yield from yaml.safe_load_all(file.read_text())


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (thing for thing in documents() if (thing["kind"], thing["metadata"]["name"]) == (kind, name))
    return found


def template(thing: dict[str, Any]) -> dict[str, Any]:
    """The pod that a workload makes."""
    for step in PODS.get(thing["kind"], ("spec", "template")):
        thing = thing[step]
    return thing


WORKLOADS = {
    thing["metadata"]["name"]: thing for thing in documents() if thing["kind"] in ("Deployment", "Job", "CronJob")
}
every_workload = pytest.mark.parametrize("name", WORKLOADS)


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = template(WORKLOADS[name])["spec"]
    return found


def container(name: str) -> dict[str, Any]:
    (found,) = pod(name)["containers"]
    return dict(found)


def environment(name: str) -> dict[str, str]:
    """What the files give to a container: those of the ConfigMaps that are there, then its own."""
    found: dict[str, str] = {}
    for source in container(name).get("envFrom", []):
        if source["configMapRef"]["name"] == "defaults":
            found |= one("ConfigMap", "defaults")["data"]
    return found | {variable["name"]: variable["value"] for variable in container(name).get("env", [])}


def test_there_is_what_a_deployment_needs() -> None:
    kinds = [(thing["kind"], thing["metadata"]["name"]) for thing in documents()]
    assert len(kinds) == len(set(kinds))
    assert set(WORKLOADS) == {"setup", "redis", "service", "feed", "retrain", "guard"}
    assert {name for kind, name in kinds if kind == "PersistentVolumeClaim"} == {"archive", "models", "verification"}
    assert ("Secret", "raincell") not in kinds  # made by hand: no file has a password
    for thing in documents():
        assert thing["kind"] == "Namespace" or thing["metadata"]["namespace"] == "raincell"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_the_published_schemas(file: Path, version: str) -> None:
    for thing in yaml.safe_load_all(file.read_text()):
        assert kubernetes_validate.validate(thing, version, strict=True) == version


def test_the_schemas_find_a_wrong_field() -> None:
    thing = one("Deployment", "service")
    thing["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(thing, VERSIONS[0], strict=True)


@every_workload
def test_pods_are_hardened(name: str) -> None:
    spec, inner = pod(name), container(name)["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == (999 if name == "redis" else 10001)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert inner == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("hostPath" in volume for volume in spec["volumes"])
    assert set(container(name)["resources"]) == {"requests", "limits"}
    assert "memory" in container(name)["resources"]["limits"]
    assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume)


@every_workload
def test_names_of_services_become_no_settings(name: str) -> None:
    assert pod(name)["enableServiceLinks"] is False
    services = [thing["metadata"]["name"] for thing in documents() if thing["kind"] == "Service"]
    assert not any(service.startswith("raincell") for service in services)


@every_workload
def test_variables_are_settings_with_values_that_they_take(name: str) -> None:
    known = {f"RAINCELL_{field.upper()}": field for field in Settings.model_fields}
    named = environment(name)
    assert set(named) <= set(known) | {"RAINCELL_SECRETS"}
    assert "RAINCELL_REDIS_URL" not in named
    Settings(**{known[key]: value for key, value in named.items() if key in known})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["service", "feed"])
def test_an_operators_settings_go_before_the_defaults_and_no_upgrade_brings_them(name: str) -> None:
    last = container(name)["envFrom"][-1]
    assert last == {"configMapRef": {"name": "settings", "optional": True}}
    assert ("ConfigMap", "settings") not in [(thing["kind"], thing["metadata"]["name"]) for thing in documents()]
    own = {variable["name"].removeprefix("RAINCELL_") for variable in container(name)["env"]}
    of_files = {"HOST", "PORT", "SECRETS", "API_KEYS", "MODEL_REPOSITORY", "ARCHIVE", "SHUTDOWN_SECONDS"}
    assert own <= of_files | {"FEED_METRICS_HOST", "FEED_METRICS_PORT"}
    assert "create configmap settings --from-env-file=" in DOCUMENTED.read_text()


@every_workload
def test_images_are_those_that_are_built(name: str) -> None:
    image = container(name)["image"]
    if name == "redis":
        compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        assert image == compose["services"]["redis"]["image"]
        assert container(name)["command"][:-3] == compose["services"]["redis"]["command"][:-3]
        return
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    title = image.removeprefix("registry.example/").removesuffix(f":{version}")
    dockerfile = ROOT / "docker" / f"{title.removeprefix('raincell-')}.Dockerfile"
    assert f'image.title="{title}"' in dockerfile.read_text()


@every_workload
def test_commands_are_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "redis":
        return
    command = " ".join(container(name)["command"]).removeprefix("sh -c ").removesuffix(" || [ $? -eq 3 ]")
    python, module, package, *arguments = command.split()
    assert (python, module) == ("python", "-m")
    assert _parsed(package, arguments, monkeypatch).command


def _parsed(package: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """What the package's own parser makes of all arguments; nothing else of the command is done."""
    parse, seen = argparse.ArgumentParser.parse_args, []

    def stop(parser: argparse.ArgumentParser, given: Any = None) -> argparse.Namespace:
        seen.append(parse(parser, given))
        raise InterruptedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.setattr(sys, "argv", [package, *arguments])
    with pytest.raises(InterruptedError):
        importlib.import_module(f"{package}.__main__").main()
    return seen[0]


def _routes() -> set[str]:
    """All paths of the service, as templates."""
    paths = set()
    for route in create_app(Settings()).routes:
        assert isinstance(route, Route | Mount), route
        paths.add(route.path)
    return paths


def test_probes_ask_routes() -> None:
    routes, found = _routes(), container("service")
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert ports == {"http": Settings().port}
    for probe, path in {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}.items():
        assert found[probe]["httpGet"] == {"path": path, "port": "http"}
        assert path in routes
    for name in LONG_RUNNING:
        assert {"startupProbe", "livenessProbe"} <= set(container(name))


def test_the_feed_writes_the_heartbeat_that_is_looked_at() -> None:
    found = container("feed")
    assert found["command"][-2:] == ["--heartbeat", "/tmp/heartbeat"]
    for probe in ("startupProbe", "livenessProbe"):
        python, option, script = found[probe]["exec"]["command"]
        assert (python, option) == ("python", "-c")
        assert "'/tmp/heartbeat'" in script
        compile(script, "probe", "exec")


def test_a_replica_has_time_to_stop() -> None:
    sleep, seconds = container("service")["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    needed = float(seconds) + float(environment("service")["RAINCELL_SHUTDOWN_SECONDS"])
    assert pod("service")["terminationGracePeriodSeconds"] >= needed + 5


def test_the_ingress_routes_everything_but_metrics() -> None:
    (rule,) = one("Ingress", "raincell")["spec"]["rules"]
    paths = {(path["path"], path["pathType"]) for path in rule["http"]["paths"]}

    def routed(path: str) -> bool:
        exact = (path, "Exact") in paths
        return exact or any(kind == "Prefix" and f"{path}/".startswith(f"{prefix}/") for prefix, kind in paths)

    routes = _routes()
    assert {path for path in routes if not routed(path)} == {"/metrics"}
    for path, _ in paths:
        assert any(f"{route}/".startswith(f"{path}/") or path == route for route in routes), path
    assert not routed("/metrics/")
    assert one("Ingress", "raincell")["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "raincell-tls"}]


def test_services_and_policies_find_pods_and_ports() -> None:
    labels = [template(thing)["metadata"]["labels"] for thing in WORKLOADS.values()]
    for thing in documents():
        selector = thing["spec"].get("selector") if thing["kind"] == "Service" else None
        selector = thing["spec"]["podSelector"].get("matchLabels") if thing["kind"] == "NetworkPolicy" else selector
        if selector:
            assert any(selector.items() <= have.items() for have in labels), thing["metadata"]["name"]
    assert one("Service", "redis")["spec"]["ports"][0]["port"] == container("redis")["ports"][0]["containerPort"]
    assert one("Service", "service")["spec"]["ports"][0]["targetPort"] == container("service")["ports"][0]["name"]


def test_redis_is_reached_by_service_and_feed_alone_and_all_else_is_closed() -> None:
    assert one("NetworkPolicy", "nothing")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ((rule,), redis) = (one("NetworkPolicy", "redis")["spec"]["ingress"], one("Service", "redis")["spec"])
    (source,) = rule["from"]
    assert source["podSelector"]["matchExpressions"][1]["values"] == ["service", "feed"]
    assert "type" not in redis  # only inside the cluster
    public = [thing for thing in documents() if thing.get("spec", {}).get("type") in ("LoadBalancer", "NodePort")]
    assert public == []


def test_replicas_scale_and_go_one_at_a_time() -> None:
    scale, budget = one("HorizontalPodAutoscaler", "service")["spec"], one("PodDisruptionBudget", "service")["spec"]
    assert "replicas" not in one("Deployment", "service")["spec"]
    assert 2 <= scale["minReplicas"] < scale["maxReplicas"]
    assert scale["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "service"}
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == one("Deployment", "service")["spec"]["selector"]


@pytest.mark.parametrize("name", ["feed", "redis"])
def test_there_is_one_feed_and_one_redis(name: str) -> None:
    assert WORKLOADS[name]["spec"]["replicas"] == 1
    assert WORKLOADS[name]["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("name", ["retrain", "guard"])
def test_no_job_beside_itself(name: str) -> None:
    spec = WORKLOADS[name]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["timeZone"] == "Etc/UTC"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0


@every_workload
def test_volumes_are_shared_mounted_and_there(name: str) -> None:
    volumes = {volume["name"]: volume for volume in pod(name)["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert set(volumes) == set(mounts)
    assert mounts["tmp"] == "/tmp"
    for volume in volumes.values():
        if claim := volume.get("persistentVolumeClaim"):
            assert one("PersistentVolumeClaim", claim["claimName"])["spec"]["accessModes"] == ["ReadWriteMany"]
    for value in [*environment(name).values(), *container(name)["command"]]:
        if re.fullmatch(r"/(archive|models|verification|secrets)(/\w+)?", value):
            assert f"/{value.split('/')[1]}" in mounts.values()


def test_the_secret_has_what_first_start_makes_and_no_file_has_a_secret(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    for name in WORKLOADS:
        for volume in pod(name)["volumes"]:
            for item in volume.get("secret", {}).get("items", []):
                assert item["key"] == item["path"]
                assert item["key"] in made
    assert "@redis:6379" in (tmp_path / "raincell_redis_url").read_text()
    text = "".join(file.read_text() for file in FILES)
    assert "kind: Secret\n" not in text
    assert not re.search(r"redis://|requirepass|stringData|sha256:|[0-9a-f]{32}", text)


def test_the_documentation_tells_every_file_and_names_tests_that_are_there() -> None:
    text = DOCUMENTED.read_text()
    assert set(re.findall(r"^\| (\w+\.yaml) \|", text, re.MULTILINE)) == {file.name for file in FILES}
    for path in re.findall(r"tests/[\w/]+\.py|docker/[\w/]+/|benchmarks/\w+\.py", text):
        assert (ROOT / path).exists(), path
