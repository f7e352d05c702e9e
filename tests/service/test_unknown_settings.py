"""A mistyped setting is told with the name that may be meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.__main__ import main
from service.unknown_settings import unknown_settings, warn_of_unknown_settings

ROOT = Path(__file__).parents[2]


def test_a_mistyped_name_is_told_with_the_nearest() -> None:
    (told,) = unknown_settings({"RAINCELL_REDIS_ULR": "redis://x", "RAINCELL_PORT": "8000", "PATH": "/bin"})
    assert told == "RAINCELL_REDIS_ULR is not a setting, and nothing reads it; RAINCELL_REDIS_URL may be meant"
    assert unknown_settings({"raincell_qeue": "1"})[0].endswith("RAINCELL_QUEUE may be meant")
    assert unknown_settings({"RAINCELL_XYZZY": "1"}) == ["RAINCELL_XYZZY is not a setting, and nothing reads it"]


def test_files_of_secrets_are_looked_at_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("raincell_redis_url", "raincell_feed_kye", "keys"):
        (tmp_path / name).write_text("x")
    with caplog.at_level("WARNING", "raincell"):
        warn_of_unknown_settings({"RAINCELL_SECRETS": str(tmp_path)})
    assert caplog.messages == [
        "raincell_feed_kye is not a setting, and nothing reads it; RAINCELL_FEED_KEY may be meant"
    ]


def test_what_compose_and_make_read_is_known() -> None:
    texts = [(ROOT / name).read_text() for name in ("docker-compose.yml", "Makefile", ".ci/run")]
    names = {name for text in texts for name in re.findall(r"RAINCELL_[A-Z_]*[A-Z]", text)}
    assert len(names) > 20
    assert unknown_settings(dict.fromkeys(names, "x")) == []


def test_a_mistyped_name_is_told_when_the_start_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAINCELL_PORT", "x")
    monkeypatch.setenv("RAINCELL_QUEU", "3")
    assert main(["run"]) == 1
    refusal = capsys.readouterr().err
    assert "RAINCELL_PORT" in refusal
    assert "RAINCELL_QUEUE may be meant" in refusal
