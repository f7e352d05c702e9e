"""The loop: a run that stops goes on as if it had not, and workers add up to one."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import training.fit.loop
from models.framing import Framing
from models.spec import NetworkSpec
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.synthetic import Weather, storm_sequence
from tests.preloaded import TRAINING, Program
from training.config.config import DataConfig, FitConfig, LossConfig, OptimiserConfig
from training.fit.checkpoint import load_checkpoint
from training.fit.loop import fit

SETTINGS = OptimiserConfig(
    iterations=6, batch=4, crop=16, validate_every=3, save_every=2, warm_up=2, learning_rate=1e-2
)
CONFIG = FitConfig(
    name="small",
    leads=2,
    network=NetworkSpec(cell="convlstm", scales=(0, 1, 0), channels=4, inputs=("rain", "coverage")),
    framing=Framing(input_length=3),
    data=DataConfig(train=("first.nc",), validation=("second.nc",), lost_sectors=0.3, lost_frames=0.3),
    optimiser=SETTINGS,
    sampling="scheduled",
)
LOSSES = [
    LossConfig(name="pinball", frames="all"),
    LossConfig(name="mse+mae", frames="all"),
    LossConfig(name="balanced", frames="all"),
]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", (40, 48), 1.0, radklim.projection, radklim.north_west)
    for seed, name in enumerate(("first.nc", "second.nc")):
        end = datetime(2026, 5, 1, 12, tzinfo=UTC)
        storm = storm_sequence(grid, 9, seed=seed, end_time=end, weather=Weather(wet_fraction=0.5))
        (folder / name).write_bytes(to_netcdf(storm))
    return folder


def weights(out: Path, file: str = "model.pt") -> dict[str, torch.Tensor]:
    content: dict[str, Any] = torch.load(out / file, weights_only=True)
    loaded: dict[str, torch.Tensor] = content["weights" if file == "model.pt" else "network"]
    return loaded


def assert_same(one: Path, other: Path, tolerance: float = 0.0) -> None:
    for file in ("model.pt", "state.pt"):
        for (name, a), b in zip(weights(one, file).items(), weights(other, file).values(), strict=True):
            assert (a - b).abs().max() <= tolerance, name


@pytest.fixture(scope="module")
def unbroken(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "run"
    fit(CONFIG, events, out)
    return out


@pytest.mark.parametrize("stops_at", [1, 4, 6])
def test_a_run_that_is_interrupted_and_resumed_equals_an_unbroken_one(
    stops_at: int, events: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    average = training.fit.loop._average
    done = []

    def interrupt(*arguments: Any) -> None:
        average(*arguments)
        done.append(1)
        if len(done) == stops_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.fit.loop, "_average", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(CONFIG, events, tmp_path / "run")
    fit(CONFIG, events, tmp_path / "run", resume=True)
    assert_same(tmp_path / "run", unbroken)
    assert (tmp_path / "run" / "log.jsonl").read_text() == (unbroken / "log.jsonl").read_text()


def test_a_finished_run_that_is_resumed_stays_as_it_is(events: Path, unbroken: Path) -> None:
    before = (unbroken / "model.pt").read_bytes()
    fit(CONFIG, events, unbroken, resume=True)
    assert (unbroken / "model.pt").read_bytes() == before


def test_another_configuration_does_not_resume_a_run(events: Path, unbroken: Path) -> None:
    other = replace(CONFIG, optimiser=replace(SETTINGS, learning_rate=1e-3))
    with pytest.raises(ValueError, match="got another"):
        fit(other, events, unbroken, resume=True)


def test_a_run_is_lengthened_and_says_so(events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(CONFIG, events, tmp_path / "run")
    longer = replace(CONFIG, optimiser=replace(SETTINGS, iterations=9))
    fit(longer, events, tmp_path / "run", resume=True)
    log = [json.loads(line)["iteration"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log == [0, 3, 6, 9]
    assert "6 iterations become 9: goes on after 6 at a learning rate of" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["optimiser"]["iterations"] == 9
    with pytest.raises(ValueError, match="can be lengthened, not shortened"):
        fit(CONFIG, events, tmp_path / "run", resume=True)


def test_a_lengthened_run_learns_at_the_rates_of_a_long_one(events: Path, tmp_path: Path) -> None:
    """What it did while it was shorter stays; its rates then are those of a run that was as long from the first."""
    longer = replace(CONFIG, optimiser=replace(SETTINGS, iterations=9))
    fit(CONFIG, events, tmp_path / "run")
    fit(longer, events, tmp_path / "run", resume=True)
    rate = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["optimiser"]["param_groups"][0]["lr"]
    fit(longer, events, tmp_path / "long")
    assert rate == torch.load(tmp_path / "long" / "state.pt", weights_only=True)["optimiser"]["param_groups"][0]["lr"]


def test_nothing_to_resume_is_named(events: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the folder of a run"):
        fit(CONFIG, events, tmp_path / "none", resume=True)


@pytest.mark.parametrize("change", [{"accumulate": 3}, {"activation_checkpointing": True}])
def test_less_memory_gives_the_same_weights(
    change: dict[str, Any], events: Path, unbroken: Path, tmp_path: Path
) -> None:
    fit(replace(CONFIG, optimiser=replace(SETTINGS, **change)), events, tmp_path / "run")
    assert_same(tmp_path / "run", unbroken, tolerance=2e-5)


def test_bfloat16_trains_float32_weights(events: Path, tmp_path: Path) -> None:
    network = load_checkpoint(fit(replace(CONFIG, optimiser=replace(SETTINGS, bfloat16=True)), events, tmp_path / "r"))
    assert {p.dtype for p in network[0].parameters()} == {torch.float32}


@pytest.mark.parametrize("sampling", ["none", "reverse"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss_and_sampling_learns(sampling: Any, loss: LossConfig, events: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, iterations=40, validate_every=40, learning_rate=1e-2)
    config = replace(CONFIG, sampling=sampling, loss=loss, optimiser=settings)
    fit(config, events, tmp_path / "run")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["validation_loss"] < 0.8 * log[0]["validation_loss"]


def test_predrnn_v2_is_trained_to_decouple(events: Path, tmp_path: Path) -> None:
    spec = NetworkSpec(cell="predrnn-v2", scales=(0, 0), channels=4, inputs=("rain", "coverage"))
    adapters = []
    for weight in (0.0, 1.0):
        config = replace(CONFIG, network=spec, loss=LossConfig(decoupling=weight))
        fit(config, events, tmp_path / str(weight))
        adapters.append(weights(tmp_path / str(weight), "state.pt")["stack.cells.0.adapter.weight"])
    assert not torch.equal(*adapters)


def test_weights_to_start_from(events: Path, unbroken: Path, tmp_path: Path) -> None:
    start = load_checkpoint(unbroken / "model.pt")[0]
    config = replace(CONFIG, optimiser=replace(SETTINGS, iterations=1, learning_rate=1e-12))
    fit(config, events, tmp_path / "run", start=start)
    log = [json.loads((out / "log.jsonl").read_text().splitlines()[line]) for out, line in
           ((tmp_path / "run", 0), (unbroken, -1))]  # fmt: skip
    assert log[0]["validation_loss"] <= log[1]["validation_loss"] + 1e-6
    with pytest.raises(ValueError, match="expected weights of the configuration's"):
        fit(replace(config, network=replace(config.network, channels=8)), events, tmp_path / "other", start=start)


def test_tensorboard_can_show_scalars_and_pictures(unbroken: Path) -> None:
    content = b"".join(file.read_bytes() for file in (unbroken / "tensorboard").glob("events.out.tfevents.*"))
    assert b"validation_loss" in content
    assert b"\x89PNG" in content


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"framing\.base"):
        replace(CONFIG, framing=Framing(base="persistence"), sampling="reverse")


def write_config(path: Path, **optimiser: object) -> Path:
    settings = {"iterations": 6, "batch": 4, "crop": 16, "validate_every": 3, "save_every": 2} | optimiser
    lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
    path.write_text(f"""
name = "small"
leads = 2
[network]
cell = "convlstm"
scales = [0, 1, 0]
channels = 4
inputs = ["rain", "coverage"]
[framing]
input_length = 3
[data]
train = ["first.nc"]
validation = ["second.nc"]
[optimiser]
{lines}
""")
    return path


def command(config: Path, events: Path, out: Path, *launcher: str) -> list[str]:
    return [*(launcher or ("training", "fit")), str(config), "--data", str(events), "--out", str(out)]


_STARTED: list[subprocess.Popen[bytes]] = []


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    streams: Any = {"stderr": subprocess.DEVNULL, "start_new_session": True}
    if arguments[0] == "-m":
        _STARTED.append(subprocess.Popen([sys.executable, *arguments], env=environment, **streams))
    else:
        _STARTED.append(Program(arguments, TRAINING, environment, **streams))
    return _STARTED[-1]


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test() -> Iterator[None]:
    yield
    while _STARTED:
        with _STARTED.pop() as process:
            process.terminate()  # torchrun ends its workers


TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node=2",
    "--max-restarts=5",
    "-m",
    "training",
    "fit",
]


@pytest.mark.slow
def test_a_run_killed_at_random_moments_and_resumed_equals_an_unbroken_one(events: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml", iterations=120, validate_every=20, save_every=5)
    began = time.monotonic()
    assert start(command(config, events, tmp_path / "whole")).wait(120) == 0
    whole = time.monotonic() - began
    moments = random.Random(5)
    arguments = command(config, events, tmp_path / "broken")
    for _ in range(4):
        process = start(arguments)
        try:
            process.wait(moments.uniform(0.3 * whole, 0.8 * whole))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if (tmp_path / "broken").exists():
            arguments = [*command(config, events, tmp_path / "broken"), "--resume"]
    assert start(arguments).wait(120) == 0
    assert_same(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.slow
def test_two_workers_equal_one(events: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml")
    assert start(command(config, events, tmp_path / "one")).wait(120) == 0
    assert start(command(config, events, tmp_path / "two", *TORCHRUN)).wait(180) == 0
    assert_same(tmp_path / "one", tmp_path / "two", tolerance=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["the first", "the other"])
def test_training_goes_on_from_the_last_state_however_often_a_worker_dies(
    which: int, events: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "config.toml", iterations=150, validate_every=50, save_every=5)
    run = tmp_path / "run"
    process = start(command(config, events, run, *TORCHRUN))
    killed: set[int] = set()
    for enough in (5, 40, 75):
        wait_for(partial(reached, run, enough), process)
        wait_for(lambda: len(workers(process.pid) - killed) == 2, process)
        victim = sorted(workers(process.pid) - killed)[which]
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    assert process.wait(120) == 0
    assert state_iteration(run) == 150
    log = [json.loads(line)["iteration"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert log == [0, 50, 100, 150]


@pytest.mark.slow
def test_two_nodes_go_on_when_a_worker_of_one_dies(events: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml", iterations=100, validate_every=50, save_every=5)
    run = tmp_path / "run"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rendezvous = ["--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}"]
    torchrun = [part for part in TORCHRUN if part not in ("--standalone", "--nproc-per-node=2")]
    torchrun[2:2] = [*rendezvous, "--rdzv-id=two-nodes"]
    first, second = (start(command(config, events, run, *torchrun)) for _ in range(2))
    wait_for(partial(reached, run, 5), first)
    (victim,) = workers(second.pid)
    os.kill(victim, signal.SIGKILL)
    assert (first.wait(120), second.wait(120)) == (0, 0)
    assert state_iteration(run) == 100


@pytest.mark.slow
def test_restarts_do_not_take_over_another_run(events: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml")
    run = tmp_path / "run"
    assert start(command(config, events, run)).wait(120) == 0
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    torchrun = ["--max-restarts=1" if part.startswith("--max-restarts") else part for part in TORCHRUN]
    assert start(command(config, events, run, *torchrun)).wait(120) == 1
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def wait_for(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def state_iteration(run: Path) -> int:
    path = run / "state.pt"
    return int(torch.load(path, weights_only=True)["iteration"]) if path.exists() else 0


def reached(run: Path, iteration: int) -> bool:
    return state_iteration(run) >= iteration


def workers(torchrun: int) -> set[int]:
    """The processes that train, by now."""
    listed = (Path("/proc") / str(torchrun) / "task" / str(torchrun) / "children").read_text()
    return {int(pid) for pid in listed.split()}
