"""The log of a run: a line of JSON, and scalars and pictures for TensorBoard, at every validation."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from radar.sequence import Float32
from radar.system.durable import write_text


class RunLog:
    """Writes OUT/log.jsonl and, where tensorboardX is installed, OUT/tensorboard.

    Parameters
    ----------
    out : Path
    writes : bool
        False for workers that leave it to the first.
    """

    def __init__(self, out: Path, *, writes: bool) -> None:
        self._path, self._writes = out / "log.jsonl", writes
        self._board: Any = None
        self._out = out

    def go_on_after(self, iteration: int) -> None:
        """Forget what an interrupted run told of later iterations."""
        if not self._writes:
            return
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        kept = [line for line in lines if json.loads(line)["iteration"] <= iteration]
        write_text(self._path, "".join(line + "\n" for line in kept))
        board = _tensorboard()
        if board is not None:
            self._board = board.SummaryWriter(
                str(self._out / "tensorboard"), purge_step=iteration + 1, filename_suffix=f".{iteration + 1}"
            )

    @property
    def draws(self) -> bool:
        """Whether somebody will see pictures."""
        return self._board is not None

    def record(self, iteration: int, values: dict[str, float]) -> None:
        """One line, and a scalar for each value."""
        if not self._writes:
            return
        with self._path.open("a") as log:
            log.write(json.dumps({"iteration": iteration, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, iteration)
            self._board.flush()

    def picture(self, iteration: int, name: str, frames: list[Float32]) -> None:
        """Frames (H, W) in network units side by side, from black (dry or missing) to white."""
        if self._board is None:
            return
        from tensorboardX.proto.summary_pb2 import Summary

        pixels = (np.concatenate([np.clip(np.nan_to_num(frame), 0, 1) for frame in frames], axis=1) * 255).astype("u1")
        rows, columns = pixels.shape
        png = cv2.imencode(".png", pixels)[1].tobytes()
        image = Summary.Image(height=rows, width=columns, colorspace=1, encoded_image_string=png)
        self._board.file_writer.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), iteration)

    def close(self) -> None:
        """Write all that waits."""
        if self._board is not None:
            self._board.close()


def _tensorboard() -> ModuleType | None:
    """tensorboardX, where it is installed: training needs no more than torch."""
    try:
        import tensorboardX
    except ModuleNotFoundError:
        return None
    module: ModuleType = tensorboardX
    return module
