"""The secrets, API keys and models that a deployment needs before its first start; missing ones are made.

A repetition only adds models of a newer image. An operator configures nothing, and no two deployments share a
password.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from models.repository import PRETRAINED, model_names, versions_of
from radar.system.durable import commit, place_folder

_KEYS = "# API keys, a line each: docker compose run --rm setup sh -c 'python -m service key NAME >> /secrets/keys'\n"


def make_secrets(folder: Path, redis_host: str = "redis") -> None:
    """Make a password for Redis, as its configuration and as the service's setting, and an empty file of API keys.

    Files: `redis.conf`, `raincell_redis_url` (see `service.settings.read_settings`), `keys`. Every user of the
    containers that mount the folder can read them, since Redis runs as another user.
    """
    url = folder / "raincell_redis_url"
    configuration = folder / "redis.conf"
    if not (url.exists() and configuration.exists()):
        password = secrets.token_hex(32)
        _write(configuration, f"requirepass {password}\n")
        _write(url, f"redis://:{password}@{redis_host}:6379/0\n")
    if not (folder / "keys").exists():
        _write(folder / "keys", _KEYS)


def make_password(path: Path) -> None:
    """Write a random password to a file, unless it exists."""
    if not path.exists():
        _write(path, secrets.token_urlsafe(24) + "\n")


def add_models(repository: Path, bundled: Path = PRETRAINED) -> list[str]:
    """Copy the bundled versions that the repository lacks; returns their names.

    Existing models keep their roles: a new version is served after `python -m training promote`.
    """
    added = []
    for name in model_names(bundled):
        for version in versions_of(bundled, name):
            if not (repository / name / version).exists():
                _copy_folder(bundled / name / version, repository / name / version)
                added.append(f"{name}/{version}")
        aliases = repository / name / "aliases.json"
        if not aliases.exists():
            _write(aliases, (bundled / name / "aliases.json").read_text())
    return added


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder so that it appears whole, by a rename, also after a loss of power."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    place_folder(partial, target)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    commit(partial, path)  # an empty file would count as an existing one
