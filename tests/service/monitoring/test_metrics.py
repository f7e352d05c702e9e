"""GET /metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from service.monitoring.metrics import Metrics
from tests.service.conftest import Client, RedisServer, npy, rain, wait_until
from tests.service.routes.test_predict import NPY

ABOUT = {"valid_time": "2017-08-16T01:15:00Z", "product": "RY"}


def scraped(client: Client) -> dict[tuple[str, frozenset[str]], float]:
    """Every sample by its name and the values of its labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.values())): sample.value for sample in samples}


def value(client: Client, name: str, *labels: str) -> float | None:
    """A sample's value; None if there is none."""
    return scraped(client).get((f"raincell_{name}", frozenset(labels)))


def post(client: Client, route: str, **params: str) -> httpx.Response:
    """Five small frames."""
    return client.post(route, params={**ABOUT, **params}, content=npy(rain()), headers=NPY)


def test_requests_are_counted_by_template_and_status(client: Client) -> None:
    for name in ("still", "nonesuch", "../../etc"):
        client.get(f"/models/{name}")
    client.get("/a/path/of/somebody's")
    client.request("BREW", "/models")
    assert value(client, "http_requests_total", "GET", "/models/{name}", "200") == 1
    assert value(client, "http_requests_total", "GET", "/models/{name}", "404") == 1
    assert value(client, "http_request_seconds_count", "GET", "/models/{name}") == 2
    assert value(client, "http_requests_total", "GET", "none", "404") == 2
    assert value(client, "http_requests_total", "other", "/models", "405") == 1
    assert "somebody" not in client.get("/metrics").text


def test_the_parts_of_a_forecast_are_measured(client: Client) -> None:
    assert post(client, "/predict").status_code == 200
    samples = scraped(client)
    for part in ("decode", "forecast", "encode"):
        assert samples["raincell_work_seconds_count", frozenset({part})] == 1
    assert samples["raincell_places", frozenset()] == 8
    assert samples["raincell_places_taken", frozenset()] == 0
    assert samples["raincell_queue_depth", frozenset()] == 0
    assert samples["raincell_http_in_flight", frozenset()] == 1, "the one that asks"
    assert samples["raincell_provider_info", frozenset({"cpu"})] == 1
    assert samples["process_resident_memory_bytes", frozenset()] > 10**7


def test_the_age_of_the_newest_frame_and_the_gaps_are_those_of_the_history(client: Client) -> None:
    assert value(client, "history_gaps", "RY", "small") is None
    post(client, "/frames")
    post(client, "/frames", valid_time="2017-08-16T01:50:00Z")
    (series,) = client.get("/frames").json()["series"]
    age = value(client, "newest_frame_age_seconds", "RY", series["grid"])
    assert age is not None
    assert abs(age - series["age_seconds"]) < 30
    assert value(client, "history_gaps", "RY", series["grid"]) == len(series["gaps"]) == 2
    assert timedelta(seconds=age) > timedelta(days=365)


def test_redis_gone_is_seen_and_metrics_go_on(make_client: Callable[..., Client], redis_server: RedisServer) -> None:
    client = make_client(redis_url=redis_server.url)
    post(client, "/frames")
    assert value(client, "history_store_up") == 1
    redis_server.kill()
    assert client.post("/predict?product=RY").json()["degraded"]
    samples = scraped(client)
    assert samples["raincell_history_store_up", frozenset()] == 0
    assert samples["raincell_degraded_answers_total", frozenset({"store"})] == 1
    assert any(name == "raincell_newest_frame_age_seconds" for name, _ in samples), "from memory"


def test_redis_gone_from_the_start_leaves_the_rest(
    make_client: Callable[..., Client], redis_server: RedisServer
) -> None:
    redis_server.kill()
    client = make_client(redis_url=redis_server.url)
    samples = scraped(client)
    assert samples["raincell_history_store_up", frozenset()] == 0
    assert not any(name == "raincell_newest_frame_age_seconds" for name, _ in samples)


def test_applications_count_for_themselves() -> None:
    one, other = Metrics(), Metrics()
    one.runs.labels("model").inc()
    assert one.registry.get_sample_value("raincell_runs_total", {"method": "model"}) == 1
    assert other.registry.get_sample_value("raincell_runs_total", {"method": "model"}) == 0


def test_what_alerts_watch_is_counted_from_zero(client: Client) -> None:
    samples = scraped(client)
    for name, value in (
        ("raincell_runs_total", "model"),
        ("raincell_degraded_answers_total", "store"),
        ("raincell_quarantined_frames_total", "wet_area"),
    ):
        assert samples[name, frozenset({value})] == 0


def test_runs_caches_and_frames_that_are_not_believed_are_counted(client: Client) -> None:
    assert post(client, "/frames").status_code == 201
    wait_until(lambda: client.get("/nowcast").status_code == 200, "the run")
    url = client.get("/nowcast").json()["forecast"][-1]["url"]
    answers = [client.get(url, headers={"Accept": "application/x-npy"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    absurd = np.full((1, 120, 100), 900, np.float32)  # small grids are not judged
    assert client.post("/frames", params=ABOUT, content=npy(absurd), headers=NPY).status_code == 422
    samples = scraped(client)
    assert samples["raincell_runs_total", frozenset({"model"})] == 1
    assert samples["raincell_batch_size_count", frozenset()] == 1
    assert samples["raincell_cache_hits_total", frozenset({"runs"})] >= 1
    assert samples["raincell_cache_misses_total", frozenset({"runs"})] >= 1
    assert sum(value for (name, _), value in samples.items() if name == "raincell_quarantined_frames_total") == 1
