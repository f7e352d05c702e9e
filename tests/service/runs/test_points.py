"""The rain at places, from runs whose every number is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from radar.extrapolation.neighbourhood import half_width_km
from radar.sequence import FrameSequence, iso, times_after
from service.history.codec import encode
from service.runs.cache import Cache
from service.runs.coverage import covered_by, pack
from service.runs.points import _when, describe_places
from service.runs.probability import members, probabilities, weight
from service.runs.reader import THRESHOLDS, RunReader
from service.runs.run import WholeRun, earlier_runs
from service.runs.runs import Runs
from service.runs.store import MemoryRuns
from tests.service.conftest import SMALL
from tests.service.runs_made import END, made_run

NAN = float("nan")
STEP = timedelta(minutes=5)
LAT, LON = (float(value) for value in SMALL.to_lat_lon(12, 9))


def uniform_run(observed: Sequence[float], forecast: Sequence[float], covered: bytes | None = None) -> WholeRun:
    """A run with the same rain everywhere in each frame."""
    minutes = [*range(-5 * (len(observed) - 1), 1, 5), *range(5, 5 * len(forecast) + 1, 5)]
    rates = np.array([*observed, *forecast], np.float32)
    rain = np.repeat(rates, SMALL.shape[0] * SMALL.shape[1]).reshape(len(rates), *SMALL.shape)
    times = times_after(END + timedelta(minutes=minutes[0] - 5), len(minutes), 5)
    frames = dict(zip(minutes, encode(FrameSequence(rain, times, SMALL, 5, "RY")), strict=True))
    run = made_run(leads=len(forecast)).run.model_copy(update={"observed_minutes": tuple(minutes[: len(observed)])})
    return WholeRun(run, frames, covered or covered_by(frames.values(), SMALL.shape, None))


def reader_of(*wholes: WholeRun) -> RunReader:
    store = MemoryRuns(timedelta(hours=6))
    for whole in wholes:
        store.put(whole)
    return RunReader(Runs(store), Cache(10_000_000))


def told(whole: WholeRun, lat: float = LAT, lon: float = LON) -> dict[str, Any]:
    (place,) = describe_places(reader_of(whole), whole.run, [], [lat], [lon])
    return place.model_dump()


def test_steps_have_rates_amounts_and_times() -> None:
    place = told(uniform_run([0.0, 1.2], [6.0, 0.0]))
    assert [step["lead_minutes"] for step in place["observed"]] == list(range(-55, 1, 5))
    assert place["observed"][-1] == {
        "lead_minutes": 0,
        "valid_from": iso(END - STEP),
        "valid_to": iso(END),
        "rate": 1.2,
        "amount": 0.1,
    }
    assert place["observed"][0]["rate"] is None
    assert place["observed"][0]["amount"] is None
    first = place["forecast"][0]
    assert (first["rate"], first["amount"], first["lead_minutes"]) == (6.0, 0.5, 5)
    assert (first["valid_from"], first["valid_to"]) == (iso(END), iso(END + STEP))
    assert first["probabilities"] == {"0.1": 1, "1": 1, "5": 1, "10": 0}
    assert place["forecast"][1]["probabilities"] == {"0.1": 0, "1": 0, "5": 0, "10": 0}


@pytest.mark.parametrize(
    ("now", "forecast", "rain_now", "starts", "ends"),
    [
        (0.0, [0, 0, 0, 0], False, None, None),
        (0.0, [0, 1, 1, 0], False, 5, 15),
        (0.0, [1, 0, 0, 0], False, 0, 5),
        (0.0, [0, 0, 1, 1], False, 10, None),
        (0.0, [0, 1, 0, 1], False, 5, 10),
        (1.0, [1, 1, 0, 0], True, None, 10),
        (1.0, [0, 0, 1, 0], True, None, 0),
        (1.0, [1, 1, 1, 1], True, None, None),
        (0.096, [0.108, 0, 0, 0], False, 0, 5),  # rain is 0.1 mm/h and more
        (0.0, [0, NAN, 1, 0], False, None, None),  # what is not known may be either
        (1.0, [1, NAN, 0, 0], True, None, None),
        (NAN, [1, 1, 0, 0], None, None, None),
    ],
)
def test_when_rain_starts_and_ends(
    now: float, forecast: list[float], rain_now: bool | None, starts: int | None, ends: int | None
) -> None:
    place = told(uniform_run([0.0, now], forecast))
    assert (place["rain_now"], place["starts_in_minutes"], place["ends_in_minutes"]) == (rain_now, starts, ends)


def test_no_data_now_is_not_the_same_as_no_radar() -> None:
    assert told(uniform_run([0.0, 0.0], [0, 0]))["coverage"] == "ok"
    assert told(uniform_run([0.0, NAN], [NAN, NAN]))["coverage"] == "missing_data"
    never = told(uniform_run([NAN, NAN], [NAN, NAN]))
    assert never["coverage"] == "no_coverage"
    assert never["forecast"][0]["rate"] is None
    assert never["forecast"][0]["probabilities"] == dict.fromkeys(("0.1", "1", "5", "10"))
    once = uniform_run([NAN, NAN], [NAN, NAN], covered=pack(np.ones(SMALL.shape, bool)))
    assert told(once)["coverage"] == "missing_data"  # an outage of more than an hour


@pytest.mark.parametrize(("lat", "lon"), [(0.0, 0.0), (-90.0, 0.0), (90.0, 0.0), (53.0, -170.0)])
def test_a_place_outside_the_grid_has_no_coverage(lat: float, lon: float) -> None:
    place = told(uniform_run([1.0, 1.0], [1, 1]), lat, lon)
    assert (place["coverage"], place["rain_now"], place["starts_in_minutes"]) == ("no_coverage", None, None)
    assert [step["rate"] for step in place["forecast"]] == [None, None]
    assert len(place["observed"]) == 12


def test_many_places_are_told_as_each_alone_and_as_the_field() -> None:
    now, before = made_run(seed=1), made_run(END - STEP, seed=2)
    reader = reader_of(now, before)
    earlier = [before.run]
    rows, columns = np.array([0, 5, 12, 23, 9]), np.array([0, 7, 19, 3, 9])
    lat, lon = SMALL.to_lat_lon(rows, columns)
    together = list(describe_places(reader, now.run, earlier, lat.tolist(), lon.tolist()))
    for place, one_lat, one_lon in zip(together, lat, lon, strict=True):
        assert list(describe_places(reader, now.run, earlier, [one_lat], [one_lon])) == [place]
    rain = reader.rain(now.run, now.run.lead_minutes)
    for index, lead in enumerate(now.run.lead_minutes):
        fields = probabilities(reader, now.run, earlier, lead)
        for place, row, column in zip(together, rows, columns, strict=True):
            step = place.forecast[index]
            if np.isnan(rain[index, row, column]):
                assert (step.rate, step.probabilities["1"]) == (None, None)
                continue
            assert step.rate == pytest.approx(rain[index, row, column], abs=1e-4)
            for threshold, field in zip(THRESHOLDS, fields, strict=True):
                assert step.probabilities[f"{threshold:g}"] == pytest.approx(field[row, column], abs=1e-4)


def test_probabilities_by_hand() -> None:
    now, before = made_run(seed=1), made_run(END - STEP, seed=2)
    reader = reader_of(now, before)
    (field,) = probabilities(reader, now.run, [before.run], 10, [1.0])
    half = round(half_width_km(10))
    rain = np.stack([reader.rain(now.run, [10])[0], reader.rain(before.run, [15])[0]])
    square = rain[:, 12 - half : 13 + half, 10 - half : 11 + half]
    weights = np.array([16, round(16 * (10 / 15) ** 6)])
    hits, pixels = (square >= 1).sum(axis=(1, 2)), np.isfinite(square).sum(axis=(1, 2))
    assert field[12, 10] == pytest.approx((weights * hits).sum() / (weights * pixels).sum())


def test_the_neighbourhood_grows_with_the_lead_time() -> None:
    widths = [half_width_km(lead) for lead in (5, 30, 60, 120)]
    assert widths == sorted(widths)
    assert 0 < widths[0] < 5 < widths[-1] < 50


def test_an_older_run_counts_less_and_the_less_the_shorter_the_lead() -> None:
    assert weight(60, 0) == 16
    assert [weight(60, lag) for lag in (5, 10, 15)] == [10, 6, 4]
    assert [weight(5, lag) for lag in (5, 10, 15)] == [0, 0, 0]


def test_runs_for_older_frames_are_pooled_nearest_first_and_only_the_last_for_each() -> None:
    now = made_run(END, seed=1)
    corrected = made_run(END - STEP, seed=3, made_at=END + timedelta(hours=1))
    others = [made_run(END - k * STEP, seed=10 + k) for k in range(1, 6)]
    correction_of_now = made_run(END, seed=2, made_at=END + timedelta(hours=1))
    newer = made_run(END + STEP, seed=4)
    known = reader_of(now, corrected, *others, correction_of_now, newer)
    earlier = known.earlier(now.run)
    assert [run.id for run in earlier] == [corrected.run.id, others[1].run.id, others[2].run.id]
    assert earlier_runs(now.run, []) == []
    assert [member.minutes for member in members(now.run, earlier, 5)] == [5]  # the others count nothing
    assert [member.minutes for member in members(now.run, earlier, 10)] == [10, 15]
    assert [member.minutes for member in members(now.run, earlier, 20)] == [20]  # the others end before


def test_an_earlier_run_that_went_meanwhile_is_left_out() -> None:
    now, gone = made_run(seed=1), made_run(END - STEP, seed=2)
    reader = reader_of(now)
    alone = probabilities(reader, now.run, [], 5)
    np.testing.assert_array_equal(probabilities(reader, now.run, [gone.run], 5), alone)


@pytest.mark.parametrize(
    ("minutes_ago", "rain_now", "starts", "ends"),
    [
        (0, False, 10, 20),
        (4, False, 6, 16),
        (5, False, 5, 15),
        (14, False, 0, 6),
        (15, True, None, 5),
        (19, True, None, 1),
        (25, False, None, None),
        (29, False, None, None),
        (30, None, None, None),
        (500, None, None, None),
    ],
)
def test_what_is_told_counts_from_now(
    minutes_ago: int, rain_now: bool | None, starts: int | None, ends: int | None
) -> None:
    run = uniform_run([0.0, 0.0], [0] * 6).run
    when = _when(run, [False, False, False, True, True, False, False], minutes_ago)
    assert (when["rain_now"], when["starts_in_minutes"], when["ends_in_minutes"]) == (rain_now, starts, ends)
