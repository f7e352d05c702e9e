"""Radar outages made on purpose, so that a network learns that missing is not dry."""

from __future__ import annotations

import numpy as np

from training.fit.examples import Float16


def drop_sector(frames: Float16, draw: np.random.Generator) -> Float16:
    """Frames (T, H, W) without a sector of random place, bearing and width (30 to 120 degrees) as seen from a radar."""
    rows, columns = frames.shape[1:]
    row, column = draw.uniform(0, rows), draw.uniform(0, columns)
    bearing, width = draw.uniform(-np.pi, np.pi), draw.uniform(np.pi / 6, 2 * np.pi / 3)
    down, across = np.arange(rows)[:, None] - row, np.arange(columns)[None] - column
    turned = (np.arctan2(down, across) - bearing) % (2 * np.pi)
    return np.where(turned < width, np.float16(np.nan), frames)


def drop_frame(frames: Float16, draw: np.random.Generator) -> Float16:
    """Frames (T, H, W) with one before the last missing altogether; unchanged where there is only one."""
    if len(frames) == 1:
        return frames
    dropped = frames.copy()
    dropped[int(draw.integers(len(frames) - 1))] = np.nan
    return dropped
