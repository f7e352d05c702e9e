"""Settings, and who may reach the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from models.repository import PRETRAINED
from service.exposure import Exposed, anonymous_scopes, check_exposure
from service.settings import Settings


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
def test_other_hosts_are_refused_unless_keys_are_set_up_or_open_scopes_named(host: str, tmp_path: Path) -> None:
    with pytest.raises(Exposed, match="ingest"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, api_keys=tmp_path / "keys"))
    check_exposure(Settings(host=host, allow_anonymous="read"))  # type: ignore[arg-type]


def test_callers_without_a_key_may_do_all_on_this_machine_and_elsewhere_what_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert anonymous_scopes(Settings()) == {"read", "predict", "ingest"}
    assert anonymous_scopes(Settings(api_keys=keys)) == set()
    assert anonymous_scopes(Settings(host="0.0.0.0")) == set()
    assert anonymous_scopes(Settings(host="0.0.0.0", allow_anonymous="read")) == {"read"}  # type: ignore[arg-type]
    assert anonymous_scopes(Settings(api_keys=keys, allow_anonymous="read")) == {"read"}  # type: ignore[arg-type]
    assert anonymous_scopes(Settings(allow_anonymous="read")) == {"read"}  # type: ignore[arg-type]


def test_every_setting_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()
    for name in Settings.model_fields:
        assert f"`RAINCELL_{name.upper()}`" in documented


def test_proxies_and_origins_are_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINCELL_TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16,::1")
    monkeypatch.setenv("RAINCELL_CORS_ORIGINS", "https://maps.example:8443, http://[::1]:3000")
    settings = Settings()
    assert settings.trusted_proxies == ("10.0.0.1", "192.168.0.0/16", "::1")
    assert settings.cors_origins == {"https://maps.example:8443", "http://[::1]:3000"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "tpu"},
        {"port": 70000},
        {"allow_anonymous": "write"},
        {"max_body_mb": 0},
        {"queue": 0},
        {"anonymous_per_minute": 0},
        {"trusted_proxies": "*"},
        {"trusted_proxies": "proxy.example"},
        {"cors_origins": "maps.example"},
        {"cors_origins": "https://maps.example/path"},
        {"log_format": "xml"},
        {"deadline_seconds": 0},
        {"batch_size": 0},
        {"shutdown_seconds": 1},
        {"watch_seconds": -1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]
