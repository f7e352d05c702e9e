"""The scores of a period as a picture: CSI and mean absolute error by lead time, one line for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, NamedTuple

import cv2
import numpy as np
from pydantic import BaseModel

from radar.ledger.ledger import DWD, EXTRAPOLATION, PERSISTENCE
from radar.products import attribution
from service.verification.schema import ScoreAnswer, VerificationAnswer

WIDTH, HEIGHT = 1020, 460
_LEFT, _TOP, _BOTTOM, _GAP = 60, 90, 80, 70
_KEY_WIDTH = 260
_LONGEST_NAME = 30
_INK, _FAINT = "#333333", "#dddddd"
_COLOURS = ("#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22")
_PLAIN = {PERSISTENCE: "#9a9a9a", EXTRAPOLATION: "#555555", DWD: "#e69f00"}
"""Colours with the same meaning in every picture."""
_MOST_TICKS = 6
_STEPS = 5
"""Parts that a panel's height is divided into: tenths and fifths of round numbers are round."""


class Line(NamedTuple):
    """The defined scores of one model: (lead minutes, score)."""

    model: str
    colour: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """The place and the largest value of one score's drawing."""

    title: str
    left: float
    width: float
    largest: float


def plot(answer: VerificationAnswer, threshold: float) -> Drawing:
    """CSI at a threshold beside MAE, or a sentence if there is nothing to draw."""
    drawing = Drawing(WIDTH, HEIGHT)
    drawing.texts.append(Text(_LEFT, 28, f"Nowcasts verified: {answer.product} on {answer.grid}", _INK, size=17))
    drawing.texts.append(Text(_LEFT, 48, _what_was_scored(answer), _INK))
    drawing.texts.append(Text(_LEFT, HEIGHT - 12, attribution(answer.product) or "", _INK, size=11))
    csi = _lines(answer, lambda score: _csi(score, threshold))
    mae = _lines(answer, lambda score: _number(score, "mae"))
    if not any(line.points for line in (*csi, *mae)):
        return drawing
    width = (WIDTH - _LEFT - _KEY_WIDTH - _GAP) / 2
    _draw(drawing, Panel(f"CSI at {threshold:g} mm/h, best is 1", _LEFT, width, 1.0), csi)
    _draw(drawing, Panel("mean absolute error in mm/h, best is 0", _LEFT + width + _GAP, width, _largest(mae)), mae)
    for place, line in enumerate(csi):
        y = _TOP + 10 + 18 * place
        drawing.line([(WIDTH - _KEY_WIDTH + 14, y - 4), (WIDTH - _KEY_WIDTH + 34, y - 4)], line.colour, width=2)
        drawing.texts.append(Text(WIDTH - _KEY_WIDTH + 40, y, _short(line.model), _INK))
    return drawing


def _what_was_scored(answer: VerificationAnswer) -> str:
    """A text: the valid times, and the number of frames at a lead time."""
    if not (answer.since and answer.until and answer.scores):
        return "nothing was scored in this period"
    since, until = (time[:16].replace("T", " ") for time in (answer.since, answer.until))
    fewest, most = (extreme(score.frames for score in answer.scores) for extreme in (min, max))
    frames = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"observed from {since} to {until} UTC, {frames} frames at a lead time"


def _short(model: str) -> str:
    """A name short enough for the key; its end, where versions differ, stays."""
    half = (_LONGEST_NAME - 3) // 2
    return model if len(model) <= _LONGEST_NAME else f"{model[:half]}...{model[-half:]}"


def _lines(answer: VerificationAnswer, read: Callable[[ScoreAnswer], float | None]) -> list[Line]:
    """A line for each model: the served one, other models, then baselines."""
    found: dict[str, list[Point]] = {}
    for score in answer.scores:
        points, value = found.setdefault(score.model, []), read(score)
        if value is not None:
            points.append((score.lead_minutes, value))
    ordered = sorted(found, key=lambda model: (model in _PLAIN, model != answer.served, model))
    colours = _PLAIN | {model: _COLOURS[k % len(_COLOURS)] for k, model in enumerate(ordered) if model not in _PLAIN}
    return [Line(model, colours[model], found[model]) for model in ordered]


def _csi(score: ScoreAnswer, threshold: float) -> float | None:
    return next(_number(entry, "csi") for entry in score.thresholds if entry.threshold == threshold)


def _number(answer: BaseModel, score: str) -> float | None:
    """A score of an answer, by its name in the score table."""
    value: float | None = getattr(answer, score)
    return value


def _largest(lines: Sequence[Line]) -> float:
    """A round number that is not below any of the values."""
    value = max((y for line in lines for _, y in line.points), default=0.0)
    return next((step for step in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0) if step >= value), value)


def _draw(drawing: Drawing, panel: Panel, lines: Sequence[Line]) -> None:
    last = max((x for line in lines for x, _ in line.points), default=1.0)
    bottom = HEIGHT - _BOTTOM

    def place(x: float, y: float) -> Point:
        return panel.left + panel.width * x / last, bottom - (bottom - _TOP) * y / panel.largest

    for tick in range(_STEPS + 1):
        value = panel.largest * tick / _STEPS
        drawing.line([place(0, value), place(last, value)], _FAINT if tick else _INK)
        drawing.texts.append(Text(panel.left - 8, place(0, value)[1] + 4, f"{value:.3g}", _INK, anchor="end"))
    for minutes in _ticks(last):
        drawing.texts.append(Text(place(minutes, 0)[0], bottom + 18, str(minutes), _INK, anchor="middle"))
    drawing.texts.append(Text(panel.left, _TOP - 12, panel.title, _INK))
    drawing.texts.append(Text(panel.left + panel.width / 2, bottom + 38, "lead time in minutes", _INK, anchor="middle"))
    for line in reversed(lines):  # the one that serves lies on top
        points = [place(x, y) for x, y in line.points]
        drawing.line(points, line.colour, width=2)
        drawing.dots(points, line.colour)


def _ticks(last: float) -> range:
    """Round lead times from 0 to the last, in minutes."""
    step = next((step for step in (5, 10, 15, 20, 30, 60, 120) if last / step <= _MOST_TICKS), 240)
    return range(0, round(last) + 1, step)


Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
_SHIFT = 4
"""Bits of OpenCV's fractions of pixels."""


class Text(NamedTuple):
    """A text with its anchor on the base line."""

    x: float
    y: float
    content: str
    colour: str
    anchor: Anchor = "start"
    size: int = 12


class Stroke(NamedTuple):
    """Connected points."""

    points: Sequence[Point]
    colour: str
    width: int


class Dot(NamedTuple):
    """A small filled circle."""

    x: float
    y: float
    colour: str


@dataclass
class Drawing:
    """A drawing on a white ground, in pixels, y downwards."""

    width: int
    height: int
    strokes: list[Stroke] = field(default_factory=list)
    marks: list[Dot] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    def line(self, points: Sequence[Point], colour: str, width: int = 1) -> None:
        """Connect points."""
        if len(points) > 1:
            self.strokes.append(Stroke(points, colour, width))

    def dots(self, points: Sequence[Point], colour: str) -> None:
        """Mark points."""
        self.marks += [Dot(x, y, colour) for x, y in points]

    def to_svg(self) -> bytes:
        """The drawing as SVG without scripts or links."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">']
        parts.append('<rect width="100%" height="100%" fill="#ffffff"/>')
        parts += [_svg_stroke(stroke) for stroke in self.strokes]
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y, colour in self.marks]
        parts += [_svg_text(text) for text in self.texts]
        return "\n".join([*parts, "</svg>", ""]).encode()

    def to_png(self) -> bytes:
        """The drawing as PNG; characters beyond ASCII, which OpenCV's font lacks, become question marks."""
        image = np.full((self.height, self.width, 3), 255, np.uint8)
        for stroke in self.strokes:
            points = np.rint(np.asarray(stroke.points) * 2**_SHIFT).astype(np.int32)
            cv2.polylines(image, [points], False, _bgr(stroke.colour), stroke.width, cv2.LINE_AA, _SHIFT)
        for x, y, colour in self.marks:
            cv2.circle(image, (round(x), round(y)), 3, _bgr(colour), -1, cv2.LINE_AA)
        for text in self.texts:
            _put(image, text)
        return cv2.imencode(".png", image)[1].tobytes()


def _svg_stroke(stroke: Stroke) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in stroke.points)
    return f'<polyline points="{points}" fill="none" stroke="{stroke.colour}" stroke-width="{stroke.width}"/>'


def _svg_text(text: Text) -> str:
    place = f'x="{text.x:.1f}" y="{text.y:.1f}" text-anchor="{text.anchor}" font-size="{text.size}"'
    return f'<text {place} fill="{text.colour}">{escape(text.content)}</text>'


def _put(image: np.ndarray, text: Text) -> None:
    content = text.content.encode("ascii", "replace").decode()
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, text.size / 30
    width = cv2.getTextSize(content, font, scale, 1)[0][0]
    left = text.x - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
    cv2.putText(image, content, (round(left), round(text.y)), font, scale, _bgr(text.colour), 1, cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red
