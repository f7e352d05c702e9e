"""The log of a run: a line of JSON, and scalars and pictures for TensorBoard, at every validation."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from radar.sequence import Float32
from radar.system.durable import write_text
from radar.system.journal import Line, append_lines, lines_and_damage

_NAMED = 5
"""Lines without sense that are named by their numbers."""


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
        """Forget what an interrupted run told of later iterations; name lines that cannot be read, and drop them.

        Raises
        ------
        OSError
            The disk, or a log that is no file.
        """
        if not self._writes:
            return
        kept = [line for line in self._readable() if line["iteration"] <= iteration]
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))
        board = _tensorboard()
        if board is not None:
            self._board = board.SummaryWriter(
                str(self._out / "tensorboard"), purge_step=iteration + 1, filename_suffix=f".{iteration + 1}"
            )

    def _readable(self) -> list[Line]:
        lines, damaged = lines_and_damage(self._path)
        readable = [line for line in lines if isinstance(line.get("iteration"), int)]
        if others := len(lines) - len(readable):
            _name(f"{others} lines of {self._path} name no iteration: they are dropped")
        if damaged:
            numbers = ", ".join(map(str, damaged[:_NAMED])) + (", ..." if len(damaged) > _NAMED else "")
            _name(f"line {numbers} of {self._path} is not whole, as a kill leaves one: it is dropped")
        return readable

    @property
    def draws(self) -> bool:
        """Whether somebody will see pictures."""
        return self._board is not None

    def record(self, iteration: int, values: dict[str, float]) -> None:
        """One line, with null for what is no number, and a scalar for each value."""
        if not self._writes:
            return
        told = {name: value if math.isfinite(value) else None for name, value in values.items()}
        append_lines(self._path, [{"iteration": iteration, **told}])
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


def _name(what: str) -> None:
    tqdm.write(what, file=sys.stderr)


def _tensorboard() -> ModuleType | None:
    """tensorboardX, where it is installed: training needs no more than torch."""
    try:
        import tensorboardX
    except ModuleNotFoundError:
        return None
    module: ModuleType = tensorboardX
    return module
