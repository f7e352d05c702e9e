"""What only a web service can find wrong; the rest of the tree is in radar.errors.

RaincellError
├── NotAcceptable          no media type that the caller accepts can be made
├── UnsupportedBody        a body of a media type that is not read
├── BodyTooLarge           more bytes than a body may have
├── UnknownFrame           no stored frame of that product and time
├── UnknownRun             no run of that id
├── RunExpired             a run that was there and is kept no longer
├── NoRunYet               frames of that product are there, but no run was made from them yet
└── IncompleteHistory
    └── StoredHistoryIncomplete   the stored history has too few frames or a gap: it may fill with time
"""

from __future__ import annotations

from radar.errors import IncompleteHistory, RaincellError


class NotAcceptable(RaincellError):
    """No media type that the caller accepts can be made."""


class UnsupportedBody(RaincellError):
    """A body of a media type, or with an encoding, that is not read."""


class BodyTooLarge(RaincellError):
    """More bytes than a body may have."""


class UnknownFrame(RaincellError):
    """No stored frame of that product and time."""


class UnknownRun(RaincellError):
    """No run of that id."""


class RunExpired(RaincellError):
    """A run that was there and is kept no longer."""


class NoRunYet(RaincellError):
    """Frames of that product are there, but no run was made from them yet."""


class StoredHistoryIncomplete(IncompleteHistory):
    """The stored history has too few frames or a gap."""
