"""Settings on their way from the operator's `.env` to the containers, and that upgrades leave that file alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.first_start import make_secrets
from service.settings import Settings
from tests.docker.test_compose import GPU, ROOT, needs_compose

EXAMPLE = ROOT / ".env.example"
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
DEPLOY = ROOT / "docs" / "how-to" / "deploy.md"
UPGRADE = ROOT / "docs" / "how-to" / "upgrade.md"
READERS = ("service", "feed", "storms")
VARIABLE = re.compile(r"\$\{(\w+)(:?-)([^{}]*)\}")
FIELDS = {f"RAINCELL_{name.upper()}" for name in Settings.model_fields}

Rendered = dict[str, dict[str, str]]
"""The environment of each service."""


def by_hand(file: Path) -> Rendered:
    """What Compose makes of our file, as far as its rules are used there: ${A-b}, ${A:-b}, env_file, environment."""
    given = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and line[0] != "#")

    def value(found: re.Match[str]) -> str:
        name, how, default = found.groups()
        return given[name] if given.get(name) or (name in given and how == "-") else default

    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {
        name: (given if "env_file" in service else {})
        | {key: VARIABLE.sub(value, text) for key, text in service.get("environment", {}).items()}
        for name, service in services.items()
    }


def by_compose(file: Path) -> Rendered:
    """The same by Compose itself."""
    services = _config(file)["services"]
    return {name: service.get("environment", {}) for name, service in services.items()}


def _config(file: Path, *options: str) -> dict[str, Any]:
    compose = ["docker", "compose", "--project-directory", str(ROOT), "--env-file", str(file), "-f"]
    command = [*compose, str(ROOT / "docker-compose.yml"), *options, "--profile", "*", "config"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "RAINCELL_ENV_FILE": str(file)}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    found: dict[str, Any] = yaml.safe_load(answer.stdout)
    return found


both = pytest.mark.parametrize("render", [by_hand, pytest.param(by_compose, marks=needs_compose)])


def fixed(service: str) -> set[str]:
    """What docker-compose.yml says without asking the file."""
    found = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][service]["environment"]
    return {name for name, value in found.items() if "${" not in value}


@both
def test_every_setting_reaches_service_feed_and_demo(render: Callable[[Path], Rendered], tmp_path: Path) -> None:
    names = FIELDS | {"RAINCELL_OF_A_LATER_VERSION"}
    file = tmp_path / "settings"
    file.write_text("".join(f"{name}=/is-{name.lower()}\n" for name in names))
    rendered = render(file)
    for service in READERS:
        missing = {name for name in names if rendered[service].get(name) != f"/is-{name.lower()}"}
        assert missing <= fixed(service), service


def test_what_the_file_does_not_change_is_named_in_the_documentation() -> None:
    (told,) = re.findall(r"does not read them from the file: ([^.]*)\.", SETTINGS.read_text())
    for service in READERS:
        assert {f"`{name}`" for name in fixed(service)} <= set(re.findall(r"`\w+`", told))
    for of_operators in ("RAINCELL_QUEUE", "RAINCELL_TRUSTED_PROXIES", "RAINCELL_VERIFICATION", "RAINCELL_LOG_FORMAT"):
        assert of_operators not in fixed("service") | fixed("feed")


@both
def test_without_a_file_all_is_as_the_example_says(render: Callable[[Path], Rendered], tmp_path: Path) -> None:
    nothing, all_of_it = tmp_path / "nothing", tmp_path / "all"
    nothing.write_text("")
    all_of_it.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    without, spelt_out = render(nothing), render(all_of_it)
    for service, environment in without.items():
        assert environment.items() <= spelt_out[service].items(), service
        assert "RAINCELL_REDIS_URL" not in environment
    assert without["service"]["RAINCELL_ALLOW_ANONYMOUS"] == "read,predict"
    settings = Settings()
    for name in ("QUEUE", "CACHE_MB", "RUN_LEAD_MINUTES"):
        assert spelt_out["service"][f"RAINCELL_{name}"] == str(getattr(settings, name.lower()))


@needs_compose
def test_compose_makes_the_same_of_the_example_and_of_no_file(tmp_path: Path) -> None:
    spelt_out = tmp_path / "all"
    spelt_out.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    for options in ((), ("-f", str(GPU))):
        made = [_config(file, *options) for file in (Path("/dev/null"), spelt_out)]
        for config in made:
            config.pop("x-settings")
            for name in READERS:
                del config["services"][name]["environment"]
        if options:
            assert made[0]["services"]["service"]["deploy"].pop("replicas") == 1
            assert made[1]["services"]["service"]["deploy"].pop("replicas") == 2
        assert made[0] == made[1]


def test_every_variable_of_the_compose_files_is_in_the_example_and_none_is_set_there() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + GPU.read_text()
    asked = {name for name, _, _ in VARIABLE.findall(text)}
    lines = EXAMPLE.read_text().splitlines()
    told = {line[1:].partition("=")[0] for line in lines if re.match(r"#[A-Z_]+=", line)}
    assert asked - {"RAINCELL_ENV_FILE"} <= told
    assert told <= asked | FIELDS | {"COMPOSE_PROFILES"}
    assert all(line.startswith("#") for line in lines if line)


def test_every_variable_of_the_compose_files_is_in_the_table_of_the_documentation() -> None:
    asked = {name for name, _, _ in VARIABLE.findall((ROOT / "docker-compose.yml").read_text() + GPU.read_text())}
    rows = [line for line in SETTINGS.read_text().splitlines() if line.startswith("| `RAINCELL_")]
    assert asked <= set(re.findall(r"RAINCELL_\w+", "\n".join(rows)))


def test_a_redis_of_ones_own_is_kept_by_the_first_start_and_reached_as_documented(tmp_path: Path) -> None:
    (made,) = re.findall(r"    (printf .*) > docker-compose.override.yml", DEPLOY.read_text())
    override = yaml.safe_load(subprocess.run(["sh", "-c", made], capture_output=True, text=True, check=True).stdout)
    ours = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert {network for network, how in ours["networks"].items() if how} == {"inside"}  # from there nothing is reached
    for name in READERS:
        networks = {*ours["services"][name]["networks"], *override["services"].get(name, {}).get("networks", [])}
        assert networks == {"inside", "outside"}, name
    make_secrets(tmp_path)
    (tmp_path / "raincell_redis_url").write_text("rediss://:secret@redis.example:6380/0")
    make_secrets(tmp_path)
    assert (tmp_path / "raincell_redis_url").read_text() == "rediss://:secret@redis.example:6380/0"


def test_empty_means_nobody_for_anonymous_callers_and_no_scores(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("RAINCELL_ALLOW_ANONYMOUS=\nRAINCELL_VERIFICATION=\nRAINCELL_ANONYMOUS_PER_MINUTE=\n")
    found = by_hand(file)["service"]
    assert (found["RAINCELL_ALLOW_ANONYMOUS"], found["RAINCELL_VERIFICATION"]) == ("", "")
    assert found["RAINCELL_ANONYMOUS_PER_MINUTE"] == "600"


def git(folder: Path, *words: str) -> str:
    about = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *about, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_upgrades_leave_the_operators_file_alone_and_one_from_before_is_carried_over(tmp_path: Path) -> None:
    (move,) = re.findall(r"( {4}mv \.env .*\n {4}git pull\n.*\n)", UPGRADE.read_text())
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    git(theirs, "init")
    (theirs / ".env").write_text("COMPOSE_PROFILES=live\n")
    git(theirs, "add", "--force", ".env")
    git(theirs, "commit", "-m", "of before")
    git(tmp_path, "clone", "theirs", "ours")
    (ours / ".env").write_text("COMPOSE_PROFILES=demo\n")
    git(theirs, "rm", ".env")
    shutil.copy(ROOT / ".gitignore", theirs)
    shutil.copy(EXAMPLE, theirs)
    git(theirs, "add", ".")
    git(theirs, "commit", "-m", "of now")
    subprocess.run(["sh", "-ec", move], cwd=ours, check=True, capture_output=True)
    assert (ours / ".env").read_text() == "COMPOSE_PROFILES=demo\n"
    assert git(ours, "status", "--porcelain") == ""
    (theirs / ".env.example").write_text("# of tomorrow\n")
    git(theirs, "commit", "--all", "-m", "of tomorrow")
    git(ours, "pull")
    assert (ours / ".env").read_text() == "COMPOSE_PROFILES=demo\n"
    assert git(theirs, "ls-files", ".env") == ""


def test_this_repository_keeps_no_file_of_an_operator() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to ask which files it tracks")
    assert git(ROOT, "ls-files", ".env").split() == []
