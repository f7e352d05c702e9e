from __future__ import annotations

import base64

import numpy as np
import pytest

from models.golden import GoldenCase
from models.recurrent import State
from radar.errors import ArtifactRejected
from radar.sequence import Float32


class Doubling:
    """A network without states that doubles what it reads, give or take an error."""

    def __init__(self, error: float = 0.0) -> None:
        self._error = np.float32(error)

    def start(self, batch: int, rows: int, columns: int) -> State:
        return None

    def __call__(self, frame: Float32, state: State) -> tuple[Float32, State]:
        return 2 * frame[:, :1] + self._error, state

    def observe(self, frame: Float32, state: State) -> State:
        return self(frame, state)[1]


def case() -> GoldenCase:
    frames = np.random.default_rng(0).random((3, 1, 1, 32, 32), np.float32)
    # reads 3 frames, predicts twice the last, and then twice that
    predictions = np.stack([2 * frames[-1], 4 * frames[-1]])
    return GoldenCase(frames, np.zeros((2, 1, 1, 32, 32), np.float32), predictions)


def test_a_network_that_answers_alike_passes() -> None:
    assert case().difference(Doubling()) == 0
    case().check(Doubling(), 1e-6)


def test_a_network_that_answers_otherwise_is_rejected() -> None:
    with pytest.raises(ArtifactRejected, match=r"within 1e-05, got a difference of 0\.03"):
        case().check(Doubling(error=0.01), 1e-5)  # 0.01, and then 2 * 0.01 + 0.01


def test_a_network_that_answers_nan_is_rejected() -> None:
    with pytest.raises(ArtifactRejected, match="inf"):
        case().check(Doubling(error=float("nan")), 1e-5)


def test_cases_survive_text() -> None:
    read = GoldenCase.from_text(case().to_text())
    np.testing.assert_array_equal(read.predictions, case().predictions)


@pytest.mark.parametrize("text", ["", "###", base64.b64encode(b"no archive").decode()])
def test_unreadable_cases_are_rejected(text: str) -> None:
    with pytest.raises(ArtifactRejected, match="golden case"):
        GoldenCase.from_text(text)
