"""A model repository: a folder of versions and manifests, which training and service share as files.

Each model's aliases.json names its champion: models/aliases.py.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radar.errors import ArtifactRejected, UnknownModel
from radar.system import regular_file
from radar.system.digest import sha256_of
from radar.system.durable import write_text
from radar.system.locks import locked

PRETRAINED = Path(__file__).parent / "pretrained"
"""The bundled repository."""
MODEL_FILE = "model.onnx"
"""A version's files by precision; the first always exists, and is the served one."""

_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,79}")


def champions(repository: Path) -> dict[str, Path]:
    """Every champion's `model.onnx` by the model's name, in order.

    Raises
    ------
    ArtifactRejected
        An alias names a missing version, or the repository holds no model.
    """
    found = {name: version_file(repository, name, champion_of(repository, name)) for name in model_names(repository)}
    if not found:
        raise ArtifactRejected(
            expected="a model repository (<name>/aliases.json and <name>/<version>/model.onnx)",
            got="a folder without models",
            remedy="check RAINCELL_MODEL_REPOSITORY, or export a model into it",
        )
    return found


def model_names(repository: Path) -> list[str]:
    """The models that have aliases, in order; a folder with an impossible name is skipped."""
    try:
        folders = list(repository.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    # A broken link counts as damaged aliases; a model without aliases counts as removed.
    return sorted(
        path.name for path in folders if _NAME.fullmatch(path.name) and os.path.lexists(path / "aliases.json")
    )


def chosen_model(repository: Path, name: str | None) -> str:
    """A model of the repository by name, or its only one for None; raises UnknownModel."""
    names = model_names(repository)
    if name in names:
        return name
    if name is None and len(names) == 1:
        return names[0]
    raise UnknownModel(
        expected="one of the models " + (", ".join(names) or "of the repository, which holds none"),
        got="no name" if name is None else repr(name[:80]),
        remedy="name one of them with --model",
    )


def versions_of(repository: Path, name: str) -> list[str]:
    """The existing versions of a model, in order of their names, numbers by value."""
    folders = (path.parent.name for path in (repository / name).glob("*/manifest.json"))
    return sorted((version for version in folders if not version.startswith(".")), key=_order)


def _order(version: str) -> tuple[int, int, str]:
    return (0, int(version), version) if version.isdecimal() else (1, 0, version)


def champion_of(repository: Path, name: str) -> str:
    """The version that is a model's champion; raises ArtifactRejected if its aliases name none."""
    champion = _read(repository / name / "aliases.json", "champion")
    if not isinstance(champion, str):
        raise _other_content(repository / name / "aliases.json", "a champion by its name", TypeError())
    return check_name(champion)


def version_file(repository: Path, name: str, version: str) -> Path:
    """The ONNX file of one version, checked against its manifest's sha256."""
    path = version_file_path(repository, name, version)
    manifest = path.with_name("manifest.json")
    if not path.is_file() or not manifest.is_file():
        raise UnknownModel(
            expected=f"version {version} of model {name} with its manifest",
            got="no such files",
            remedy="export it, or correct aliases.json",
        )
    recorded = _read(manifest, "sha256")
    if not isinstance(recorded, dict) or recorded.get(path.name) != sha256_of(path):
        raise ArtifactRejected(
            expected=f"{name} {version} as its manifest records it",
            got="a file with another sha256",
            remedy="restore the file, or export the model again",
        )
    return path


def version_file_path(repository: Path, name: str, version: str) -> Path:
    """The path of one version's ONNX file, which may not exist; raises ArtifactRejected for an invalid version."""
    return repository / name / check_name(version) / MODEL_FILE


def check_name(name: str) -> str:
    """A model's or version's name that can name a folder; raises ArtifactRejected for anything else."""
    if not _NAME.fullmatch(name):
        raise ArtifactRejected(
            expected="a name of letters, digits, and . _ + - inside", got=ascii(name[:80]), remedy="choose another"
        )
    return name


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of the repository; raises ArtifactRejected for anything but an object, and OSError."""
    try:
        content = regular_file.read_json(path)
    except ValueError as error:
        raise _other_content(path, "an object", error) from error
    if not isinstance(content, dict):
        raise _other_content(path, "an object", TypeError())
    return content


def _read(path: Path, key: str) -> object:
    """One entry of a JSON file of the repository."""
    try:
        return regular_file.read_json(path)[key]
    except OSError as error:
        raise ArtifactRejected(
            expected=f"{path.parent.name}/{path.name} as a file that can be read",
            got=error.strerror or type(error).__name__,
            remedy="restore the file, or export the model again",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _other_content(path, key, error) from error


def _other_content(path: Path, expected: str, error: Exception) -> ArtifactRejected:
    return ArtifactRejected(
        expected=f"{expected} in {path.parent.name}/{path.name}",
        got=f"another content ({type(error).__name__})",
        remedy="restore the file, or export the model again",
    )


def read_manifest(repository: Path, name: str, version: str) -> dict[str, Any]:
    """The manifest of one version: checksums, parent, scores and the gate's decision."""
    return read_json(repository / name / version / "manifest.json")


def record_scores(repository: Path, name: str, version: str, scores: Sequence[Mapping[str, Any]]) -> None:
    """Write the scores of an evaluation, JSON values, to a version's manifest by atomic rename."""
    path = repository / name / version / "manifest.json"
    write_json(path, read_manifest(repository, name, version) | {"scores": list(scores)})


def set_alias(repository: Path, name: str, alias: str, version: str) -> None:
    """Point an alias (champion, previous, challenger) to any version, and leave the others unchanged."""
    path = repository / name / "aliases.json"
    with one_writer(path):
        write_json(path, (read_json(path) if path.exists() else {}) | {alias: version})


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Hold the lock for changes of a file; other writers wait, and the lock ends with its process."""
    with locked(path.with_name(f".{path.name}.lock")):
        yield


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file of the repository by atomic rename, durably."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
