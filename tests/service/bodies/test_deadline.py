"""Decoding ends by a deadline and with its caller, and nobody's keeps out others' or the frames of all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from radar.errors import Overloaded
from service.bodies.deadline import Decoding, decode_attended
from service.bodies.hdf5_pool import Decoders
from service.forecasting.worker import PLACES_FOR_FRAMES, ForecastThread
from tests.service.bodies.test_hdf5_pool import composite, decoders, ends, pids, stopped_child
from tests.service.conftest import Client, npy, rain, wait_until
from tests.service.hostile_requests import files
from tests.service.routes.test_predict import NPY, check_problem

__all__ = ["decoders", "ends"]
FRAME = {"product": "RY", "valid_time": "2017-08-16T01:15:00Z"}


def test_a_file_is_read_no_longer_than_the_request_may_take(decoders: Decoders, ends: list[str]) -> None:
    stopped_child(decoders)
    began = time.monotonic()
    with pytest.raises(Overloaded, match=r"within 0\.3 seconds"):
        decoders.read(composite(), "f", Decoding("key:a", 0.3))
    assert time.monotonic() - began < 5
    assert ends == ["stopped"]
    assert decoders.read(composite(), "f", Decoding("key:a", 30))


def test_who_waits_for_a_child_waits_no_longer_either(decoders: Decoders) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(2):
            child = decoders._places.get()
            held.callback(decoders._places.put, child)
        with pytest.raises(Overloaded, match="decoded within"):
            decoders.read(composite(), "f", Decoding("key:a", 0.2))


def test_what_a_caller_who_left_had_read_is_stopped_at_once(decoders: Decoders, ends: list[str]) -> None:
    stopped_child(decoders)
    (child,) = [child for child in decoders._places.queue if child]
    decoding = Decoding("key:a", 60)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(decoders.read, composite(), "f", decoding)
        wait_until(lambda: child.files == 1, "the file to be the child's")
        decoding.stop()
        with pytest.raises(Overloaded):
            reading.result(timeout=10)
    assert ends == ["stopped"]


def test_one_caller_never_holds_the_last_child(decoders: Decoders) -> None:
    pid = stopped_child(decoders)
    slow = [Decoding("key:slow", 60) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        reading = [threads.submit(decoders.read, composite(), "f", each) for each in slow]
        wait_until(lambda: not pids(decoders), "the child to be at work")
        assert decoders.read(composite(), "f", Decoding("key:other", 10)), "another caller finds a child"
        assert not any(each.done() for each in reading)
        os.kill(pid, signal.SIGCONT)
        assert all(each.result(timeout=30) for each in reading), "who waited for a share of his own gets it"


def leaving(after: float) -> Request:
    """A request whose caller leaves after so many seconds."""

    async def receive() -> Message:
        await asyncio.sleep(after)
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


def test_decoding_stops_when_its_caller_leaves_and_holds_its_place_until_it_has() -> None:
    decoding, ended = Decoding("key:a", 60), threading.Event()

    def work() -> None:
        try:
            while True:
                decoding.check()
                time.sleep(0.01)
        finally:
            time.sleep(0.1)
            ended.set()

    async def ask() -> None:
        with pytest.raises(ClientDisconnect):
            await decode_attended(leaving(0.05), decoding, work)
        assert ended.is_set(), "not left behind in a thread"

    began = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - began < 5


def test_what_is_decoded_in_time_is_answered_and_errors_come_through() -> None:
    def fails() -> None:
        raise Overloaded(expected="a", got="b", remedy="c")

    assert asyncio.run(decode_attended(leaving(60), Decoding("key:a", 60), lambda: 5)) == 5
    with pytest.raises(Overloaded, match="expected a"):
        asyncio.run(decode_attended(leaving(60), Decoding("key:a", 60), fails))


@pytest.mark.parametrize("path", ["/predict", "/frames"])
def test_over_http_a_body_that_takes_too_long_is_503(make_client: Callable[..., Client], path: str) -> None:
    client = make_client(deadline_seconds=1e-6)
    answer = client.post(path, **files(composite())())
    check_problem(answer, 503, "send fewer frames")
    assert answer.headers["Retry-After"]
    assert client.get("/frames").json()["series"] == []


def test_frames_are_taken_while_all_places_forecast(client: Client) -> None:
    worker = client.app.state.service.worker
    with contextlib.ExitStack() as busy:
        for _ in range(worker.size):
            busy.enter_context(worker.admitted())
        check_problem(client.post("/predict", params=FRAME, content=npy(rain()), headers=NPY), 503, "a few seconds")
        assert client.post("/frames", params=FRAME, content=npy(rain(1)), headers=NPY).status_code == 201


def test_frames_take_their_own_places_first_and_then_those_of_forecasts() -> None:
    worker = ForecastThread(1)
    with contextlib.ExitStack() as busy:
        for _ in range(PLACES_FOR_FRAMES):
            busy.enter_context(worker.admitted(frames=True))
        assert worker.inside == 0
        busy.enter_context(worker.admitted(frames=True))
        with pytest.raises(Overloaded), worker.admitted(frames=True):
            pass
    with worker.admitted():
        assert worker.inside == 1
    worker.close()
