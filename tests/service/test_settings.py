"""Settings, and who may reach the service."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.repository import PRETRAINED
from service.settings import Exposed, Settings, check_exposure


def test_defaults_serve_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RAINCELL_{name.upper()}", raising=False)
    settings = Settings()
    assert (settings.host, settings.port, settings.provider) == ("127.0.0.1", 8000, "cpu")
    assert settings.redis_url is None
    assert settings.model_repository == PRETRAINED
    check_exposure(settings)


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINCELL_ALLOW_ANONYMOUS", "read, predict,ingest")
    monkeypatch.setenv("RAINCELL_DEMO", "1")
    monkeypatch.setenv("RAINCELL_REDIS_URL", "redis://cache:6379/0")
    settings = Settings()
    assert settings.allow_anonymous == {"read", "predict", "ingest"}
    assert settings.demo
    assert settings.redis_url == "redis://cache:6379/0"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str) -> None:
    check_exposure(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "radar.example"])
@pytest.mark.parametrize("allowed", ["", "read", "read,predict"])
def test_other_hosts_are_refused_unless_every_open_scope_is_named(host: str, allowed: str) -> None:
    with pytest.raises(Exposed, match="ingest"):
        check_exposure(Settings(host=host, allow_anonymous=allowed))  # type: ignore[arg-type]


def test_other_hosts_are_served_where_all_is_meant_to_be_open() -> None:
    check_exposure(Settings(host="0.0.0.0", allow_anonymous="read,predict,ingest"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "tpu"},
        {"port": 70000},
        {"allow_anonymous": "write"},
        {"max_body_mb": 0},
        {"queue": 0},
        {"deadline_seconds": 0},
        {"batch_size": 0},
        {"shutdown_seconds": 1},
        {"watch_seconds": -1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]
