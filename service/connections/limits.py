"""The common limits of all connections of a server."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.connections.addresses import Addresses
from service.connections.turns import Turns

if TYPE_CHECKING:
    from service.connections.connection import Connection


@dataclass
class ConnectionLimits:
    """The limits of connections, and their common state.

    Parameters
    ----------
    most : int
        The most connections at a time; for one more, another ends: see `make_room`.
    most_body_bytes : int
        The most bytes of a body on the wire, including the framing of chunks.
    seconds : float
        For a request's head to come, and for each piece of an answer to be taken.
    longest_seconds : float
        For an answer to be taken as a whole.
    """

    most: int
    most_body_bytes: int
    seconds: float
    longest_seconds: float = math.inf
    idle: dict[Connection, None] = field(default_factory=dict)
    """Connections without a request, the longest idle first."""
    turns: Turns = field(default_factory=Turns)
    addresses: Addresses = field(default_factory=Addresses)

    def make_room(self, connections: Collection[Any]) -> None:
        """End one connection if there are too many: the longest idle, or else the one that has not read for longest.

        The newest is among the idle ones; it ends if all others are busy.
        """
        if len(connections) > self.most and (victim := self._first_to_go(connections)):
            victim.end()

    def make_room_for(self, new: Connection, connections: Collection[Any]) -> None:
        """The same for connections of a new one's address; the new one gets a refusal if it is the one to end."""
        if not self.addresses.are_too_many(new.caller):
            return
        victim = self._first_to_go([one for one in connections if one.caller == new.caller])
        if victim is new:
            new.turn_away(*self.addresses.refusal())
        elif victim:
            victim.end()

    def _first_to_go(self, connections: Collection[Any]) -> Any:  # noqa: ANN401 - a Connection, or a test's
        among = set(connections)
        idle = [one for one in self.idle if one in among]
        stalled = [one for one in connections if one.stalled_since is not None] if len(idle) == 1 else []
        return min(stalled, key=lambda one: one.stalled_since) if stalled else next(iter(idle), None)
