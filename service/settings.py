"""The settings: environment variables named RAINCELL_*."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models.repository import PRETRAINED
from radar.errors import InvalidRequest
from service.history.frame_shares import MEBIBYTE, Shares
from service.http.root_path import check_prefix
from service.monitoring.log import LogFormat
from service.redis.url import check_redis_url
from service.security.hosts import check_hosts
from service.security.keys import SCOPES

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-fA-F:]+\](:\d{1,5})?")


class Settings(BaseSettings):
    """The service's settings, which only `service.app` and the commands read.

    Parameters
    ----------
    host, port
        The address to listen on.
    redis_url : str or None
        E.g. redis://localhost:6379/0, see service.redis.url; None keeps the history in this process's memory.
    provider : "cpu" or "cuda"
        ONNX Runtime's execution provider; with "cuda" the service does not start without a GPU.
    model_repository : Path
        Folder of models; the bundled one by default.
    max_body_mb : int
        Largest request body in MiB.
    allow_anonymous : set of str
        Scopes of callers without a key: "read,predict,ingest"; see `service.exposure.anonymous_scopes`.
    api_keys : Path or None
        File of API keys; see service.security.keys.
    anonymous_per_minute : int or None
        Requests that one address without a key may make.
    trusted_proxies : tuple of str
        Addresses and networks whose X-Forwarded-For, -Proto and -Prefix are trusted.
    root_path : str
        The path of the host below which callers reach the service, e.g. "/radar"; see service.http.root_path.
    cors_origins : set of str
        Sites whose pages may use the service in a browser: "https://maps.example"; "*" for all.
    hosts : set of str
        Host names under which callers without a key may reach the service, in addition to the usual ones; see
        service.security.hosts.
    log_format : "text" or "json"
    default_product : str or None
        The product of requests that name none; else the only one, or the one that the feed brings.
    default_model : str or None
        The model that makes runs, and of requests that name none; else ms-convlstm, or the first by name.
    demo : bool
        Keep a synthetic storm over Germany in the history.
    queue : int
        Forecasts that may be decoded, waiting or running at a time; more are refused with 503.
    archive : Path or None
        Folder in which the feed keeps every frame that it takes; see radar.archive.archive.
    archive_days : int or None
        How many days of a product the feed keeps there, counted from its newest frame; all if None.
    feed_key : str or None
        The API key with which the feed sends frames to a service.
    feed_quiet_minutes : float
        How long the feed may find nothing new before it logs a warning.
    feed_metrics_port : int or None
        The port of the feed's GET /metrics; None for none.
    feed_metrics_host : str
        On which address it does.
    feed_answer_seconds : float
        How long a source may keep the feed waiting for an answer; see service.feed.sources.cut_off.
    feed_transfer_seconds : float
        The same however fast it comes.
    history_minutes : int
        How long frames are kept, counted from a product's newest frame.
    history_mb : int or None
        Compressed frames that callers may store, in MiB; 512 for six hours, and in proportion for more.
    series_per_caller : int
        Series of unknown products that one caller may begin.
    deadline_seconds : float
        How long a forecast may wait for the processor before its caller gets 503.
    batch_size : int
        Forecasts of equal shape that are computed together.
    batch_wait_ms : float
        How long a forecast waits for others to compute with, while no other job waits.
    connections_per_address : int
        Connections that one address may have at a time, trusted proxies excepted; 0 for any number.
    client_seconds : float
        How long a caller may let a body, or an answer to him, wait; see service.connections.time_limits.
    transfer_seconds : float
        How long a body or an answer may take in all, however steadily it moves.
    shutdown_seconds : float
        How long stopping may take.
    watch_seconds : float
        Seconds between two looks for new champions in the model repository; 0 never looks.
    runs : bool
        Whether this process makes runs; otherwise it serves those of other replicas.
    run_lead_minutes : int
        How far runs reach; bounded by the model's longest lead time.
    run_minutes : int
        How long runs are kept, counted from a product's newest run.
    runs_mb : int or None
        Stored runs in MiB, and as much for forecasts beside them; 512 for 150 minutes, and in proportion for more.
    cache_mb : int
        Decoded and encoded runs that are kept in this process, in MiB.
    verification : Path or None
        Folder of the ledger, shared by replicas; without it nothing is scored. See docs/reference/verification.md.
    verification_days : int
        Days for which the ledger keeps single records, counted from its newest; older ones are added up.
    drift_skill : float
        Skill against persistence below which an hour is bad.
    drift_hours : int
        How many hours have to be bad for an alert.
    drift_lead_minutes : int
        The lead time that is checked.
    input_days : int
        How many days of frames define the usual ranges.
    input_margin : float
        The share of its width by which a usual range is widened.
    """

    # An empty value, such as `NAME=` in a file of settings, counts as unset. Errors hide values: one may be a password.
    model_config = SettingsConfigDict(
        env_prefix="RAINCELL_", frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    redis_url: str | None = Field(default=None, repr=False)
    provider: Literal["cpu", "cuda"] = "cpu"
    model_repository: Path = PRETRAINED
    max_body_mb: int = Field(default=64, ge=1, le=4096)
    allow_anonymous: Annotated[frozenset[str], NoDecode] = frozenset()
    api_keys: Path | None = None
    anonymous_per_minute: int | None = Field(default=None, ge=1)
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    root_path: str = ""
    cors_origins: Annotated[frozenset[str], NoDecode] = frozenset()
    hosts: Annotated[frozenset[str], NoDecode] = frozenset()
    log_format: LogFormat = "text"
    default_product: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,32}$")] | None = None
    default_model: str | None = None
    demo: bool = False
    queue: int = Field(default=8, ge=1, le=1000)
    archive: Path | None = None
    archive_days: int | None = Field(default=None, ge=1, le=36600)
    feed_key: SecretStr | None = None
    feed_quiet_minutes: float = Field(default=30, gt=0, le=7 * 24 * 60)
    feed_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    feed_metrics_host: str = "127.0.0.1"
    feed_answer_seconds: float = Field(default=20, gt=0, le=3600)
    feed_transfer_seconds: float = Field(default=120, gt=0, le=86400)
    history_minutes: int = Field(default=360, ge=90, le=7 * 24 * 60)
    history_mb: int | None = Field(default=None, ge=16, le=2**20)
    series_per_caller: int = Field(default=4, ge=1, le=32)
    deadline_seconds: float = Field(default=60, gt=0, le=3600)
    batch_size: int = Field(default=1, ge=1, le=64)
    batch_wait_ms: float = Field(default=5, ge=0, le=1000)
    connections_per_address: int = Field(default=256, ge=0, le=10**6)
    client_seconds: float = Field(default=30, gt=0, le=3600)
    transfer_seconds: float = Field(default=900, gt=0, le=86400)
    shutdown_seconds: float = Field(default=30, ge=2, le=3600)
    watch_seconds: float = Field(default=10, ge=0, le=86400)
    runs: bool = True
    run_lead_minutes: int = Field(default=120, ge=5, le=1440)
    run_minutes: int = Field(default=150, ge=15, le=7 * 24 * 60)
    runs_mb: int | None = Field(default=None, ge=16, le=2**20)
    cache_mb: int = Field(default=512, ge=16, le=65536)
    verification: Path | None = None
    verification_days: int = Field(default=14, ge=10, le=3660)
    drift_skill: float = Field(default=0.0, ge=-10, le=1)
    drift_hours: int = Field(default=6, ge=1, le=7 * 24)
    drift_lead_minutes: int = Field(default=60, ge=1, le=1440)
    input_days: int = Field(default=7, ge=1, le=366)
    input_margin: float = Field(default=0.5, ge=0, le=100)

    @field_validator("allow_anonymous", "trusted_proxies", "cors_origins", "hosts", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text

    @field_validator("redis_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        try:
            return check_redis_url(url) if url is not None else None
        except InvalidRequest as error:
            raise ValueError(str(error)) from None

    @field_validator("allow_anonymous")
    @classmethod
    def _known_scopes(cls, scopes: frozenset[str]) -> frozenset[str]:
        if unknown := scopes - SCOPES:
            raise ValueError(f"expected scopes of read, predict, ingest, got {', '.join(sorted(unknown))}")
        return scopes

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ipaddress.ip_network(proxy)  # raises a ValueError that names the fault
        return proxies

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, path: str) -> str:
        return check_prefix(path, "RAINCELL_ROOT_PATH")

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: frozenset[str]) -> frozenset[str]:
        try:
            return check_hosts(hosts)
        except InvalidRequest as error:
            raise ValueError(str(error)) from None

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: frozenset[str]) -> frozenset[str]:
        for origin in origins - {"*"}:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"expected origins such as https://maps.example:8443, or *, got {origin}")
        return origins


def read_settings(**chosen: Any) -> Settings:  # noqa: ANN401 - as many types as there are settings
    """The settings: those `chosen`, then RAINCELL_* variables, then files of the folder that RAINCELL_SECRETS names.

    A file there has the name of its setting in lower case: raincell_redis_url. Passwords thus stay out of the
    environment.

    Raises
    ------
    InvalidRequest
        The folder does not exist: its settings would be missing silently.
    """
    folder = os.environ.get("RAINCELL_SECRETS") or None
    if folder and not Path(folder).is_dir():
        raise InvalidRequest(
            expected=f"a folder of settings at {folder}, as RAINCELL_SECRETS says",
            got="none",
            remedy="mount it, or take RAINCELL_SECRETS out",
        )
    return Settings(**{"_secrets_dir": folder, **chosen})


def history_shares(settings: Settings) -> Shares:
    """The limits of frames that callers may store."""
    hours = max(1.0, settings.history_minutes / 360)
    mebibytes = settings.history_mb or round(512 * hours)
    return Shares(settings.series_per_caller, mebibytes * MEBIBYTE)


def run_bytes(settings: Settings) -> int:
    """What may be stored of runs, and again of forecasts beside them."""
    return (settings.runs_mb or round(512 * max(1.0, settings.run_minutes / 150))) * MEBIBYTE
