"""Scores as pictures."""

from __future__ import annotations

from xml.etree import ElementTree

import cv2
import numpy as np

from service.verification.plot import HEIGHT, WIDTH, plot
from service.verification.schema import ScoreAnswer, ThresholdAnswer, VerificationAnswer

SVG = "{http://www.w3.org/2000/svg}"


def score(model: str, lead: int, csi: float | None) -> ScoreAnswer:
    entry = ThresholdAnswer(
        threshold=1.0,
        hits=1,
        misses=1,
        false_alarms=1,
        correct_negatives=1,
        csi=csi,
        pod=None,
        far=None,
        bias=None,
        skill=None,
        fss=[],
        brier=None,
    )
    return ScoreAnswer(model=model, lead_minutes=lead, frames=1, pixels=4, mae=0.3, skill=None, thresholds=[entry])


def answer(*scores: ScoreAnswer) -> VerificationAnswer:
    return VerificationAnswer(
        product="RY",
        grid="<grid>",
        period="24h",
        since=None,
        until=None,
        served="still/1",
        shadows=[],
        refused_shadows={},
        scores=list(scores),
        hours_lead_minutes=None,
        hours=[],
        alerts=[],
        damaged_lines=0,
        degraded=None,
    )


def test_a_line_for_each_model() -> None:
    drawing = plot(answer(score("a/1", 30, 0.5), score("a/1", 60, 0.25), score("b/1", 30, None)), 1.0)
    root = ElementTree.fromstring(drawing.to_svg())
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"CSI at 1 mm/h", "MAE in mm/h", "a/1", "b/1"} <= set(texts)
    assert len(list(root.iter(f"{SVG}circle"))) == 2 + 3
    heights = [float(element.attrib["cy"]) for element in root.iter(f"{SVG}circle")][:2]
    assert heights == [(60 + HEIGHT - 60) / 2, 60 + 0.75 * (HEIGHT - 120)]


def test_the_serving_model_comes_first_and_colours_keep_their_meaning() -> None:
    drawing = plot(answer(*(score(model, 30, 0.5) for model in ("a/1", "persistence", "still/1"))), 1.0)
    assert [text.content for text in drawing.texts if text.x > WIDTH - 160] == ["still/1", "a/1", "persistence"]
    assert [mark.colour for mark in drawing.marks[:3]] == ["#1f77b4", "#2ca02c", "#9a9a9a"]
    (first, *_) = [text for text in drawing.texts if text.content == "lead time in minutes"]
    assert {"0", "5", "30"} <= {text.content for text in drawing.texts if text.y < first.y}


def test_the_png_shows_the_same() -> None:
    png = plot(answer(score("a/1", 30, 0.5), score("a/1", 60, 0.25)), 1.0).to_png()
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert (image == np.array([180, 119, 31])).all(axis=2).sum() > 50  # the first colour, in OpenCV's order


def test_nothing_to_draw_is_said() -> None:
    drawing = plot(answer(), 1.0)
    assert "nothing was scored in this period" in [text.content for text in drawing.texts]
    ElementTree.fromstring(drawing.to_svg())
    assert drawing.to_png().startswith(b"\x89PNG")
