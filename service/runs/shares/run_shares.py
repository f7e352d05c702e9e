"""Which stored runs go for a new one, so that nobody's runs drive out those of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol

from radar.errors import StoreUnavailable
from service.errors import NoRoomForRun
from service.history.beginnings import Beginnings, counts_as
from service.history.codec import SeriesKey
from service.history.frame_shares import MEBIBYTE
from service.runs.run import series_tag

MOST_BYTES = 512 * MEBIBYTE


class Owner(NamedTuple):
    """Whom runs count for: a group of callers that counts as one, and who of it."""

    group: str
    who: str


NOBODY = Owner("", "")
"""The owner of runs of series without frames: they go before all others."""
Owners = Callable[[], Mapping[str, Owner]]
"""Gives the owner of every stored series, by `service.runs.run.series_tag`."""


class Series(Protocol):
    """What knows the stored series and who began them; every `service.history.store.EncodedHistory` does."""

    beginnings: Beginnings

    def products(self) -> list[SeriesKey]:
        """Every product and grid of which there are frames."""


def owners_in(history: Series) -> Owners:
    """The owners as a history knows them: a caller has the series that he began, every other series has itself.

    While the history does not answer they are as they were.
    """
    known: dict[str, Owner] = {}

    def owners() -> Mapping[str, Owner]:
        nonlocal known
        try:
            begun, stored = history.beginnings.by(), history.products()
        except StoreUnavailable:
            return known
        known = {series_tag(series): _owner(series, begun.get(series)) for series in stored}
        return known

    return owners


def _owner(series: SeriesKey, who: str | None) -> Owner:
    return Owner(counts_as(who), who) if who is not None else Owner(series_tag(series), series_tag(series))


class RunShares:
    """How many bytes of runs may be stored together, and whose go for new ones.

    Where they are too many, the oldest runs of the group of callers that holds most go, and of those of the one of it
    who holds most: who holds less than an equal share loses nothing. The latest run of a series goes last, and not for
    another one of the same owner: the new one is refused then.

    Parameters
    ----------
    most : int
        Bytes.
    owners : callable
        See `Owners`.
    """

    def __init__(self, most: int = MOST_BYTES, owners: Owners = dict) -> None:
        self.most = most
        self._owners = owners

    def to_let_go(self, new: str, size: int, held: Mapping[str, int]) -> list[str]:
        """Which runs go for a new one, in this order; none where there is room.

        Parameters
        ----------
        new : str
            Its id; what follows the id of a run in it, as the maker of a forecast beside it, may be anything.
        size : int
            Its bytes.
        held : mapping of str to int
            Bytes of each that is stored, by id.

        Raises
        ------
        NoRoomForRun
            There is no room for it: its owner would hold too much.
        """
        total = size + sum(held.values())
        if total <= self.most:
            return []
        owners = self._owners()
        owner = {each: owners.get(tag_in(each), NOBODY) for each in (new, *held)}
        left = sorted(held, key=time_in)
        sizes, gone = {**held, new: size}, []
        latest = _latest_of_each((new, *held))
        while total > self.most:
            whose = _largest(owner, {each: sizes[each] for each in (new, *left)})
            old = [each for each in left if owner[each] == whose]
            going = next((each for each in old if each not in latest), None)
            if going is None and (whose == owner[new] or not old):
                raise self._no_room(new, total)
            going = going or old[0]
            left.remove(going)
            gone.append(going)
            total -= sizes[going]
        return gone

    def _no_room(self, new: str, total: int) -> NoRoomForRun:
        return NoRoomForRun(
            expected=f"at most {self.most / MEBIBYTE:.4g} MiB of runs (RAINCELL_RUNS_MB), equally shared",
            got=f"{total / MEBIBYTE:.4g} MiB with {new[:200]}",
            remedy="withdraw series that are not needed, or raise the limit: rain takes far less than noise",
        )


def tag_in(run_id: str) -> str:
    """The tag of the series in an id of a run."""
    return ".".join(run_id.split(".")[:2])


def time_in(run_id: str) -> str:
    """The reference time in an id of a run, in an order of time."""
    return run_id.split(".", 3)[2]


def _latest_of_each(ids: Collection[str]) -> set[str]:
    """Those of the newest reference time of each series."""
    newest: dict[str, str] = {}
    for each in ids:
        newest[tag_in(each)] = max(newest.get(tag_in(each), ""), time_in(each))
    return {each for each in ids if time_in(each) == newest[tag_in(each)]}


def _largest(owner: Mapping[str, Owner], sizes: Mapping[str, int]) -> Owner:
    """NOBODY, or else who holds most of the group that holds most."""
    if any(owner[each] == NOBODY for each in sizes):
        return NOBODY
    groups, callers = Counter[str](), Counter[Owner]()
    for each, size in sizes.items():
        groups[owner[each].group] += size
        callers[owner[each]] += size
    group = max(groups, key=lambda group: groups[group])
    return max((one for one in callers if one.group == group), key=lambda one: callers[one])
