"""Roles of versions: who serves, who did, who is tried; changed whole or not at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.aliases import Aliases, drop_challenger, promote, read_aliases, rollback, set_challenger
from models.repository import champion_of, set_alias
from radar.errors import ArtifactRejected, InvalidRequest, UnknownModel
from radar.system.digest import sha256_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Versions 1, 2 and 3 of a model, of which the first is champion."""
    for version in ("1", "2", "3"):
        folder = tmp_path / "rain" / version
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_text(f"weights of {version}")
        manifest = {"sha256": {"model.onnx": sha256_of(folder / "model.onnx")}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    set_alias(tmp_path, "rain", "champion", "1")
    return tmp_path


def content(repository: Path) -> dict[str, str]:
    said: dict[str, str] = json.loads((repository / "rain" / "aliases.json").read_text())
    return said


def test_a_challenger_is_promoted_and_rolled_back(repository: Path) -> None:
    assert read_aliases(repository, "rain") == Aliases("1")
    set_challenger(repository, "rain", "2", NOW)
    assert content(repository) == {"champion": "1", "challenger": "2", "challenger_since": "2026-05-01T12:00:00Z"}
    assert read_aliases(repository, "rain") == Aliases("1", None, "2", NOW)
    after = promote(repository, "rain", now=NOW, probation=timedelta(hours=6))
    assert after == read_aliases(repository, "rain") == Aliases("2", "1", None, None, NOW + timedelta(hours=6), NOW)
    assert content(repository) == {
        **{"champion": "2", "previous": "1"},
        **{"probation_until": "2026-05-01T18:00:00Z", "champion_since": "2026-05-01T12:00:00Z"},
    }
    assert champion_of(repository, "rain") == "2"
    set_challenger(repository, "rain", "3", NOW)
    assert (
        rollback(repository, "rain", NOW) == read_aliases(repository, "rain") == Aliases("1", "2", champion_since=NOW)
    )


def test_a_version_is_promoted_by_name_without_probation(repository: Path) -> None:
    set_challenger(repository, "rain", "2", NOW)
    assert promote(repository, "rain", "3", now=NOW) == Aliases("3", "1", champion_since=NOW)


def test_a_challenger_is_dropped(repository: Path) -> None:
    promote(repository, "rain", "2", now=NOW, probation=timedelta(hours=1))
    set_challenger(repository, "rain", "3", NOW)
    assert drop_challenger(repository, "rain") == Aliases("2", "1", None, None, NOW + timedelta(hours=1), NOW)


def test_versions_with_a_role() -> None:
    assert Aliases("3", "2", "4").versions == {"2", "3", "4"}
    assert Aliases("1").versions == {"1"}


def test_what_cannot_be_is_refused_and_changes_nothing(repository: Path) -> None:
    before = content(repository)
    with pytest.raises(InvalidRequest, match="expected a challenger to promote, got none; name a version"):
        promote(repository, "rain", now=NOW)
    with pytest.raises(InvalidRequest, match="other than the champion, 1"):
        promote(repository, "rain", "1", now=NOW)
    with pytest.raises(InvalidRequest, match="other than the champion, 1"):
        set_challenger(repository, "rain", "1", NOW)
    with pytest.raises(InvalidRequest, match="a previous champion to go back to"):
        rollback(repository, "rain", NOW)
    with pytest.raises(UnknownModel, match="version 9 of model rain"):
        promote(repository, "rain", "9", now=NOW)
    with pytest.raises(UnknownModel, match="version 9 of model rain"):
        set_challenger(repository, "rain", "9", NOW)
    (repository / "rain" / "2" / "model.onnx").write_text("damaged")
    with pytest.raises(ArtifactRejected, match="another sha256"):
        promote(repository, "rain", "2", now=NOW)
    assert content(repository) == before


def test_no_roll_back_to_a_version_that_is_gone(repository: Path) -> None:
    promote(repository, "rain", "2", now=NOW)
    (repository / "rain" / "1" / "model.onnx").unlink()
    with pytest.raises(UnknownModel):
        rollback(repository, "rain", NOW)
    assert champion_of(repository, "rain") == "2"


def test_no_such_model(repository: Path) -> None:
    with pytest.raises(UnknownModel, match=r"a model snow with aliases\.json"):
        read_aliases(repository, "snow")
    with pytest.raises(ArtifactRejected, match="expected a name"):
        read_aliases(repository, "../rain")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"champion": 1}',
        '{"champion": "../1"}',
        '{"champion": "1", "probation_until": "soon"}',
        '{"champion": "1", "probation_until": "2026-05-01T12:00:00"}',
        '{"champion": "1", "probation_until": 7}',
    ],
)
def test_damaged_aliases_are_refused(repository: Path, text: str) -> None:
    (repository / "rain" / "aliases.json").write_text(text)
    with pytest.raises(ArtifactRejected):
        read_aliases(repository, "rain")
    with pytest.raises(ArtifactRejected):
        drop_challenger(repository, "rain")
    assert (repository / "rain" / "aliases.json").read_text() == text


def test_changes_by_many_at_once_are_all_kept(repository: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(set_alias, repository, "rain", f"alias{n}", str(n)) for n in range(40)]
    assert all(change.exception() is None for change in waiting)
    assert content(repository) == {"champion": "1", **{f"alias{n}": str(n) for n in range(40)}}
