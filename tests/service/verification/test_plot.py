"""Scores as pictures."""

from __future__ import annotations

from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from service.verification.plot import HEIGHT, WIDTH, plot
from service.verification.schema import ScoreAnswer, ThresholdAnswer, VerificationAnswer

SVG = "{http://www.w3.org/2000/svg}"


def score(model: str, lead: int, csi: float | None) -> ScoreAnswer:
    scores = {"csi": csi, "skill": None, **dict.fromkeys(("pod", "far", "bias", "brier"))}
    counts = dict.fromkeys(("hits", "misses", "false_alarms", "correct_negatives"), 1)
    entry = ThresholdAnswer.model_validate({"threshold": 1.0, **counts, **scores, "fss": []})
    about = {"model": model, "lead_minutes": lead, "frames": 1, "pixels": 4}
    return ScoreAnswer.model_validate({**about, "mae": 0.3, "skill": None, "thresholds": [entry]})


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
    assert {"CSI at 1 mm/h, best is 1", "mean absolute error in mm/h, best is 0", "a/1", "b/1"} <= set(texts)
    assert len(list(root.iter(f"{SVG}circle"))) == 2 + 3
    half, quarter = (float(element.attrib["cy"]) for element in list(root.iter(f"{SVG}circle"))[:2])
    zero, one = (next(text.y - 4 for text in drawing.texts if text.content == label) for label in ("0", "1"))
    assert [half, quarter] == pytest.approx([(zero + one) / 2, (3 * zero + one) / 4], abs=0.06)


def test_it_says_of_what_and_when_and_whose_data_it_is() -> None:
    scored = answer(score("a/1", 30, 0.5), score("a/1", 60, 0.25).model_copy(update={"frames": 7}))
    said = scored.model_copy(update={"since": "2017-08-15T02:00:00Z", "until": "2017-08-16T01:50:00Z"})
    texts = [text.content for text in plot(said, 1.0).texts]
    assert texts[:3] == [
        "Nowcasts verified: RY on <grid>",
        "observed from 2017-08-15 02:00 to 2017-08-16 01:50 UTC, 1 to 7 frames at a lead time",
        "Data basis: Deutscher Wetterdienst",
    ]


def test_versions_of_a_day_can_be_told_apart() -> None:
    names = [f"{model}/20261125T04{minute}00Z" for model in ("ms-preciplstm", "a-model-of-mine") for minute in (10, 40)]
    drawing = plot(answer(*(score(name, 30, 0.5) for name in names)), 1.0)
    key = [text.content for text in drawing.texts if text.x > WIDTH - 250]
    assert len(set(key)) == 4
    assert set(names[:2]) <= set(key)


def test_the_serving_model_comes_first_and_colours_keep_their_meaning() -> None:
    drawing = plot(answer(*(score(model, 30, 0.5) for model in ("a/1", "persistence", "still/1"))), 1.0)
    assert [text.content for text in drawing.texts if text.x > WIDTH - 250] == ["still/1", "a/1", "persistence"]
    assert [mark.colour for mark in drawing.marks[:3]] == ["#9a9a9a", "#2ca02c", "#1f77b4"]  # the last one lies on top
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
