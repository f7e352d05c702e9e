"""README.md and docs/: short pages, links that lead somewhere, and a reference that names everything once."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest

import radar.__main__
import service.__main__
import training.__main__
from service.app import create_app
from service.settings import Settings
from training.config.config import FitConfig
from training.retrain.config import RetrainConfig

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
MAINS: dict[str, Callable[[], int | None]] = {
    "radar": radar.__main__.main,
    "service": service.__main__.main,
    "training": training.__main__.main,
}
_LONGEST, _LONGEST_README, _MOST_FILES = 250, 90, 15
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> Iterator[str]:
    """Relative links of a page, without those in code."""
    text = re.sub(r"`[^`]*`", "", _CODE.sub("", page.read_text()))
    for found in _LINK.finditer(text):
        link = found[1] or found[2]
        if not re.match(r"[a-z]+:", link):
            yield link


def target(page: Path, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sections(page: Path) -> dict[str, str]:
    """The text below each heading of the second level."""
    pieces = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def first_cells(text: str) -> list[str]:
    """The code in the first cell of each row of the tables in a text."""
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_short(page: Path) -> None:
    longest = _LONGEST_README if page.name == "README.md" else _LONGEST
    assert len(page.read_text().splitlines()) <= longest


def test_a_folder_of_pages_can_be_seen_at_a_glance() -> None:
    counts = Counter(page.parent for page in PAGES[1:])
    assert {folder.name: count for folder, count in counts.items() if count > _MOST_FILES} == {}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        path, anchor = target(page, link)
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(link)
    assert dead == []


def test_every_page_is_reached_from_the_index_by_one_link() -> None:
    listed = {target(DOCS / "index.md", link)[0] for link in links(DOCS / "index.md")}
    assert {name_of(page) for page in PAGES[1:] if page not in listed} == {"docs/index.md"}


def test_files_that_code_and_configuration_name_exist() -> None:
    kinds = ("*.py", "*.toml", "*.yaml", "*.yml", "*.conf", "Makefile", ".env.example", "NOTICE", "CHANGELOG.md")
    rooms = [ROOT / room for room in ("radar", "models", "training", "service", "docker", "tests", "benchmarks")]
    files = [file for kind in kinds for file in ROOT.glob(kind)]
    files += [file for kind in kinds for room in rooms for file in room.rglob(kind)]
    dead = []
    for file in files:
        for path, anchor in re.findall(r"(?<![\w-])(docs/[\w/-]+\.(?:md|html|png))(?:#([\w-]+))?", file.read_text()):
            if not (ROOT / path).exists() or (anchor and anchor not in anchors(ROOT / path)):
                dead.append(f"{file.relative_to(ROOT)}: {path}#{anchor}")
    assert dead == []


def test_every_setting_of_the_service_has_one_row() -> None:
    rows = Counter(first_cells("\n".join(page.read_text() for page in REFERENCE.glob("*.md"))))
    names = [f"RAINCELL_{name.upper()}" for name in Settings.model_fields]
    assert {name: rows[name] for name in [*names, "RAINCELL_SECRETS"] if rows[name] != 1} == {}


def test_every_setting_in_the_example_file_has_one_row() -> None:
    rows = Counter(first_cells((REFERENCE / "settings.md").read_text()))
    names = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert "COMPOSE_PROFILES" in names
    assert {name: rows[name] for name in names if rows[name] != 1} == {}


def test_every_variable_in_the_reference_is_read_by_something() -> None:
    """No row is left behind when a setting goes."""
    rows = {name for name in first_cells((REFERENCE / "settings.md").read_text()) if name.startswith("RAINCELL_")}
    read = "".join((ROOT / name).read_text() for name in ("docker-compose.yml", "docker/compose.gpu.yaml"))
    read += "".join(file.read_text() for file in (ROOT / "tests").rglob("*.py") if file != Path(__file__))
    known = {f"RAINCELL_{name.upper()}" for name in Settings.model_fields} | {"RAINCELL_SECRETS"}
    assert {name for name in rows - known if not re.search(rf"\b{name}\b", read)} == set()


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The text of `python -m PACKAGE WORDS --help`."""

    def ask(package: str, *words: str) -> str:
        monkeypatch.setattr("sys.argv", [package, *words, "--help"])
        with pytest.raises(SystemExit) as ended:
            MAINS[package]()
        assert ended.value.code == 0
        return capsys.readouterr().out

    return ask


def test_the_reference_has_every_command_with_its_options(help_of: Callable[..., str]) -> None:
    documented = sections(REFERENCE / "commands.md") | sections(REFERENCE / "commands-training.md")
    expected: dict[str, set[str]] = {}
    for package in MAINS:
        names = re.search(r"\{([\w,-]+)\}", help_of(package))
        assert names
        for name in names[1].split(","):
            text = help_of(package, name).replace("-h, --help", "")
            expected[f"python -m {package} {name}"] = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", usage_of(text)))
    found = {
        title: {option for option in first_cells(text) if option.startswith("--")}
        for title, text in documented.items()
        if title.startswith("python -m ")
    }
    assert found == expected


def usage_of(help_text: str) -> str:
    """The options that a help text lists, without the sentences that explain them."""
    return "\n".join(re.findall(r"^ +(-.*?)(?: {2,}|$)", help_text, re.MULTILINE))


def keys_of(settings: type[object]) -> set[str]:
    """Names of all fields of a configuration, and of the dataclasses in it."""
    from dataclasses import fields, is_dataclass
    from typing import get_type_hints

    hints, keys = get_type_hints(settings), set()
    for field in fields(settings):  # type: ignore[arg-type]
        kind = hints[field.name]
        if is_dataclass(kind):
            keys |= keys_of(kind)  # type: ignore[arg-type]
        elif field.metadata != {"file": "no"}:
            keys.add(field.name)
    return keys


@pytest.mark.parametrize(("title", "settings"), [("fit", FitConfig), ("retrain", RetrainConfig)])
def test_the_reference_has_every_key_of_a_configuration_once(title: str, settings: type[object]) -> None:
    rows = Counter(first_cells(sections(REFERENCE / "configuration.md")[title]))
    keys = {key for key in rows if re.fullmatch(r"[a-z_0-9]+", key)}
    assert keys == keys_of(settings)
    assert {key: count for key, count in rows.items() if count > 1 and key not in KEYS_OF_TWO_TABLES} == {}


KEYS_OF_TWO_TABLES = {"name"}
"""A configuration of `fit` has a name, and so has its loss."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """A service that has never started, with all that it may measure."""
    return create_app(Settings(runs=False, verification=tmp_path_factory.mktemp("ledger")))


def test_the_reference_has_every_route_and_parameter(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    text = (REFERENCE / "routes.md").read_text()
    routes = Counter(cell for cell in first_cells(text) if re.match(r"[A-Z]+ /", cell))
    assert set(routes) - {"GET /", "GET /docs"} == {f"{way.upper()} {path}" for path in paths for way in paths[path]}
    assert set(routes.values()) == {1}
    parameters = [each for ways in paths.values() for route in ways.values() for each in route.get("parameters", ())]
    queries = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert set(first_cells(sections(REFERENCE / "routes.md")["Parameters"])) == queries


def test_the_reference_has_every_metric_of_the_service(app: FastAPI) -> None:
    shown = generate_latest(app.state.service.metrics.registry).decode()
    measured = set(re.findall(r"^# TYPE (raincell_\w+?)(?:_created)? ", shown, re.MULTILINE))
    measured = {name for name in measured if f"{name}_total" not in measured}  # its time of creation is no metric
    text = sections(REFERENCE / "metrics.md")["Metrics of the service"]
    rows = Counter(first_cells(text))
    assert set(rows) == measured
    assert set(rows.values()) == {1}


def test_commands_name_files_and_tests_that_exist() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    scripts = set(re.findall(r"\bbenchmarks/\w+\.py", text))
    scripts |= {path.replace(".", "/") + ".py" for path in re.findall(r"-m ((?:benchmarks|tests)\.[\w.]+)", text)}
    folders = set(re.findall(r"\b(?:tests|training/configs|docker)/[\w./-]+\w", text))
    assert {path for path in scripts | folders if not (ROOT / path).exists()} == set()
    chosen = set(re.findall(r"pytest [^`\n]*-k (\w+)", text))
    assert chosen
    assert {name for name in chosen if not any((ROOT / "tests").rglob(f"{name}*.py"))} == set()


def test_names_of_python_can_be_imported() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    names = set(re.findall(r"`((?:radar|models|training|service)\.[a-z_.]+\.[A-Za-z_]+)", text))
    assert "radar.archive.Archive" in names
    for name in names:
        module, _, member = name.rpartition(".")
        assert hasattr(importlib.import_module(module), member), name
