"""Lines, dots and texts that can be written as SVG or as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, NamedTuple

import cv2
import numpy as np

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
    """What is drawn on a white ground, in pixels, y downwards."""

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
        """As SVG without scripts or links."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">']
        parts.append('<rect width="100%" height="100%" fill="#ffffff"/>')
        parts += [_svg_stroke(stroke) for stroke in self.strokes]
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y, colour in self.marks]
        parts += [_svg_text(text) for text in self.texts]
        return "\n".join([*parts, "</svg>", ""]).encode()

    def to_png(self) -> bytes:
        """As PNG; characters beyond ASCII become question marks, which OpenCV's letters lack."""
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
