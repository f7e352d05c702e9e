"""The plots of a report, drawn from its numbers, as data URIs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import cycle
from typing import Any, Literal
from urllib.parse import quote

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from radar.scores.pixels import Float64
from radar.scores.table import Score, shown_in
from training.evaluate.report.numbers import OBSERVED, Row

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6f4e37", "#999999")
"""Okabe and Ito's colours, which colour-blind readers can distinguish."""
_STYLE: Any = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "svg.hashsalt": "raincell",
}
styled = matplotlib.rc_context(_STYLE)
"""Decorates functions that draw."""
_IN_A_ROW = 3
"""Plots of scores without a threshold."""
_LONGEST_WAVE_KM = 256.0

_AS_THEY_ARE = " '/=;,<>"
"""Characters of a quoted data URI that need no escape, in addition to letters and digits."""
_WIDTH, _MARGINS, _LEFT, _RIGHT = 11.0, 1.05, 0.6, 0.1
"""Inches of a figure's width, of the margins above and below its plots, and of the plots' total width."""
_INSIDE = _WIDTH - _LEFT - _RIGHT
_GAP = 0.3
"""Space between plots, in their mean width or height."""

Grid = npt.NDArray[np.object_]
"""Rows and columns of `Axes`."""


def colours_of(models: Sequence[str]) -> dict[str, str]:
    """A colour for each model, the same on every plot."""
    return dict(zip(models, cycle(_COLOURS), strict=False)) | {OBSERVED: "#000000"}


@styled
def score_figure(rows: Sequence[Row], event: Row) -> str:
    """CSI, FSS, bias and Brier score by lead time: a row of plots for each threshold that rain reached."""
    thresholds = [limit for limit in event["thresholds"] if _ever(rows, limit)] or event["thresholds"][:1]
    scores = [score for score in shown_in("plots") if score.axis != "frame"]
    figure = _figure(_WIDTH, _MARGINS + 2.0 * len(thresholds))
    grid = figure.subplots(len(thresholds), len(scores), sharex=True, squeeze=False)
    for axes_row, threshold in zip(grid, thresholds, strict=True):
        chosen = [row for row in rows if row["threshold"] == threshold]
        for axes, score in zip(axes_row, scores, strict=True):
            suffix = f", {event['fss_km'][0]:g} km" if score.axis == "neighbourhood" else ""
            _by_lead(axes, chosen, score, event["models"], f"{suffix}, {threshold:g} mm/h")
            low, high = axes.dataLim.intervaly
            if score.best == "highest" and low >= 0 and high <= 1:
                axes.set_ylim(0, 1)
    return _finish(figure, grid, event["models"])


@styled
def error_figure(rows: Sequence[Row], event: Row) -> str:
    """Scores without a threshold, by lead time."""
    scores = [score for score in shown_in("plots") if score.axis == "frame"]
    lines = -(-len(scores) // _IN_A_ROW)
    figure = _figure(_WIDTH, 2.5 * lines)
    grid = figure.subplots(lines, _IN_A_ROW, sharex=True, squeeze=False)
    chosen = [row for row in rows if row["threshold"] == event["thresholds"][0]]
    for axes in grid.flat[len(scores) :]:
        axes.remove()
    for axes, score in zip(grid.flat, scores, strict=False):
        _by_lead(axes, chosen, score, event["models"])
    return _finish(figure, grid, event["models"])


@styled
def spectrum_figure(rows: Sequence[Row], event: Row, leads: Sequence[int]) -> str:
    """Power by wavelength at some lead times, observed in black."""
    figure = _figure(_WIDTH, 3.6)
    grid = figure.subplots(1, len(leads), sharey=True, squeeze=False)
    wavelengths = np.array(event["wavelengths_km"])
    shown = wavelengths <= _LONGEST_WAVE_KM
    for axes, minutes in zip(grid.flat, leads, strict=True):
        for row in (row for row in rows if row["lead_minutes"] == minutes):
            power, model = _numbers(row["power"]), row["model"]
            drawn = shown & (power > 0)
            width = 2.0 if model == OBSERVED else 1.2
            axes.plot(wavelengths[drawn], power[drawn], color=colours_of(event["models"])[model], lw=width, label=model)
        if _drawn(axes):
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axes.invert_xaxis()
        axes.set_title(f"{minutes} minutes ahead")
        axes.set_xlabel("wavelength (km)")
    grid[0, 0].set_ylabel("power density ((mm/h)²)")
    return _finish(figure, grid, [OBSERVED, *event["models"]], xlabel="")


@styled
def reliability_figure(rows: Sequence[Row], event: Row) -> str:
    """Observed frequency by forecast probability, all lead times together, above the pixels of each probability."""
    thresholds = [limit for limit in event["thresholds"] if _ever_happened(rows, limit)] or event["thresholds"][:1]
    columns = max(len(thresholds), 4)
    width = _INSIDE / (columns + _GAP * (columns - 1))
    figure = _figure(_WIDTH, _MARGINS + width * (4 + 2 * _GAP) / 3)  # so that the diagrams are square
    grid = figure.subplots(2, columns, sharex=True, sharey="row", squeeze=False, height_ratios=(3, 1))
    for axes in grid[:, len(thresholds) :].flat:
        axes.remove()
    grid = grid[:, : len(thresholds)]
    for (diagram, histogram), threshold in zip(grid.T, thresholds, strict=True):
        diagram.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--")
        for model in event["models"]:
            probability, frequency, count = _pooled(
                row for row in rows if (row["model"], row["threshold"]) == (model, threshold)
            )
            colour = colours_of(event["models"])[model]
            enough = count >= 1
            diagram.plot(probability[enough], frequency[enough], color=colour, marker="o", ms=3, lw=1.2)
            histogram.plot(probability[enough], count[enough], color=colour, marker="o", ms=2, lw=1)
        ticks = (0, 0.5, 1)
        diagram.set(xlim=(0, 1), ylim=(0, 1), xticks=ticks, yticks=ticks, title=f"{threshold:g} mm/h")
        diagram.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        if _drawn(histogram):
            histogram.set_yscale("log")
            histogram.yaxis.set_major_locator(LogLocator(numticks=3))
            histogram.yaxis.set_minor_locator(NullLocator())
    grid[0, 0].set_ylabel("observed frequency")
    grid[1, 0].set_ylabel("pixels")
    return _finish(figure, grid, event["models"], xlabel="forecast probability")


def data_uri(figure: Figure, kind: Literal["svg", "png"], dpi: float = 100) -> str:
    """A figure as an inline picture; SVG stays text, which archives and git compress to a tenth."""
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
    if kind == "svg":
        return f"data:image/svg+xml,{quote(buffer.getvalue(), safe=_AS_THEY_ARE)}"
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _figure(width: float, height: float) -> Figure:
    """A figure in inches, with margins for a legend above and labels below; a layout by text would be slow."""
    figure = Figure(figsize=(width, height))
    above, below = (inches / height for inches in (0.55, _MARGINS - 0.55))
    sides = {"left": _LEFT / width, "right": 1 - _RIGHT / width, "top": 1 - above, "bottom": below}
    figure.subplots_adjust(**sides, wspace=_GAP, hspace=_GAP)
    return figure


def _finish(figure: Figure, grid: Grid, models: Sequence[str], xlabel: str = "lead time (minutes)") -> str:
    """One legend for all plots above them, and a label below."""
    colours = colours_of([model for model in models if model != OBSERVED])
    lines = [Line2D([], [], color=colours[model], label=model) for model in models]
    figure.legend(handles=lines, loc="upper left", ncols=len(lines))
    for axes in grid[-1]:
        if xlabel:
            axes.set_xlabel(xlabel)
    return data_uri(figure, "svg")


def _by_lead(axes: Axes, rows: Sequence[Row], score: Score, models: Sequence[str], suffix: str = "") -> None:
    """A line with its band for each model."""
    name = score.name
    axes.set_title(f"{score.label or score.title}{suffix}")
    for model in models:
        own = [row for row in rows if row["model"] == model]
        leads = _numbers([row["lead_minutes"] for row in own])
        value, low, high = (_numbers([row[key] for row in own]) for key in (name, f"{name}_low", f"{name}_high"))
        colour = colours_of(models)[model]
        axes.plot(leads, value, color=colour, marker="o", ms=2.5, lw=1.3)
        axes.fill_between(leads, low, high, color=colour, alpha=0.12, lw=0)
    if score.best == "near 1":
        _around_one(axes)


def _drawn(axes: Axes) -> bool:
    """Whether a line has any point: a logarithmic axis without points is an error."""
    return any(len(np.asarray(line.get_xdata())) for line in axes.get_lines())


def _around_one(axes: Axes) -> None:
    axes.axhline(1, color="#888888", lw=1, ls="--")
    axes.set_ylim(bottom=0)


def _ever(rows: Sequence[Row], threshold: float) -> bool:
    """Whether rain reached a threshold at any lead time."""
    return any(row["pod"] is not None for row in rows if row["threshold"] == threshold)


def _ever_happened(rows: Sequence[Row], threshold: float) -> bool:
    return any(share for row in rows if row["threshold"] == threshold for share in row["frequency"] if share)


def _pooled(rows: Iterable[Row]) -> tuple[Float64, Float64, Float64]:
    """Reliability of several lead times together: mean probability, frequency and count of each bin."""
    chosen = list(rows)
    count = np.array([row["count"] for row in chosen], np.float64)
    probability, frequency = (
        np.nan_to_num([_numbers(row[key]) for row in chosen]) for key in ("probability", "frequency")
    )
    total = count.sum(axis=0)
    safe = np.maximum(total, 1)
    return (probability * count).sum(axis=0) / safe, (frequency * count).sum(axis=0) / safe, total


def _numbers(values: Sequence[float | None]) -> Float64:
    return np.array([np.nan if value is None else value for value in values], np.float64)
