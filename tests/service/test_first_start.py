"""What a deployment makes for itself at its first start."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from models.aliases import read_aliases
from models.repository import champions, versions_of
from radar.errors import InvalidRequest
from service.__main__ import main
from service.first_start import add_models, make_password, make_secrets
from service.security.keys import parse_keys
from service.settings import read_settings
from tests.service.conftest import tiny_card, write_repository, write_version


def test_secrets_are_made_once_and_never_twice_the_same(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make_secrets(tmp_path / name)
    before = {path.name: path.read_text() for path in (tmp_path / "first").iterdir()}
    make_secrets(tmp_path / "first")
    assert {path.name: path.read_text() for path in (tmp_path / "first").iterdir()} == before
    password = before["redis.conf"].split()[1]
    assert len(password) == 64
    assert before["raincell_redis_url"].strip() == f"redis://:{password}@redis:6379/0"
    assert parse_keys(before["keys"]) == ()
    assert password not in (tmp_path / "second" / "redis.conf").read_text()


def test_the_setting_is_read_from_its_file_and_variables_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_secrets(tmp_path, "cache")
    monkeypatch.delenv("RAINCELL_REDIS_URL", raising=False)
    monkeypatch.setenv("RAINCELL_SECRETS", str(tmp_path))
    url = read_settings().redis_url
    assert url is not None
    assert url.startswith("redis://:")
    assert url.endswith("@cache:6379/0")
    monkeypatch.setenv("RAINCELL_REDIS_URL", "redis://other:6379/0")
    assert read_settings().redis_url == "redis://other:6379/0"


def test_a_folder_of_secrets_that_is_not_there_is_no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINCELL_SECRETS", str(tmp_path / "missing"))
    with pytest.raises(InvalidRequest, match="mount it"):
        read_settings()


def test_a_password_is_kept(tmp_path: Path) -> None:
    make_password(tmp_path / "password")
    made = (tmp_path / "password").read_text()
    make_password(tmp_path / "password")
    assert (tmp_path / "password").read_text() == made


def test_bundled_models_are_added_and_roles_stay(tmp_path: Path) -> None:
    bundled, models = write_repository(tmp_path / "bundled", tiny_card()), tmp_path / "models"
    models.mkdir()
    assert add_models(models, bundled) == ["still/1"]
    assert list(champions(models)) == ["still"]
    write_version(models, tiny_card(version="7"))
    (models / "still" / "aliases.json").write_text(json.dumps({"champion": "7"}))
    write_version(bundled, tiny_card(version="2"))  # what a newer image brings
    assert add_models(models, bundled) == ["still/2"]
    assert add_models(models, bundled) == []
    assert versions_of(models, "still") == ["1", "2", "7"]
    assert read_aliases(models, "still").champion == "7"


def test_what_a_kill_left_of_a_copy_is_done_again(tmp_path: Path) -> None:
    bundled, models = write_repository(tmp_path / "bundled", tiny_card()), tmp_path / "models"
    (models / "still" / ".1.partial").mkdir(parents=True)
    assert add_models(models, bundled) == ["still/1"]
    assert sorted(path.name for path in (models / "still").iterdir()) == ["1", "aliases.json"]


def test_what_is_there_is_whole_even_after_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled, models = write_repository(tmp_path / "bundled", tiny_card()), tmp_path / "models"
    models.mkdir()
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    make_secrets(tmp_path)
    assert {".redis.conf.partial", ".raincell_redis_url.partial", tmp_path.name} <= set(synced)
    add_models(models, bundled)
    assert {"model.onnx", "manifest.json", ".1.partial", "still"} <= set(synced)


def test_folders_that_are_not_there_are_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["first-start", "--secrets", str(tmp_path / "missing")]) == 1
    assert "expected folders to write to, got [Errno 2]" in capsys.readouterr().err


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert main(["first-start", "--models", str(tmp_path / "models"), "--secrets", str(tmp_path)]) == 0
    assert "ms-convlstm" in champions(tmp_path / "models")
    assert (tmp_path / "redis.conf").exists()
