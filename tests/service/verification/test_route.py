"""GET /verification, the metrics and /readyz, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radar.ledger.inputs import InputRecord, InputWriter
from radar.ledger.ledger import PERSISTENCE, LedgerWriter, ScoreRecord
from radar.scores.sums import sums_of
from tests.service.conftest import Client, npy, wait_until
from tests.service.routes.test_predict import check_problem

NOON = datetime(2017, 8, 16, 12, tzinfo=UTC)
OBSERVED = np.array([[2.0, 2.0, 0.0, 0.0]], np.float32)
GOOD, STILL = np.array([[2.0, 2.0, 2.0, 0.0]], np.float32), np.array([[2.0, 0.0, 2.0, 2.0]], np.float32)


def record(valid: datetime, lead: int = 30, *, product: str = "RY", width: int = 100, good: bool = True) -> ScoreRecord:
    base = valid - timedelta(minutes=lead)
    observed, said, still = (np.repeat(frame, width, axis=1) for frame in (OBSERVED, GOOD if good else STILL, STILL))
    return ScoreRecord(
        run=f"{product}.small.{base:%Y%m%dT%H%MZ}.still-1.0",
        product=product,
        grid="small",
        reference_time=base,
        lead_minutes=lead,
        served="still/1",
        method="model",
        sums={"still/1": sums_of(said, observed, 1.0), PERSISTENCE: sums_of(still, observed, 1.0)},
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    writer = LedgerWriter(tmp_path / "ledger")
    for each in (record(NOON), record(NOON, 60), record(NOON - timedelta(days=3))):
        writer.append(each)
    return tmp_path / "ledger"


@pytest.fixture
def scored(make_client: Callable[..., Client], ledger: Path) -> Client:
    client = make_client(verification=ledger)
    client.app.state.service.verification.verifier.look()
    return client


def score(answer: dict[str, Any], model: str, lead: int = 30) -> dict[str, Any]:
    (found,) = [s for s in answer["scores"] if (s["model"], s["lead_minutes"]) == (model, lead)]
    return found  # type: ignore[no-any-return]


def test_hand_worked_scores(scored: Client) -> None:
    response = scored.get("/verification")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert (answer["product"], answer["grid"], answer["period"]) == ("RY", "small", "24h")
    assert (answer["since"], answer["until"]) == ("2017-08-15T12:00:00Z", "2017-08-16T12:00:00Z")
    assert (answer["served"], answer["degraded"], answer["damaged_lines"]) == ("still/1", None, 0)
    mine, still = score(answer, "still/1"), score(answer, PERSISTENCE)
    assert (mine["frames"], mine["pixels"], mine["mae"]) == (1, 400, 0.5)
    assert mine["skill"] == 1 - 0.5 / 1.5
    entry = mine["thresholds"][1]
    assert [entry[name] for name in ("threshold", "hits", "misses", "false_alarms", "correct_negatives")] == [
        1.0,
        200,
        0,
        100,
        100,
    ]
    assert (entry["csi"], entry["pod"], entry["far"], entry["bias"]) == (2 / 3, 1.0, 1 / 3, 1.5)
    assert entry["skill"] == pytest.approx((2 / 3 - 0.25) / 0.75)
    assert [near["scale_km"] for near in entry["fss"]] == [5.0, 20.0]
    assert entry["brier"] is None
    assert mine["thresholds"][2]["csi"] is None  # nothing reached 5 mm/h
    assert still["thresholds"][1]["csi"] == 0.25
    assert (still["skill"], still["thresholds"][1]["skill"]) == (0.0, 0.0)


def test_periods_and_lead_times(scored: Client) -> None:
    for period, frames in (("24h", 1), ("7d", 2), ("all", 2)):
        answer = scored.get(f"/verification?period={period}").json()
        assert score(answer, "still/1")["frames"] == frames
    only = scored.get("/verification?lead_minutes=60").json()["scores"]
    assert {entry["lead_minutes"] for entry in only} == {60}
    assert scored.get("/verification?period=1h").status_code == 422
    check_problem(scored.get("/verification?lead_minutes=7"), 422, "a multiple of 30, got 7")
    assert scored.get("/verification?lead_minutes=90").json()["scores"] == []  # may come


def test_the_course_of_a_period(scored: Client) -> None:
    answer = scored.get("/verification?period=7d&lead_minutes=30").json()
    assert answer["hours_lead_minutes"] == 30
    mine = [hour for hour in answer["hours"] if hour["model"] == "still/1"]
    assert [hour["hour"] for hour in mine] == ["2017-08-13T11:00:00Z", "2017-08-16T11:00:00Z"]
    assert (mine[0]["frames"], mine[0]["csi"], mine[0]["mae"]) == (1, 2 / 3, 0.5)
    assert mine[0]["skill"] == pytest.approx((2 / 3 - 0.25) / 0.75)
    usual = scored.get("/verification?period=24h").json()
    assert (usual["hours_lead_minutes"], len(usual["hours"])) == (60, 2)


def test_several_products_have_to_be_named(make_client: Callable[..., Client], ledger: Path) -> None:
    LedgerWriter(ledger).append(record(NOON, product="YW"))
    client = make_client(verification=ledger)
    client.app.state.service.verification.verifier.look()
    assert client.get("/verification").status_code == 422
    assert client.get("/verification?product=YW").json()["product"] == "YW"
    problem = client.get("/verification?product=RV")
    assert problem.status_code == 404
    assert problem.json()["title"] == "Unknown product"


def test_pictures_by_accept(scored: Client) -> None:
    svg = scored.get("/verification", headers={"Accept": "image/svg+xml"})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert b"CSI at 1 mm/h" in svg.content
    png = scored.get("/verification?threshold=5", headers={"Accept": "image/png"})
    assert png.content.startswith(b"\x89PNG")
    assert scored.get("/verification", headers={"Accept": "text/html"}).status_code == 406


def test_without_a_ledger_it_is_said(client: Client) -> None:
    problem = client.get("/verification")
    assert problem.status_code == 404
    assert "RAINCELL_VERIFICATION" in problem.json()["detail"]
    assert client.get("/readyz").json()["alerts"] == []


def test_before_any_score(make_client: Callable[..., Client], tmp_path: Path) -> None:
    client = make_client(verification=tmp_path / "ledger")
    assert client.get("/verification").status_code == 404
    body = np.zeros((1, 900, 900), np.float32)
    posted = client.post(
        "/frames?product=RY&valid_time=2017-08-16T01:15:00Z&grid=radolan",
        content=npy(body),
        headers={"Content-Type": "application/x-npy"},
    )
    assert posted.status_code == 201
    answer = client.get("/verification").json()
    assert (answer["scores"], answer["since"], answer["until"]) == ([], None, None)
    assert (answer["hours"], answer["hours_lead_minutes"]) == ([], None)


def test_a_ledger_that_is_still_being_read_is_told(make_client: Callable[..., Client], tmp_path: Path) -> None:
    client = make_client(verification=tmp_path)
    verification = client.app.state.service.verification
    wait_until(lambda: verification.ledger.complete, "the first look")
    LedgerWriter(tmp_path).append(record(NOON))
    verification.verifier.look()
    assert client.get("/verification").json()["degraded"] is None
    verification.ledger.refresh = lambda: None  # so that the next look in the background does not complete it
    verification.ledger.complete = False
    answer = client.get("/verification").json()
    assert (answer["degraded"], answer["alerts"]) == ("the ledger is still being read", [])


def test_live_scores_for_prometheus(scored: Client) -> None:
    text = scored.get("/metrics").text
    labels = 'grid="small",lead_minutes="30",model="still/1",product="RY"'
    assert f"raincell_live_csi{{{labels}}} 0.6666666666666666" in text
    assert f"raincell_live_mae{{{labels}}} 0.5" in text
    assert "raincell_live_skill{" in text
    assert 'raincell_alert{alert="drift",grid="small",product="RY"} 0.0' in text
    assert "raincell_verified_total" in text


def test_drift_is_told_everywhere(
    make_client: Callable[..., Client], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "raincell")
    writer = LedgerWriter(tmp_path)
    for hour in range(4):
        writer.append(record(NOON + timedelta(hours=hour), 60, good=hour < 1))
    client = make_client(verification=tmp_path, drift_hours=3, drift_skill=0.1)
    client.app.state.service.verification.verifier.look()
    (alert,) = [a for a in client.get("/verification").json()["alerts"] if a["active"]]
    assert (alert["name"], alert["value"], alert["low"]) == ("drift", 0.0, 0.1)
    assert alert["since"] == "2017-08-16T12:00:00Z"
    assert "60 minutes ahead" in alert["detail"]
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["alerts"] == [alert]
    assert 'raincell_alert{alert="drift",grid="small",product="RY"} 1.0' in client.get("/metrics").text
    verifier = client.app.state.service.verification.verifier
    writer.append(record(NOON + timedelta(hours=4), 60))
    verifier.look()
    assert client.get("/readyz").json()["alerts"] == []
    told = [line.getMessage() for line in caplog.records if "alert drift" in line.getMessage()]
    assert len(told) == 2
    assert told[0].startswith("alert drift of RY on small: 0.0; skill of still/1")
    assert told[1] == "alert drift of RY on small is over"


def test_unusual_input_is_told(make_client: Callable[..., Client], tmp_path: Path) -> None:
    writer = InputWriter(tmp_path)
    for k in range(200):
        wet = 0.1 if k < 197 else 0.9
        writer.append(InputRecord("RY", "small", NOON + timedelta(minutes=5 * k), wet, 20.0, 0.4, 5.0))
    client = make_client(verification=tmp_path)
    client.app.state.service.verification.verifier.look()
    (alert,) = client.get("/readyz").json()["alerts"]
    assert (alert["name"], alert["value"]) == ("wet_fraction", 0.9)
    assert alert["high"] == pytest.approx(0.12)
    assert 'raincell_alert{alert="wet_fraction",grid="small",product="RY"} 1.0' in client.get("/metrics").text


def test_damaged_lines_and_a_ledger_that_cannot_be_read_are_told(scored: Client, ledger: Path) -> None:
    (path, _) = sorted(ledger.iterdir())
    with path.open("a") as file:
        file.write(json.dumps({"v": 1}) + "\n")
    verifier = scored.app.state.service.verification.verifier
    verifier.look()
    assert scored.get("/verification").json()["damaged_lines"] == 1
    hidden = ledger.with_name("hidden")
    ledger.rename(hidden)
    ledger.write_text("in the way")
    verifier.look()
    answer = scored.get("/verification").json()
    assert "ledger cannot be" in answer["degraded"]
    assert score(answer, "still/1")["frames"] == 1
    ledger.unlink()
    hidden.rename(ledger)
    verifier.look()
    assert scored.get("/verification").json()["degraded"] is None
