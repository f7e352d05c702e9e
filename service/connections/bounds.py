"""The bounds of connections and of what is held for callers, as the settings have them."""

from __future__ import annotations

import time

from service.connections.addresses import Addresses
from service.connections.held_bytes import MEBIBYTE, HeldBytes
from service.connections.limits import ConnectionLimits
from service.settings import Settings

_LEAST_HELD_MEBIBYTES = 512
"""One of the largest forecasts and its frames are 310."""


def held_bytes(settings: Settings) -> HeldBytes:
    """Bodies and answers of all callers together, three quarters of it for one address."""
    together = max(_LEAST_HELD_MEBIBYTES, settings.queue * settings.max_body_mb) * MEBIBYTE
    return HeldBytes(together, each=3 * together // 4, clock=time.monotonic)


def connection_limits(settings: Settings, most: int) -> ConnectionLimits:
    """Of `most` connections; what frames the chunks of a body may be a quarter of it."""
    on_the_wire = 5 * settings.max_body_mb * MEBIBYTE // 4 + MEBIBYTE
    addresses = Addresses(settings.connections_per_address, settings.trusted_proxies)
    seconds = settings.client_seconds, settings.transfer_seconds
    return ConnectionLimits(most, on_the_wire, *seconds, addresses=addresses)
