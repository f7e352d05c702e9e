"""The changes of a retraining to a model repository: it adds a version, gives it a role, and removes old ones."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from models.aliases import promote, read_aliases, set_challenger
from models.repository import one_writer, read_manifest, versions_of
from radar.system.durable import place_folder

_STAGING = ".publish-"
_REMOVING = ".remove-"


def publish(version_folder: Path, repository: Path, name: str) -> None:
    """Copy a version's folder into a repository by a rename; does nothing if it exists."""
    target = repository / name / version_folder.name
    if target.exists():
        return
    staged = target.with_name(_STAGING + target.name)
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(version_folder, staged)
    place_folder(staged, target)


def give_role(repository: Path, name: str, version: str, *, at_once: bool, now: datetime, probation: timedelta) -> None:
    """Make a version champion (`at_once`) or challenger; does nothing if it has a role."""
    if version in read_aliases(repository, name).versions:
        return
    if at_once:
        promote(repository, name, version, now=now, probation=probation)
    else:
        set_challenger(repository, name, version, now)


def prune_versions(repository: Path, name: str, keep: int) -> list[str]:
    """Remove all but the newest `keep` of retraining's versions without a role; returns the removed ones.

    Versions that were exported by hand stay.
    """
    with one_writer(repository / name / "aliases.json"):  # so that none gets a role meanwhile
        roles = read_aliases(repository, name).versions
        made = [version for version in versions_of(repository, name) if _retrained(repository, name, version)]
        old = [version for version in made if version not in roles]
        old = old[: max(0, len(old) - keep)]
        for version in old:
            # A rename removes it at once: a version exists whole or not at all.
            (repository / name / version).rename(repository / name / (_REMOVING + version))
    sweep(repository, name)
    return old


def sweep(repository: Path, name: str) -> None:
    """Remove leftovers of an interrupted `publish` or `prune_versions`."""
    for beginning in (_STAGING, _REMOVING):
        for folder in (repository / name).glob(f"{beginning}*"):
            shutil.rmtree(folder, ignore_errors=True)
    aliases = repository / name / "aliases.json"
    with one_writer(aliases):
        for path in aliases.parent.glob(f".{aliases.name}.[0-9]*"):
            path.unlink()


def _retrained(repository: Path, name: str, version: str) -> bool:
    gate = read_manifest(repository, name, version).get("gate")
    return isinstance(gate, dict) and "run" in gate
