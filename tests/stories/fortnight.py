"""A service, an archive and a model repository that live through days of showers, by a clock that is set by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.aliases import read_aliases
from models.framing import Framing
from models.spec import NetworkSpec
from radar.archive.archive import Archive
from radar.files.netcdf.writer import to_netcdf
from radar.ledger.ledger import model_reference
from radar.sequence import FrameSequence, iso
from service.app import create_app
from service.context import Service
from service.history.codec import SeriesKey
from service.runs.run import Run
from service.settings import Settings
from service.verification.verification import Verification
from tests.service.conftest import Client, client_of, npy
from tests.stories.turning_weather import GRID, PRODUCT, STEP_MINUTES, WESTERLIES, Regime, burst
from training.__main__ import main
from training.config.config import DataConfig, FitConfig, OptimiserConfig
from training.export.export import export
from training.fit.loop import fit

NAME = "showers"
LEAD_MINUTES = 30
SERIES = SeriesKey(PRODUCT, GRID.key)
FIRST_DAY = datetime(2026, 5, 1, tzinfo=UTC)
BURSTS = (timedelta(hours=8), timedelta(hours=17))
"""When the showers of a day end."""
EVENING = timedelta(hours=18)
_PATIENCE_SECONDS = 60.0
_CALLERS = 3


@dataclass
class Clock:
    """The time that the service believes."""

    now: datetime = FIRST_DAY

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """What there is, and the days that pass in it."""

    folder: Path
    client: Client
    clock: Clock
    seeds: Iterator[int]

    @property
    def repository(self) -> Path:
        return self.folder / "models"

    @property
    def service(self) -> Service:
        service: Service = self.client.app.state.service
        return service

    @property
    def verification(self) -> Verification:
        assert self.service.verification
        return self.service.verification

    def live(self, day: int, regime: Regime) -> None:
        """All showers of a day, frame by frame; ends in its evening, with all scored that can be."""
        for end in BURSTS:
            showers = burst(_midnight(day) + end, regime, next(self.seeds))
            for place in range(len(showers.rain_rate)):
                self._receive(_one(showers, place))
            Archive(self.folder / "archive").append(showers)
            self.verification.verifier.look()
        Archive(self.folder / "archive").pack(_midnight(day).date())
        self.clock.now = _midnight(day) + EVENING

    def _receive(self, frame: FrameSequence) -> None:
        """As a feed sends it; then the run that starts from it, and those of the shadows."""
        self.clock.now = frame.valid_times[-1] + timedelta(minutes=1)
        posted = self.client.post(
            f"/frames?product={PRODUCT}&timestep_minutes={STEP_MINUTES}&valid_time={iso(frame.valid_times[-1])}",
            content=npy(frame.rain_rate),
            headers={"Content-Type": "application/x-npy"},
        )
        assert posted.status_code == 201, posted.text
        wait_for(lambda: self._run_from(frame.valid_times[-1]) is not None, "the run")
        run = self._run_from(frame.valid_times[-1])
        assert run is not None
        beside = self.verification.scorer._sources.unserved
        if run.method == "model":
            wait_for(lambda: self._shadows(run) <= set(beside.at(run.id, STEP_MINUTES)), "the shadows")

    def _run_from(self, base: datetime) -> Run | None:
        latest = self.service.runs.latest_now(SERIES).value
        return latest if latest and latest.reference_time == base and not latest.interim else None

    def _shadows(self, run: Run) -> set[str]:
        """Who is to forecast beside a run, as docs/reference/verification.md has it."""
        aliases = read_aliases(self.repository, NAME)
        on_probation = aliases.probation_until is not None and self.clock() < aliases.probation_until
        versions = {aliases.challenger, aliases.previous if on_probation else None} - {None, run.version}
        return {model_reference(NAME, version) for version in versions if version is not None}

    def verified(self, period: str = "24h") -> dict[str, Any]:
        """GET /verification at the longest lead time."""
        answer = self.client.get(f"/verification?period={period}&lead_minutes={LEAD_MINUTES}")
        assert answer.status_code == 200
        content: dict[str, Any] = answer.json()
        assert content["degraded"] is None
        return content

    def skill(self, version: str, period: str = "24h") -> float:
        """Live skill in CSI at 1 mm/h against persistence, of a version that served or was a shadow."""
        reference = model_reference(NAME, version)
        (score,) = [score for score in self.verified(period)["scores"] if score["model"] == reference]
        (entry,) = [entry for entry in score["thresholds"] if entry["threshold"] == 1.0]
        return float(entry["skill"])

    def drifts(self) -> bool:
        """Whether the drift alert is active, said alike by /verification, /readyz and the metrics."""
        (alert,) = [alert for alert in self.verified()["alerts"] if alert["name"] == "drift"]
        ready = self.client.get("/readyz")
        assert ready.status_code == 200
        assert (alert in ready.json()["alerts"]) == alert["active"]
        gauge = f'raincell_alert{{alert="drift",grid="{GRID.key}",product="{PRODUCT}"}} {float(alert["active"])}'
        assert gauge in self.client.get("/metrics").text
        return bool(alert["active"])

    def job(self, command: str, *options: object) -> int:
        """A command of the training package, at the time that it is; its exit status."""
        arguments = ["--repository", self.repository, "--at", iso(self.clock()), *options]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["training", command, *map(str, arguments)])
            return main()

    def retrain(self, settings: str) -> int:
        """With these settings of `retrain`."""
        config = self.folder / "retrain.toml"
        config.write_text(settings)
        return self.job("retrain", "--archive", self.folder / "archive", "--config", config)

    def guard(self) -> None:
        """A look of the guard, by its defaults."""
        assert self.job("guard", "--verification", self.folder / "ledger") == 0

    def serving(self) -> str:
        """The version of the catalogue."""
        return self.service.catalogue.get(NAME).forecaster.card.version

    def wait_until_served(self, version: str) -> None:
        """The service looks at its repository by itself."""
        wait_for(lambda: self.serving() == version, f"{version} to serve")

    @contextmanager
    def load(self) -> Iterator[Load]:
        """Callers who ask without a pause, one after the other has its answer."""
        load = Load(self.client)
        load.start()
        try:
            yield load
        finally:
            load.stop()


class Load:
    """Requests by several callers at a time, and what they were answered."""

    def __init__(self, client: Client) -> None:
        self.statuses: list[int] = []
        self.versions: list[list[str]] = [[] for _ in range(_CALLERS)]
        """Who forecast, for each caller in the order of his requests."""
        self._client = client
        self._ended = threading.Event()
        self._callers = [threading.Thread(target=self._ask, args=(mine,), daemon=True) for mine in self.versions]

    def start(self) -> None:
        for caller in self._callers:
            caller.start()

    def stop(self) -> None:
        self._ended.set()
        for caller in self._callers:
            caller.join(_PATIENCE_SECONDS)
            assert not caller.is_alive()

    def fewest(self) -> int:
        """Forecasts that every caller has been given."""
        return min(map(len, self.versions))

    def _ask(self, versions: list[str]) -> None:
        forecast = f"/predict?product={PRODUCT}&lead_minutes={LEAD_MINUTES}&encoding=none"
        while not self._ended.is_set():
            predicted = self._client.post(forecast)
            run = self._client.get(f"/nowcast?product={PRODUCT}")
            self.statuses += [predicted.status_code, run.status_code]
            versions.append(predicted.json().get("version", ""))


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A service with a champion, version 1, that has learnt the westerlies."""
    make_champion(folder)
    clock = Clock()
    settings = Settings(
        model_repository=folder / "models",
        verification=folder / "ledger",
        run_lead_minutes=LEAD_MINUTES,
        watch_seconds=0.2,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.app.now_utc", clock)
        with client_of(create_app(settings)) as client:
            yield World(folder, client, clock, iter(range(1000)))


def make_champion(folder: Path) -> None:
    """From showers of the days before."""
    names = [f"{number}.nc" for number in range(8)]
    for number, name in enumerate(names):
        showers = burst(FIRST_DAY - timedelta(days=1 + number), WESTERLIES, 2000 + number)
        (folder / name).write_bytes(to_netcdf(showers))
    config = FitConfig(
        name=NAME,
        leads=LEAD_MINUTES // STEP_MINUTES,
        network=NetworkSpec(cell="convlstm", scales=(0, 1, 0), channels=8, inputs=("rain", "coverage")),
        framing=Framing(timestep_minutes=STEP_MINUTES, input_length=3, coordinates="lagrangian", base="persistence"),
        data=DataConfig(train=tuple(names[1:]), validation=(names[0],), stride=1, symmetries=False),
        optimiser=OptimiserConfig(
            iterations=100, batch=8, crop=32, learning_rate=4e-3, warm_up=10, average_decay=0.95, validate_every=50
        ),
        zero_head=True,
    )
    export(fit(config, folder, folder / "fit"), folder / "models", "1")


def wait_for(done: Callable[[], bool], what: str) -> None:
    """Poll until `done`, or fail; more often than `wait_until` does, for what comes hundreds of times."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"waited {_PATIENCE_SECONDS:g} s for {what}"
        time.sleep(0.005)


def _midnight(day: int) -> datetime:
    return FIRST_DAY + timedelta(days=day - 1)


def _one(frames: FrameSequence, place: int) -> FrameSequence:
    chosen = slice(place, place + 1)
    return FrameSequence(frames.rain_rate[chosen], frames.valid_times[chosen], GRID, STEP_MINUTES, PRODUCT)
