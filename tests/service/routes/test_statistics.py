"""Statistics and probabilities of a model with a distribution: on every route, in every format, and errors."""

from __future__ import annotations

import io
import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio
from compliance_checker.runner import CheckSuite
from redis import Redis

from models.exceedance.forecaster import ExceedanceForecaster
from models.exceedance.odds import STATISTICS, Statistic
from models.onnx_forecaster import load_forecaster
from radar.sequence import Float32, FrameSequence
from service.answers.writers import WRITERS
from service.history.codec import SeriesKey, decode, decode_one, encode
from service.runs.probability import probabilities
from service.runs.reader import THRESHOLDS
from service.runs.run import tag_of
from service.verification.collect import ForecastSources, collect
from service.verification.stores.unserved_forecasts import MemoryUnservedForecasts
from tests.service.answers.test_files import findings
from tests.service.conftest import (
    END,
    SMALL,
    STEP,
    Client,
    RedisServer,
    Site,
    npy,
    rain,
    sequence,
    tiny_card,
    wait_until,
    write_repository,
)
from tests.service.dressed_model import NAME, write_dressed_model
from tests.service.dressed_model import THRESHOLDS as DRESSED_THRESHOLDS
from tests.service.routes.test_predict import NPY, TIME, check_problem, frames_in, opened, post_npy

SERIES = SeriesKey("RY", SMALL.key)
LAT, LON = (float(value) for value in SMALL.to_lat_lon(12, 9))
OTHERS = [name for name in STATISTICS if name != "matched"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a distribution, and one that forecasts one rate for each pixel."""
    folder = write_repository(tmp_path_factory.mktemp("distributions"), tiny_card())
    write_dressed_model(folder)
    return folder


@pytest.fixture(scope="module")
def dressed(models: Path) -> ExceedanceForecaster:
    made = load_forecaster(models / NAME / "1" / "model.onnx", "cpu")
    assert isinstance(made, ExceedanceForecaster)
    return made


@pytest.fixture
def dressed_site(models: Path, make_site: Callable[..., Site]) -> Site:
    """With one run of the model with a distribution."""
    made = make_site(model_repository=models, default_model=NAME, run_lead_minutes=30)
    made.add(sequence(6, end=END))
    made.look_at(END)
    return made


@pytest.fixture
def plain_site(models: Path, make_site: Callable[..., Site]) -> Site:
    """With one run of the other model."""
    made = make_site(model_repository=models, default_model="still", run_lead_minutes=30)
    made.add(sequence(6, end=END))
    made.look_at(END)
    return made


def stored() -> FrameSequence:
    """The site's frames as they are stored."""
    return decode(encode(sequence(6, end=END)))


def frames_of(answer: httpx.Response) -> Float32:
    assert answer.status_code == 200, answer.text
    return np.asarray(np.load(io.BytesIO(answer.content)))


def point(site: Site, rest: str = "") -> httpx.Response:
    return site.get(f"/nowcast/point?lat={LAT}&lon={LON}{rest}")


def points(site: Site, rest: str = "") -> httpx.Response:
    return site.client.post(f"/nowcast/points?{rest}", json=[{"lat": LAT, "lon": LON}])


@pytest.mark.parametrize("name", STATISTICS)
def test_every_route_of_rain_gives_every_statistic_and_names_it(
    name: Statistic, dressed_site: Site, dressed: ExceedanceForecaster
) -> None:
    site, asked = dressed_site, f"statistic={name}"
    forecast = dressed.statistic(stored(), 6, name)
    served = np.stack([decode_one(frame) for frame in encode(forecast)]) if name == "matched" else forecast.rain_rate
    index = site.get(f"/nowcast?{asked}")
    run = f"/nowcast/{index.json()['run']}"
    assert (index.json()["statistic"], index.headers["x-raincell-statistic"]) == (name, name)
    assert index.json()["statistics"] == list(STATISTICS)
    for answer in (site.get(f"{where}?{asked}", "application/x-npy") for where in ("/nowcast", run)):
        np.testing.assert_array_equal(frames_of(answer), served)
        assert answer.headers["x-raincell-statistic"] == name
    linked = site.get(index.json()["forecast"][2]["url"])
    assert (linked.json()["statistic"], linked.json()["lead_minutes"]) == (name, [15])
    np.testing.assert_array_equal(frames_in(linked.json())[0], served[2])
    boxed = site.get(f"{run}/frames/15?{asked}&bbox=-40,-80,60,80", "application/x-npy")
    np.testing.assert_array_equal(frames_of(boxed)[0], served[2])
    for predicted in (
        site.client.post(f"/predict?product=RY&lead_minutes=30&{asked}"),
        post_npy(site.client, stored().rain_rate, lead_minutes=30, statistic=name),
    ):
        assert (predicted.json()["statistic"], predicted.headers["x-raincell-statistic"]) == (name, name)
    np.testing.assert_allclose(
        frames_in(site.client.post(f"/predict?product=RY&lead_minutes=30&{asked}").json()),
        forecast.rain_rate,
        rtol=1e-5,
    )
    answers = point(site, f"&{asked}"), points(site, asked)
    assert [answer.headers["x-raincell-statistic"] for answer in answers] == [name, name]
    one, many = (answer.json() for answer in answers)
    assert (one["statistic"], many["statistic"]) == (name, name)
    for place in (one, many["points"][0]):
        assert [step["rate"] for step in place["forecast"]] == pytest.approx(served[:, 12, 9].tolist(), abs=1e-4)
        assert place["observed"][-1]["rate"] == pytest.approx(float(stored().rain_rate[-1, 12, 9]), abs=1e-4)


def test_without_the_parameter_everything_is_the_matched_picture(dressed_site: Site) -> None:
    for where in ("/nowcast", f"/nowcast/{dressed_site.get('/nowcast').json()['run']}"):
        answer = dressed_site.get(where, "application/x-npy")
        asked = dressed_site.get(f"{where}?statistic=matched", "application/x-npy")
        assert (answer.content, answer.headers["etag"]) == (asked.content, asked.headers["etag"])
    assert point(dressed_site).json() == point(dressed_site, "&statistic=matched").json()
    tags = {dressed_site.get(f"/nowcast?statistic={name}").headers["etag"] for name in STATISTICS}
    assert len(tags) == len(STATISTICS)


def test_statistics_of_a_pixel_are_in_order_and_a_dry_field_is_dry(dressed_site: Site) -> None:
    def fields(product: str) -> list[Float32]:
        return [
            frames_of(dressed_site.get(f"/nowcast?product={product}&statistic={name}", "application/x-npy"))
            for name in ("p10", "median", "p90", "mean")
        ]

    low, middle, high, mean = fields("RY")
    missing = np.isnan(stored().rain_rate[-1])
    known = ~missing
    assert (low[:, known] <= middle[:, known]).all()
    assert (middle[:, known] <= high[:, known]).all()
    assert np.isnan(np.stack([low, middle, high, mean])[:, :, missing]).all()
    frames = sequence(6, end=END, product="DRY")
    frames.rain_rate[np.isfinite(frames.rain_rate)] = 0
    run = dressed_site.add(frames)
    for field in fields("DRY"):
        assert (field[:, known] == 0).all()
        assert np.isnan(field[:, missing]).all()
    for threshold in ("0.1", "10"):
        chance = frames_of(
            dressed_site.get(f"/nowcast/{run}/probability/30?threshold={threshold}", "application/x-npy")
        )
        assert (chance[0, known] == 0).all()


@pytest.mark.parametrize("route", ["run", "predict"])
def test_every_format_names_the_statistic(route: str, dressed_site: Site) -> None:
    def ask(name: str, media_type: str) -> httpx.Response:
        if route == "run":
            return dressed_site.get(f"/nowcast?lead_minutes=15&statistic={name}", media_type)
        query = f"/predict?product=RY&lead_minutes=15&statistic={name}"
        return dressed_site.client.post(query, headers={"Accept": media_type})

    for name, media_type in itertools.product(STATISTICS, WRITERS):
        answer = ask(name, media_type)
        assert answer.status_code == 200
        assert answer.headers["x-raincell-statistic"] == name
        file_name = answer.headers["content-disposition"]
        assert [other for other in STATISTICS if f"-{other}." in file_name] == ([] if name == "matched" else [name])
        if media_type == "application/json":
            assert answer.json()["statistic"] == name
        elif media_type == "application/netcdf":
            assert opened(answer.content).attrs["statistic"] == name
        elif media_type == "image/tiff":
            with rasterio.MemoryFile(answer.content) as memory, memory.open() as dataset:
                assert dataset.tags()["STATISTIC"] == name
                assert ("10th" in dataset.descriptions[0]) == (name == "p10")
        elif media_type == "image/png":
            assert f"Statistic\0{name}".encode() in answer.content


def test_netcdf_has_the_words_of_cf(dressed_site: Site, tmp_path: Path) -> None:
    CheckSuite.load_all_available_checkers()
    words = {"mean": "mean", "median": "median", "p10": "10th percentile", "p90": "90th percentile"}
    for name in STATISTICS:
        answer = dressed_site.get(f"/nowcast?lead_minutes=5&statistic={name}", "application/netcdf")
        attributes = opened(answer.content).rainfall_rate.attrs
        beside = f" ({words[name]} of the forecast distribution)" if name in words else ""
        assert (attributes["cell_methods"], attributes["statistic"]) == (f"time: mean{beside}", name)
        path = tmp_path / f"{name}.nc"
        path.write_bytes(answer.content)
        assert findings(CheckSuite(), path) == []


# --- forecasts without a distribution --------------------------------------------------------------------------------


def test_a_forecast_without_a_distribution_gives_the_matched_picture_only(plain_site: Site) -> None:
    site = plain_site
    run = site.get("/nowcast").json()
    assert (run["statistic"], run["statistics"]) == ("matched", ["matched"])
    for name in OTHERS:
        asked = f"statistic={name}"
        refused = [
            *(site.get(f"{where}?{asked}") for where in ("/nowcast", run["url"], f"{run['url']}/frames/5")),
            *(site.get(f"{where}?{asked}", "image/png") for where in ("/nowcast", run["url"])),
            *(point(site, f"&{asked}"), points(site, asked)),
            *(site.client.post(f"/predict?{asked}{rest}") for rest in ("&product=RY", "&model=still", "")),
            post_npy(site.client, rain(), statistic=name),
        ]
        for answer in refused:
            problem = check_problem(answer, 422, f"distribution, for {asked}", "still", "statistic=matched")
            assert problem["type"] == "urn:raincell:problem:no-distribution"
    matched = "statistic=matched"
    asked_for = [site.get(f"/nowcast?{matched}"), point(site, f"&{matched}"), points(site, matched)]
    asked_for.append(site.client.post(f"/predict?product=RY&{matched}"))
    assert [(answer.status_code, answer.json()["statistic"]) for answer in asked_for] == [(200, "matched")] * 4


def test_another_model_of_the_same_service_is_asked_for_its_own(
    plain_site: Site, dressed: ExceedanceForecaster
) -> None:
    answer = plain_site.client.post(f"/predict?product=RY&lead_minutes=10&model={NAME}&statistic=p90")
    np.testing.assert_allclose(frames_in(answer.json()), dressed.statistic(stored(), 2, "p90").rain_rate, rtol=1e-5)


def test_a_stand_in_has_no_distribution(models: Path, make_site: Callable[..., Site]) -> None:
    site = make_site(model_repository=models, default_model=NAME, run_lead_minutes=30)
    run = site.add(sequence(3, end=END))
    assert site.get("/nowcast").json()["method"] == "sprog-cdf"
    assert site.get("/nowcast").json()["statistics"] == ["matched"]
    for answer in (site.get(f"/nowcast/{run}?statistic=mean"), point(site, "&statistic=mean")):
        check_problem(answer, 422, "a run that sprog-cdf made in place of the model")
    stand_in = site.client.post("/predict?product=RY&statistic=mean")
    check_problem(stand_in, 422, "too few frames for model dressed: sprog-cdf stands in")
    assert site.client.post("/predict?product=RY").json()["method"] == "sprog-cdf"
    assert point(site).json()["probability_method"] == "neighbourhood and time-lagged runs"


def test_an_observed_frame_has_no_statistic(dressed_site: Site) -> None:
    run = dressed_site.get("/nowcast?statistic=p90").json()
    assert run["observed"][-1]["url"].endswith("/frames/0")
    observed = dressed_site.get(run["observed"][-1]["url"])
    assert observed.json()["statistic"] is None
    assert "x-raincell-statistic" not in observed.headers
    for part in (f"{run['url']}/frames/-5?", "/nowcast?format=png&lead_minutes=-5&"):
        assert dressed_site.get(f"{part}statistic=matched").status_code == 200
        check_problem(dressed_site.get(f"{part}statistic=p90"), 422, "-5 minutes, which is observed")


def test_an_unknown_statistic_is_named(dressed_site: Site) -> None:
    for answer in (dressed_site.get("/nowcast?statistic=p95"), dressed_site.client.post("/predict?statistic=")):
        check_problem(answer, 422, "'p90'")
    check_problem(dressed_site.get("/nowcast?statistics=p90"), 422, "write statistic")
    run = dressed_site.get("/nowcast").json()["url"]
    check_problem(dressed_site.get(f"{run}/probability/5?statistic=p90"), 422, "statistic")


# --- probabilities ---------------------------------------------------------------------------------------------------


def test_probabilities_are_the_models_own_on_every_route(dressed_site: Site, dressed: ExceedanceForecaster) -> None:
    expected = dressed.probabilities(stored(), 6, THRESHOLDS)
    url = dressed_site.get("/nowcast").json()["url"]
    for threshold, fields in zip(("0.1", "1", "5", "10"), expected, strict=True):
        for lead in (5, 30):
            asked = f"{url}/probability/{lead}?threshold={threshold}"
            array = dressed_site.get(asked, "application/x-npy")
            np.testing.assert_array_equal(frames_of(array)[0], fields[lead // 5 - 1])
            told = dressed_site.get(asked).json()
            assert (told["method"], told["neighbourhood_km"], told["runs"]) == ("model", None, [told["run"]])
            assert opened(dressed_site.get(asked, "application/netcdf").content).attrs["method"] == "model"
    assert "immutable" in array.headers["cache-control"]  # no other run is counted
    one, many = point(dressed_site).json(), points(dressed_site).json()
    for place, source in ((one, one), (many["points"][0], many)):
        assert (source["probability_method"], source["probability_runs"]) == ("model", [one["run"]])
        for step, at in zip(place["forecast"], expected[:, :, 12, 9].T, strict=True):
            assert list(step["probabilities"].values()) == pytest.approx(at.tolist(), abs=1e-4)


def test_earlier_runs_change_no_probability_of_a_model_of_its_own(dressed_site: Site) -> None:
    dressed_site.add(sequence(1, end=END + STEP, seed=4))
    newest, earlier = dressed_site.service.runs.runs(SERIES)
    reader = dressed_site.service.reader
    assert reader.earlier(newest) == []
    alone, beside = (probabilities(reader, newest, others, 10) for others in ([], [earlier]))
    np.testing.assert_array_equal(alone, beside)


def test_scores_are_of_the_probabilities_and_the_picture_that_were_served(dressed_site: Site) -> None:
    dressed_site.add(sequence(1, end=END + STEP, seed=4))
    service = dressed_site.service
    known = service.runs.runs(SERIES)
    scored = collect(ForecastSources(service.runs, service.reader, MemoryUnservedForecasts()), known[0], 15, known)
    url = f"/nowcast/{known[0].id}"
    for threshold, field in scored.probabilities.items():
        served = dressed_site.get(f"{url}/probability/15?threshold={threshold:g}", "application/x-npy")
        np.testing.assert_array_equal(field, frames_of(served)[0])
    picture = dressed_site.get(f"{url}/frames/15", "application/x-npy")
    np.testing.assert_array_equal(scored.judged[scored.served], frames_of(picture)[0])


# --- stored runs in Redis --------------------------------------------------------------------------------------------


@pytest.fixture
def shared(models: Path, redis_server: RedisServer, make_site: Callable[..., Site]) -> Callable[..., Site]:
    """Makes replicas that share a real Redis."""

    def make(**settings: Any) -> Site:
        about = {"model_repository": models, "default_model": NAME, "redis_url": redis_server.url}
        return make_site(run_lead_minutes=30, **about, **settings)

    return make


def test_another_replica_serves_the_same_and_from_its_memory_without_redis(
    shared: Callable[..., Site], redis_server: RedisServer
) -> None:
    first, second = shared(), shared()
    run = first.add(sequence(6, end=END))
    asked = [f"/nowcast/{run}?statistic=p90", f"/nowcast/{run}/probability/15?threshold=5"]
    expected = [frames_of(first.get(each, "application/x-npy")) for each in asked]
    wait_until(lambda: second.service.runs.remembered(run) is not None, "the other replica to remember the run")
    whole = second.service.runs.remembered(run)
    assert whole is not None
    assert set(whole.odds) == set(whole.run.lead_minutes)
    redis_server.kill()
    for each, field in zip(asked, expected, strict=True):
        np.testing.assert_array_equal(frames_of(second.get(each, "application/x-npy")), field)


def test_a_run_of_a_former_version_is_served_as_before(shared: Callable[..., Site], redis_server: RedisServer) -> None:
    run = shared(runs=True).add(sequence(6, end=END))
    redis: Any = Redis(port=redis_server.port)
    key = f"raincell:{{{tag_of(run)}}}:run:{run}"
    index = json.loads(redis.hget(key, "run"))
    assert index.pop("thresholds") == list(DRESSED_THRESHOLDS)
    redis.hset(key, "run", json.dumps(index))
    redis.hdel(key, *(field for field in redis.hkeys(key) if field.startswith(b"odds:")))
    site = shared(runs=False)
    site.look_at(END)
    told = site.get(f"/nowcast/{run}").json()
    assert (told["method"], told["statistics"]) == ("model", ["matched"])
    assert site.get(f"/nowcast/{run}/frames/5?statistic=matched").json()["statistic"] == "matched"
    chance = site.get(f"/nowcast/{run}/probability/15")
    assert chance.json()["method"] == point(site).json()["probability_method"] == "neighbourhood and time-lagged runs"
    assert chance.json()["neighbourhood_km"] > 0
    check_problem(site.get(f"/nowcast/{run}?statistic=mean"), 422, "a run of model dressed 1 without one")
    check_problem(point(site, "&statistic=mean"), 422, "a run of model dressed 1 without one")


def test_damaged_odds_are_counted_and_their_run_is_made_again(
    shared: Callable[..., Site], redis_server: RedisServer
) -> None:
    site = shared()
    run = site.add(sequence(6, end=END))
    expected = frames_of(site.get(f"/nowcast/{run}/frames/30?statistic=p90", "application/x-npy"))
    Redis(port=redis_server.port).hset(f"raincell:{{{tag_of(run)}}}:run:{run}", "odds:5", b"damaged")
    check_problem(site.get(f"/nowcast/{run}/frames/5?statistic=p90"), 410, "which has expired")
    assert 'raincell_dropped_values_total{kind="run"} 1.0' in site.get("/metrics").text
    again_there = f"/nowcast/{run}/frames/5?statistic=p10"
    wait_until(lambda: site.get(again_there).status_code == 200, "the run to be made again")
    again = frames_of(site.get(f"/nowcast/{run}/frames/30?statistic=p90", "application/x-npy"))
    np.testing.assert_array_equal(again, expected)


# --- together --------------------------------------------------------------------------------------------------------


def test_callers_who_ask_for_different_statistics_together_get_each_their_own(
    models: Path, make_client: Callable[..., Client], dressed: ExceedanceForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(model_repository=models, default_model=NAME, batch_size=4)
    batches: list[tuple[str, int]] = []
    begun, opened_ = threading.Event(), threading.Event()
    make = ExceedanceForecaster.statistic_batch

    def held(self: ExceedanceForecaster, histories: Any, steps: int, name: Statistic) -> Any:
        batches.append((name, len(histories)))
        begun.set()
        assert opened_.wait(60)
        return make(self, histories, steps, name)

    monkeypatch.setattr(ExceedanceForecaster, "statistic_batch", held)
    answers: dict[tuple[Statistic, int], httpx.Response] = {}

    def post(name: Statistic, seed: int) -> None:
        query = {"valid_time": TIME, "lead_minutes": 10, "statistic": name}
        headers = {**NPY, "Accept": "application/x-npy"}
        answers[name, seed] = client.post("/predict", params=query, content=npy(rain(seed=seed)), headers=headers)

    asked: list[tuple[Statistic, int]] = [
        ("mean", 0),
        ("p90", 1),
        ("matched", 2),
        ("p90", 3),
        ("mean", 4),
        ("matched", 5),
    ]
    threads = [threading.Thread(target=post, args=one) for one in asked]
    threads[0].start()
    assert begun.wait(60)
    for count, thread in enumerate(threads[1:], 1):
        thread.start()
        wait_until(lambda: client.app.state.service.worker.waiting == count, "a caller to wait")  # noqa: B023
    opened_.set()
    for thread in threads:
        thread.join()
    assert batches == [("mean", 1), ("p90", 2), ("matched", 2), ("mean", 1)]
    monkeypatch.undo()
    for (name, seed), answer in answers.items():
        past = FrameSequence(rain(seed=seed), sequence(5, end=END).valid_times, SMALL, 5, "")
        np.testing.assert_allclose(frames_of(answer), dressed.statistic(past, 2, name).rain_rate, rtol=1e-4, atol=1e-4)
