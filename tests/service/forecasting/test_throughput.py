"""Callers who wait for the model: together, too long, or no longer."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from models.recurrent import RecurrentForecaster
from service.app import create_app
from service.context import Service
from service.settings import Settings
from tests.service.conftest import Client, npy, rain, wait_until
from tests.service.routes.test_predict import check_problem

NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
ABOUT = {"valid_time": "2017-08-16T01:15:00Z"}


class Gate:
    """Holds every forecast up until it is opened, and notes the sizes of the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.opened = threading.Event()
        self._forecast = RecurrentForecaster.forecast_batch

    def __call__(self, forecaster: Any, histories: Any, steps: int) -> Any:
        self.batches.append(len(histories))
        assert self.opened.wait(60)
        return self._forecast(forecaster, histories, steps)

    def wait(self) -> None:
        """Until a forecast is held up."""
        wait_until(lambda: bool(self.batches), "a forecast to begin")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(
        RecurrentForecaster, "forecast_batch", lambda self, histories, steps: made(self, histories, steps)
    )
    yield made
    made.opened.set()


def ask(client: Client, seed: int, answers: dict[int, Any]) -> threading.Thread:
    """Ask in a thread of its own."""

    def post() -> None:
        answers[seed] = client.post("/predict", params=ABOUT, content=npy(rain(seed=seed)), headers=NPY)

    thread = threading.Thread(target=post)
    thread.start()
    return thread


def waiting(client: Client, count: int) -> None:
    service: Service = client.app.state.service
    wait_until(lambda: service.worker.waiting == count, f"{count} to wait")


def test_who_waits_for_the_same_is_answered_together_and_each_with_his_own(
    make_client: Callable[..., Client], gate: Gate
) -> None:
    client = make_client(batch_size=4)
    answers: dict[int, Any] = {}
    threads = [ask(client, 0, answers)]
    gate.wait()
    threads += [ask(client, seed, answers) for seed in range(1, 6)]
    waiting(client, 5)
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert gate.batches == [1, 4, 1]
    for seed, answer in answers.items():
        forecast = np.load(io.BytesIO(answer.content))
        np.testing.assert_allclose(forecast[0], rain(seed=seed)[-1], rtol=1e-4)


def test_who_waits_too_long_is_told_when_to_come_again(make_client: Callable[..., Client], gate: Gate) -> None:
    client = make_client(deadline_seconds=0.1)
    answers: dict[int, Any] = {}
    first = ask(client, 0, answers)
    gate.wait()
    ask(client, 1, answers).join()
    check_problem(answers[1], 503, "begins within 0.1 seconds")
    assert int(answers[1].headers["retry-after"]) > 0
    gate.opened.set()
    first.join()
    assert answers[0].status_code == 200
    assert gate.batches == [1]


def test_nothing_is_computed_for_who_has_left(repository: Any, gate: Gate) -> None:
    app = create_app(Settings(model_repository=repository))
    worker = app.state.service.worker
    gone = asyncio.Event()

    async def receive_of(stays: bool) -> Callable[[], Any]:
        sent: list[bool] = []

        async def receive() -> dict[str, Any]:
            if not sent:
                sent.append(True)
                return {"type": "http.request", "body": npy(rain()), "more_body": False}
            await (asyncio.Event() if stays else gone).wait()
            return {"type": "http.disconnect"}

        return receive

    async def post(stays: bool) -> list[int]:
        statuses: list[int] = []

        async def send(message: Any) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        headers = [(name.lower().encode(), value.encode()) for name, value in NPY.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "query_string": b"valid_time=2017-08-16T01:15:00Z",
            "headers": headers,
        }
        await app(scope, await receive_of(stays), send)
        return statuses

    async def story() -> list[int]:
        stays = asyncio.create_task(post(True))
        await asyncio.to_thread(gate.wait)
        leaves = asyncio.create_task(post(False))
        while worker.waiting != 1:
            await asyncio.sleep(0.01)
        gone.set()
        await leaves
        assert worker.waiting == 0
        gate.opened.set()
        return await stays

    assert asyncio.run(asyncio.wait_for(story(), 60)) == [200]
    assert gate.batches == [1]
    worker.close()
