"""The errors of a web service; the rest of the tree is in radar.errors.

RaincellError
├── NotAcceptable          no media type that the caller accepts can be made
├── RangeNotSatisfiable    bytes beyond the end of an answer
├── UnsupportedBody        a body of an unsupported media type
├── BodyTooLarge           more bytes than a body may have
├── SlowBody               a body that does not arrive in time
├── UnknownFrame           no stored frame of that product and time
├── InvalidRain
│   └── FrameQuarantined   a frame that fails quality control: absurd, a jump, or frozen
├── Unauthorised           a missing or unknown API key
├── Forbidden              a key without the needed scope, or a page of another site
├── UnknownHost            a request without a key for a host name that is not this service's
├── QuotaExceeded          more requests in a minute than the caller may make
├── UnknownRun             no run of that id
├── RunExpired             a run that existed and is no longer kept
├── InvalidRequest
│   └── NoDistribution     a statistic of a forecast that has no distribution
├── VerificationOff        a request for scores while verification is off
├── DefaultModelGone       no model is named, and the default one has left the repository
├── DiskFull               no room, or no right, to write on a disk of the service
├── NoRoomForRun           runs of its owner take all that they may
├── NoRunYet               frames of that product are there, but no run was made from them yet
├── StoreUnavailable
│   ├── StoreFull          the history store answers, but has no room
│   └── StoredValueDamaged the store answers with a value that no version writes
│       └── KeyOfAnotherType   a key of Redis with another type
└── IncompleteHistory
    └── StoredHistoryIncomplete   the stored history has too few frames or a gap: it may fill with time
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from radar.errors import IncompleteHistory, InvalidRain, InvalidRequest, RaincellError, StoreUnavailable
from radar.quality import Flaw
from radar.sequence import iso


class NotAcceptable(RaincellError):
    """No media type that the caller accepts can be made."""


class RangeNotSatisfiable(RaincellError):
    """Bytes beyond the end of an answer of `size` bytes."""

    def __init__(self, got: str, size: int) -> None:
        super().__init__(
            expected=f"bytes from 0 to {size - 1}", got=got, remedy="ask for existing bytes, or leave Range out"
        )
        self.headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}


class UnsupportedBody(RaincellError):
    """A body of an unsupported media type or encoding."""


class BodyTooLarge(RaincellError):
    """More bytes than a body may have."""


class SlowBody(RaincellError):
    """A body that arrives too slowly, or not at all."""


class UnknownFrame(RaincellError):
    """No stored frame of that product and time."""


class FrameQuarantined(InvalidRain):
    """A frame that fails quality control: too much rain, a jump of the wet area or of the missing part, or frozen.

    Parameters
    ----------
    flaws : mapping of datetime to Flaw
        At least one flaw, by the frames' times.
    """

    def __init__(self, flaws: Mapping[datetime, Flaw]) -> None:
        (time, flaw), *others = flaws.items()
        more = f"; {len(others)} other frames are implausible too" if others else ""
        super().__init__(
            expected=f"{flaw.expected} ({flaw.reason})",
            got=f"{flaw.got} at {iso(time)}{more}",
            remedy="nothing was stored; if it is real, send the same again with force=true",
        )
        self.flaws = dict(flaws)


class Unauthorised(RaincellError):
    """A missing or unknown API key."""


class Forbidden(RaincellError):
    """A key without the needed scope, or a page of another site."""


class UnknownHost(RaincellError):
    """A request without a key for a host name that is not this service's."""


class QuotaExceeded(RaincellError):
    """More requests in a minute than the caller may make."""

    def __init__(self, per_minute: int, seconds_left: int, headers: Mapping[str, str]) -> None:
        super().__init__(
            expected=f"at most {per_minute} requests in a minute",
            got="one more",
            remedy=f"try again in {seconds_left} seconds",
        )
        self.headers = headers


class UnknownRun(RaincellError):
    """No run of that id."""


class RunExpired(RaincellError):
    """A run that existed and is no longer kept."""


class NoRunYet(RaincellError):
    """Frames of that product exist, but no run was made from them yet."""


class DefaultModelGone(RaincellError):
    """No model was named, and the one that RAINCELL_DEFAULT_MODEL names has left the repository."""


class NoDistribution(InvalidRequest):
    """A statistic of a forecast that has no distribution."""


class VerificationOff(RaincellError):
    """A request for scores while verification is off."""


class NoRoomForRun(RaincellError):
    """A run, or a forecast beside one, that is not kept: those of its owner take all that they may."""


class StoreFull(StoreUnavailable):
    """The history store has no room; it can still be read."""


class StoredValueDamaged(StoreUnavailable):
    """A value that no version writes: it cannot be read, but the rest of the store can."""


class KeyOfAnotherType(StoredValueDamaged):
    """A key of Redis whose type differs from the expected one."""


class StoredHistoryIncomplete(IncompleteHistory):
    """The stored history has too few frames or a gap."""


class DiskFull(RaincellError):
    """A disk of the service cannot be written: it is full, over a quota or a limit, or read-only."""
