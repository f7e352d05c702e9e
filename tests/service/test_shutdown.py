"""The end of a real server process, with callers who were accepted and callers who come too late."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from models.repository import PRETRAINED
from tests.service.conftest import DEADLINE_SECONDS, ServiceProcess, npy, rain, wait_until

START = Callable[..., ServiceProcess]
NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy", "Accept-Encoding": "identity"}
ABOUT = {"valid_time": "2017-08-16T01:15:00Z"}
CALLERS = 6


def half_a_request(server: ServiceProcess) -> socket.socket:
    """A connection whose request is never finished."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_SECONDS)
    connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    return connection


def stopping(server: ServiceProcess) -> bool:
    """Whether it says, while it still listens, that it is not ready."""
    answer = httpx.get(f"{server.url}/readyz", timeout=60)
    return answer.status_code == 503 and answer.json()["stopping"] is True


def in_flight(server: ServiceProcess) -> float:
    """How many requests are being answered, this one included."""
    metrics = httpx.get(f"{server.url}/metrics", timeout=30).text
    return float(metrics.split("\nraincell_http_in_flight ")[1].split("\n")[0])


def test_an_idle_service_ends_at_once(service_process: START) -> None:
    server = service_process()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DEADLINE_SECONDS) == 0


def test_it_is_not_ready_while_it_owes_an_answer_and_then_ends(service_process: START) -> None:
    server = service_process()
    with half_a_request(server) as connection:
        assert httpx.get(f"{server.url}/readyz").json()["ready"] is True
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: stopping(server), "the service to say that it stops")
        refused = httpx.post(f"{server.url}/predict", params=ABOUT, content=npy(rain()), headers=NPY)
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        assert server.process.poll() is None
        connection.sendall(b"x" * 96)
        assert b" 415 " in connection.recv(65536).split(b"\r\n")[0]
    assert server.process.wait(DEADLINE_SECONDS) == 0


def test_neither_who_never_finishes_nor_a_long_forecast_keeps_it(service_process: START) -> None:
    server = service_process(
        RAINCELL_SHUTDOWN_SECONDS="3", RAINCELL_MODEL_REPOSITORY=str(PRETRAINED), RAINCELL_RUNS="0"
    )
    body = npy(rain(5, (1800, 1800)).astype("f2"))  # of a minute or so

    def forecast() -> None:
        with contextlib.suppress(httpx.HTTPError):  # it is cut off, or told to go elsewhere
            httpx.post(f"{server.url}/predict?lead_minutes=60", params=ABOUT, content=body, headers=NPY, timeout=60)

    with half_a_request(server), ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as idle:
        for _ in range(20):
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        pool.submit(forecast)
        wait_until(lambda: in_flight(server) >= 3, "the forecast to begin")  # half a request, and this one
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE_SECONDS) == 0
        assert time.monotonic() - begun < 6  # as long again for a busy machine; a minute without a bound


def test_a_run_that_is_being_made_does_not_turn_the_end_into_a_crash(service_process: START) -> None:
    server = service_process(RAINCELL_MODEL_REPOSITORY=str(PRETRAINED))
    about = {"product": "RY", "grid": "radolan", "timestep_minutes": "5", "valid_time": "2017-08-16T01:15:00Z"}
    posted = httpx.post(f"{server.url}/frames", params=about, content=npy(rain(5, (900, 900))), headers=NPY, timeout=60)
    assert posted.status_code == 201
    # The quick run that answers meanwhile: the other one is at work for seconds more.
    wait_until(lambda: httpx.get(f"{server.url}/nowcast", timeout=60).status_code == 200, "the first answer")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DEADLINE_SECONDS) == 0


class Caller:
    """Asks again and again, each time on a new connection, until nobody listens."""

    def __init__(self, server: ServiceProcess, body: bytes) -> None:
        self._server = server
        self._body = body
        self.answers: list[tuple[float, float, int]] = []
        self.late_from = float("inf")

    def go_on(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                answer = httpx.post(
                    f"{self._server.url}/predict", params=ABOUT, content=self._body, headers=NPY, timeout=60
                )
            except httpx.TransportError:
                assert begun >= self.late_from  # whoever was there before is answered
                return
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) > 0
            self.answers.append((begun, time.monotonic(), answer.status_code))


def test_under_load_whoever_was_accepted_is_answered(service_process: START) -> None:
    server = service_process()
    callers = [Caller(server, npy(rain(5, (500, 400)))) for _ in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as pool:
        done = [pool.submit(caller.go_on) for caller in callers]
        wait_until(lambda: all(len(caller.answers) >= 2 for caller in callers), "the load")
        asked_at = time.monotonic()
        for caller in callers:
            caller.late_from = asked_at
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE_SECONDS) == 0
        for finished in done:
            finished.result()
    answers = [answer for caller in callers for answer in caller.answers]
    assert {status for _, ended, status in answers if ended < asked_at} == {200}
    in_flight = [status for begun, ended, status in answers if begun < asked_at < ended]
    assert 200 in in_flight
    assert set(in_flight) <= {200, 503}
