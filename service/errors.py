"""What only a web service can find wrong; the rest of the tree is in radar.errors.

RaincellError
├── NotAcceptable          no media type that the caller accepts can be made
├── UnsupportedBody        a body of a media type that is not read
├── BodyTooLarge           more bytes than a body may have
├── UnknownFrame           no stored frame of that product and time
├── StoreUnavailable
│   └── StoreFull          the history store answers, but takes nothing more
└── IncompleteHistory
    └── StoredHistoryIncomplete   the stored history has too few frames or a gap: it may fill with time
"""

from __future__ import annotations

from radar.errors import IncompleteHistory, RaincellError, StoreUnavailable


class NotAcceptable(RaincellError):
    """No media type that the caller accepts can be made."""


class UnsupportedBody(RaincellError):
    """A body of a media type, or with an encoding, that is not read."""


class BodyTooLarge(RaincellError):
    """More bytes than a body may have."""


class UnknownFrame(RaincellError):
    """No stored frame of that product and time."""


class StoreFull(StoreUnavailable):
    """The history store takes nothing more; it can be read."""


class StoredHistoryIncomplete(IncompleteHistory):
    """The stored history has too few frames or a gap."""
