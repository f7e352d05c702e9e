"""The bounds of connections and of bytes held for callers, from the settings."""

from __future__ import annotations

import time

from service.connections.addresses import Addresses
from service.connections.held_bytes import MEBIBYTE, HeldBytes
from service.connections.limits import ConnectionLimits
from service.settings import Settings

_LEAST_HELD_MEBIBYTES = 512
"""MiB; one of the largest forecasts and its frames are 310."""


def held_bytes(settings: Settings) -> HeldBytes:
    """The bound for bodies and answers of all callers together; one address may have three quarters of it."""
    together = max(_LEAST_HELD_MEBIBYTES, settings.queue * settings.max_body_mb) * MEBIBYTE
    return HeldBytes(together, each=3 * together // 4, clock=time.monotonic)


def connection_limits(settings: Settings, most: int) -> ConnectionLimits:
    """The limits for `most` connections; the framing of chunks may add a quarter to a body's bytes."""
    on_the_wire = 5 * settings.max_body_mb * MEBIBYTE // 4 + MEBIBYTE
    addresses = Addresses(settings.connections_per_address, settings.trusted_proxies)
    seconds = settings.client_seconds, settings.transfer_seconds
    return ConnectionLimits(most, on_the_wire, *seconds, addresses=addresses)
