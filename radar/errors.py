"""The tree of errors.

RaincellError
├── UnreadableFile      bytes that do not have the expected format, or a product that this program does not read
├── InvalidRain         values that are not rain rates: negative, infinite, absurd, or the wrong shape
├── GridMismatch        frames on different grids, or on one that the model was not made for
├── ProductMismatch     frames of different products
├── IncompleteHistory   too few frames, a gap, duplicate, unordered or unevenly spaced times
├── InvalidRequest      a request without an answer: a lead time too long, a time in the future
├── UnknownGrid
├── UnknownModel
├── UnknownProduct      no frame of the product was ever received
├── ArtifactRejected    a model file that does not match its card
├── ProviderMissing     the configured execution provider is not available
├── Overloaded          more work than the queue holds
└── StoreUnavailable    the history store does not answer
"""


class RaincellError(Exception):
    """An error that a user can act on.

    Parameters
    ----------
    expected, got, remedy : str
        The expected value, the actual one, and what to do about it. None of them may contain a file path of the
        server: the texts are sent to callers.
    """

    def __init__(self, *, expected: str, got: str, remedy: str) -> None:
        super().__init__(f"expected {expected}, got {got}; {remedy}")
        self.expected = expected
        self.got = got
        self.remedy = remedy


class UnreadableFile(RaincellError):
    """Bytes that do not have the expected format, or a product that this program does not read."""


class InvalidRain(RaincellError):
    """Values that are not rain rates: negative, infinite, absurd, or in the wrong shape."""


class GridMismatch(RaincellError):
    """Frames on different grids, or on one that the model was not made for."""


class ProductMismatch(RaincellError):
    """Frames of different products in one sequence."""


class IncompleteHistory(RaincellError):
    """Too few frames, a gap, or duplicate, unordered or unevenly spaced times."""


class InvalidRequest(RaincellError):
    """A request without an answer: a lead time too long, a frame from the future."""


class UnknownGrid(RaincellError):
    """No grid of that name or shape."""


class UnknownModel(RaincellError):
    """No model of that name."""


class UnknownProduct(RaincellError):
    """A product of which no frame was ever received."""


class ArtifactRejected(RaincellError):
    """A model file that does not match its card."""


class ProviderMissing(RaincellError):
    """The configured execution provider is not available."""


class Overloaded(RaincellError):
    """More work than the queue holds."""


class StoreUnavailable(RaincellError):
    """The history store does not answer."""
