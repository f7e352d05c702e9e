"""The errors of a web service; the rest of the tree is in radar.errors.

RaincellError
├── NotAcceptable          no media type that the caller accepts can be made
├── RangeNotSatisfiable    bytes beyond the end of an answer
├── UnsupportedBody        a body of a media type that is not read
├── BodyTooLarge           more bytes than a body may have
├── SlowBody               a body that does not come
├── UnknownFrame           no stored frame of that product and time
├── InvalidRain
│   └── FrameQuarantined   a frame that no weather makes: absurd, a jump, or frozen
├── Unauthorised           no API key where one is needed, or one that is not known
├── Forbidden              a key without the scope that is needed, or a page of another site
├── UnknownHost            a request without a key by a name that is not known to be this service's
├── QuotaExceeded          more requests in a minute than the caller may make
├── UnknownRun             no run of that id
├── RunExpired             a run that was there and is kept no longer
├── VerificationOff        scores were asked for where none are kept
├── DefaultModelGone       no model named, and the one that is meant then has left the repository
├── DiskFull               no room, or no right, to write on a disk of the service
├── NoRoomForRun           runs of its owner take all that they may
├── NoRunYet               frames of that product are there, but no run was made from them yet
├── StoreUnavailable
│   ├── StoreFull          the history store answers, but takes nothing more
│   └── StoredValueDamaged the store answers with a value that no version writes
│       └── KeyOfAnotherType   a key of Redis that holds another kind of thing
└── IncompleteHistory
    └── StoredHistoryIncomplete   the stored history has too few frames or a gap: it may fill with time
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from radar.errors import IncompleteHistory, InvalidRain, RaincellError, StoreUnavailable
from radar.quality import Flaw
from radar.sequence import iso


class NotAcceptable(RaincellError):
    """No media type that the caller accepts can be made."""


class RangeNotSatisfiable(RaincellError):
    """Bytes beyond the end of an answer of `size` bytes."""

    def __init__(self, got: str, size: int) -> None:
        super().__init__(
            expected=f"bytes from 0 to {size - 1}", got=got, remedy="ask for bytes that are there, or leave Range away"
        )
        self.headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}


class UnsupportedBody(RaincellError):
    """A body of a media type, or with an encoding, that is not read."""


class BodyTooLarge(RaincellError):
    """More bytes than a body may have."""


class SlowBody(RaincellError):
    """A body that does not come, or too slowly."""


class UnknownFrame(RaincellError):
    """No stored frame of that product and time."""


class FrameQuarantined(InvalidRain):
    """A frame that no weather makes: too much rain, a jump of the wet area or of the missing part, or a frozen field.

    Parameters
    ----------
    flaws : mapping of datetime to Flaw
        By the frames' times; at least one.
    """

    def __init__(self, flaws: Mapping[datetime, Flaw]) -> None:
        (time, flaw), *others = flaws.items()
        more = f"; {len(others)} other frames are not believed either" if others else ""
        super().__init__(
            expected=f"{flaw.expected} ({flaw.reason})",
            got=f"{flaw.got} at {iso(time)}{more}",
            remedy="nothing was stored; if it is real, send the same again with force=true",
        )
        self.flaws = dict(flaws)


class Unauthorised(RaincellError):
    """No API key where one is needed, or one that is not known."""


class Forbidden(RaincellError):
    """A key without the scope that is needed, or a page of another site."""


class UnknownHost(RaincellError):
    """A request without a key by a name that is not known to be this service's."""


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
    """A run that was there and is kept no longer."""


class NoRunYet(RaincellError):
    """Frames of that product are there, but no run was made from them yet."""


class DefaultModelGone(RaincellError):
    """No model was named, and the one that RAINCELL_DEFAULT_MODEL names has left the repository."""


class VerificationOff(RaincellError):
    """Scores were asked for where none are kept."""


class NoRoomForRun(RaincellError):
    """A run, or a forecast beside one, that is not kept: those of its owner take all that they may."""


class StoreFull(StoreUnavailable):
    """The history store takes nothing more; it can be read."""


class StoredValueDamaged(StoreUnavailable):
    """A value that no version writes: it alone cannot be read, and the store answers for all else."""


class KeyOfAnotherType(StoredValueDamaged):
    """A key of Redis of another type than what is kept under it."""


class StoredHistoryIncomplete(IncompleteHistory):
    """The stored history has too few frames or a gap."""


class DiskFull(RaincellError):
    """A disk of the service takes nothing: it is full, over a quota or a limit, or read-only."""
