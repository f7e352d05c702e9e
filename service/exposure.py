"""Whom the service is open to without a key: a loopback host to all, others only as settings allow."""

from __future__ import annotations

import ipaddress

from radar.errors import RaincellError
from service.security.keys import SCOPES
from service.settings import Settings


class Exposed(RaincellError):
    """The service would be open to everybody on the network without a setting that allows it."""


def anonymous_scopes(settings: Settings) -> frozenset[str]:
    """Scopes of callers without a key: the named ones; without keys all scopes on a loopback host."""
    if settings.allow_anonymous or settings.api_keys or not is_loopback(settings.host):
        return settings.allow_anonymous
    return SCOPES


def check_exposure(settings: Settings) -> None:
    """Refuse to listen beyond this machine unless there are API keys, or open scopes are named.

    Raises
    ------
    Exposed
        The service could not distinguish callers there.
    """
    if is_loopback(settings.host) or settings.api_keys or settings.allow_anonymous:
        return
    raise Exposed(
        expected="a loopback host (127.0.0.1, ::1, localhost), RAINCELL_API_KEYS, or RAINCELL_ALLOW_ANONYMOUS=read,...",
        got=f"host {settings.host} without any",
        remedy="make API keys (python -m service key NAME --scopes read,predict), or name in RAINCELL_ALLOW_ANONYMOUS"
        " what everybody who reaches the host may do: read forecasts (read), use the processor (predict), add and"
        " withdraw frames that enter everybody's forecast (ingest)",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
