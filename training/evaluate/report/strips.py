"""Pictures of observed and forecast rain side by side."""

from __future__ import annotations

from datetime import timedelta

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure

from radar.colours import COLOURS, MISSING_COLOUR
from radar.sequence import Float32
from training.evaluate.event_scores import Strip
from training.evaluate.report.figures import data_uri
from training.evaluate.report.numbers import OBSERVED

_DRY = "#ffffff"
_WIDTH, _TALLEST = 11.0, 4.0
"""Inches of the whole figure, and of one picture."""


def strip_figure(strip: Strip) -> str:
    """A figure as data URI: a row for the observations and one for each forecaster, a column for each lead time."""
    covered = _covered(strip.observed)
    frames = {name: pictures[:, *covered] for name, pictures in {OBSERVED: strip.observed, **strip.forecasts}.items()}
    columns = len(strip.lead_minutes)
    rows, wide = frames[OBSERVED].shape[1:]
    height = min((_WIDTH - 0.5) / columns * rows / wide, _TALLEST)
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(_WIDTH, 1.1 + (height + 0.05) * len(frames)), layout="compressed")
        grid = figure.subplots(len(frames), columns, squeeze=False)
        for axes_row, (name, pictures) in zip(grid, frames.items(), strict=True):
            axes_row[0].set_ylabel(name, fontweight="bold")
            for axes, picture in zip(axes_row, pictures, strict=True):
                _draw(axes, picture)
        for axes, minutes in zip(grid[0], strip.lead_minutes, strict=True):
            axes.set_title(f"{minutes} minutes ahead, {strip.reference_time + timedelta(minutes=minutes):%H:%M} UTC")
        _legend(figure, grid.ravel().tolist())
        return data_uri(figure, "png", dpi=110)


def _covered(observed: Float32) -> tuple[slice, slice]:
    """The rows and columns with radar data; all if there is no data."""
    known = np.isfinite(observed)
    if not known.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(np.any(known, axis=axes)) for axes in ((0, 2), (0, 1)))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _scale() -> tuple[Colormap, BoundaryNorm]:
    limits = [limit for limit, _ in COLOURS]
    colours = ListedColormap([_DRY, *(colour for _, colour in COLOURS)]).with_extremes(bad=MISSING_COLOUR)
    return colours, BoundaryNorm([0.0, *limits, 1000.0], colours.N)


def _draw(axes: Axes, picture: Float32) -> None:
    colours, norm = _scale()
    axes.imshow(np.ma.masked_invalid(picture), cmap=colours, norm=norm, interpolation="nearest")
    axes.set(xticks=[], yticks=[])


def _legend(figure: Figure, axes: list[Axes]) -> None:
    colours, norm = _scale()
    mappable = ScalarMappable(norm, colours)
    bar = figure.colorbar(mappable, ax=axes, location="bottom", aspect=60, shrink=0.7, pad=0.01)
    bar.set_ticks([limit for limit, _ in COLOURS], labels=[f"{limit:g}" for limit, _ in COLOURS])
    bar.set_label("mm/h; grey: no data")
