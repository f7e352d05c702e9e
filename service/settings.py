"""All that can be set from outside: environment variables named RAINCELL_*."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models.repository import PRETRAINED
from radar.errors import RaincellError

SCOPES = frozenset({"read", "predict", "ingest"})


class Settings(BaseSettings):
    """The service's settings; `service.app` alone reads them.

    Parameters
    ----------
    host, port
        Where to listen.
    redis_url : str or None
        E.g. redis://localhost:6379/0; None keeps the history in this process's memory.
    provider : "cpu" or "cuda"
        What ONNX Runtime computes with; "cuda" refuses to start without a GPU.
    model_repository : Path
        Folder of models; the bundled one by default.
    max_body_mb : int
        Largest request body in MiB.
    allow_anonymous : set of str
        Scopes open to everybody who reaches the host: "read,predict,ingest".
    demo : bool
        Keep a synthetic storm over Germany in the history.
    queue : int
        Forecasts that may be decoded, waiting or running at a time; more are refused with 503.
    history_minutes : int
        How long frames are kept, counted from a product's newest frame.
    deadline_seconds : float
        How long a forecast may wait for the processor before its caller is answered 503.
    batch_size : int
        Forecasts of equal shape that are computed together.
    batch_wait_ms : float
        How long a forecast waits for others to be computed with, while nobody else waits.
    shutdown_seconds : float
        How long stopping may take.
    watch_seconds : float
        How often the model repository is looked at for new champions; 0 never.
    """

    model_config = SettingsConfigDict(env_prefix="RAINCELL_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    redis_url: str | None = None
    provider: Literal["cpu", "cuda"] = "cpu"
    model_repository: Path = PRETRAINED
    max_body_mb: int = Field(default=64, ge=1, le=4096)
    allow_anonymous: Annotated[frozenset[str], NoDecode] = frozenset()
    demo: bool = False
    queue: int = Field(default=8, ge=1, le=1000)
    history_minutes: int = Field(default=360, ge=90, le=7 * 24 * 60)
    deadline_seconds: float = Field(default=60, gt=0, le=3600)
    batch_size: int = Field(default=1, ge=1, le=64)
    batch_wait_ms: float = Field(default=5, ge=0, le=1000)
    shutdown_seconds: float = Field(default=30, ge=2, le=3600)
    watch_seconds: float = Field(default=10, ge=0, le=86400)

    @field_validator("allow_anonymous", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        return frozenset(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text

    @field_validator("allow_anonymous")
    @classmethod
    def _known_scopes(cls, scopes: frozenset[str]) -> frozenset[str]:
        if unknown := scopes - SCOPES:
            raise ValueError(f"expected scopes of read, predict, ingest, got {', '.join(sorted(unknown))}")
        return scopes


class Exposed(RaincellError):
    """The service would be open to everybody on the network, and nobody said that it should."""


def check_exposure(settings: Settings) -> None:
    """Refuse to listen beyond this machine unless every open scope is named.

    Raises
    ------
    Exposed
        There are no API keys yet, so whoever reaches the host can read, predict and ingest.
    """
    if is_loopback(settings.host) or settings.allow_anonymous >= SCOPES:
        return
    raise Exposed(
        expected="a loopback host (127.0.0.1, ::1, localhost), or RAINCELL_ALLOW_ANONYMOUS=read,predict,ingest",
        got=f"host {settings.host} with {', '.join(sorted(settings.allow_anonymous)) or 'nothing'} allowed",
        remedy="there are no API keys yet: anybody who reaches the host may read forecasts (read), use the"
        " processor (predict) and add or withdraw frames that shape everybody's forecast (ingest); name all three if"
        " that is wanted, or listen on 127.0.0.1 behind a proxy that checks who asks",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
