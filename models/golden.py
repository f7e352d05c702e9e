"""The golden case in every model file: the network's predictions at the time of the export."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from models.recurrent import Step, read_bases, roll_out
from radar.errors import ArtifactRejected
from radar.sequence import Float32

CARD_KEY = "raincell.card"
GOLDEN_KEY = "raincell.golden"
"""Keys of an ONNX file's metadata_props."""


@dataclass(frozen=True, eq=False)
class GoldenCase:
    """Frames (3, 1, inputs, 32, 32), base (2, 1, 1, 32, 32) and predictions (2, 1, 1, 32, 32) in network units.

    For the output "exceedance" base (2, 1, inputs, 32, 32) as it is read, and predictions (2, 1, thresholds, 32, 32).
    """

    frames: Float32
    base: Float32
    predictions: Float32

    def to_text(self) -> str:
        """Base64 of an npz archive."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, frames=self.frames, base=self.base, predictions=self.predictions)
        return base64.b64encode(buffer.getvalue()).decode()

    @classmethod
    def from_text(cls, text: str) -> GoldenCase:
        """Inverse of `to_text`; raises ArtifactRejected for anything else."""
        try:
            with np.load(io.BytesIO(base64.b64decode(text, validate=True)), allow_pickle=False) as arrays:
                return cls(arrays["frames"], arrays["base"], arrays["predictions"])
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise ArtifactRejected(
                expected="a golden case in the model file", got=f"unreadable text ({error})", remedy="export it again"
            ) from error

    def difference(self, step: Step) -> float:
        """The largest difference between this case's predictions and what `step` answers; NaN counts as infinite."""
        reads_bases = self.base.shape[2] > 1
        answered = np.stack(list((read_bases if reads_bases else roll_out)(step, self.frames, self.base)))
        largest = float(np.abs(answered - self.predictions).max())
        return largest if np.isfinite(largest) else float("inf")

    def check(self, step: Step, tolerance: float) -> None:
        """Raise ArtifactRejected if the predictions of `step` differ by more than `tolerance` in network units."""
        difference = self.difference(step)
        if difference > tolerance:
            raise ArtifactRejected(
                expected=f"the golden case within {tolerance:g}",
                got=f"a difference of {difference:g}",
                remedy="export the model again, or use the provider it was checked on",
            )
