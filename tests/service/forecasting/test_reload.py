"""A repository that changes under a catalogue."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster, Shape
from models.repository import set_alias
from radar.errors import ArtifactRejected, RaincellError
from radar.system.digest import sha256_of
from service.forecasting.reload import ModelWatch
from tests.service.conftest import END, Site, sequence, tiny_card, wait_until, write_repository, write_version
from tests.service.routes.test_predict import check_problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_repository(tmp_path / "models", tiny_card())


class Loader:
    """Loads as the service does, and counts."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self._load = partial(load_forecaster, provider="cpu")

    def __call__(self, path: Path) -> RecurrentForecaster:
        self.loaded.append(path.parent.name)
        return self._load(path)


def serving(watch: ModelWatch, name: str = "still") -> str:
    return watch.catalogue.get(name).forecaster.card.version


def test_a_new_champion_takes_over_and_whoever_has_the_old_one_keeps_it(folder: Path) -> None:
    watch = ModelWatch(folder, Loader())
    held = watch.catalogue.get("still")
    write_version(folder, tiny_card(version="2"), offset=0.5, golden_offset=0.5)
    watch.look()
    assert serving(watch) == "1"  # no alias names it yet
    set_alias(folder, "still", "champion", "2")
    watch.look()
    assert serving(watch) == "2"
    assert watch.catalogue.rejected == ()
    old, new = (model.forecaster.forecast(sequence(5), 1).rain_rate for model in (held, watch.catalogue.get("still")))
    assert np.nanmax(new - old) > 0.1


def test_a_new_champion_is_warm_for_the_shapes_in_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ModelWatch(folder, Loader())
    warmed: list[Shape] = []
    forecaster = watch.catalogue.get("still").forecaster
    forecaster.forecast(sequence(5), 1)
    forecaster.forecast_batch([sequence(5), sequence(5, seed=1)], 1)
    write_version(folder, tiny_card(version="2"))
    set_alias(folder, "still", "champion", "2")
    monkeypatch.setattr(RecurrentForecaster, "warm_up", lambda _, shape: warmed.append(shape))
    watch.look()
    assert warmed[1:] == [(1, 24, 20), (2, 24, 20)]  # after what loading warms by itself


def test_nothing_is_loaded_while_nothing_changes(folder: Path) -> None:
    loader = Loader()
    watch = ModelWatch(folder, loader)
    watch.look()
    set_alias(folder, "still", "challenger", "7")
    watch.look()
    assert loader.loaded == ["1"]


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def no_model(path: Path) -> None:
    path.write_bytes(b"not an ONNX file")
    manifest = path.with_name("manifest.json")
    manifest.write_text(json.dumps({"sha256": {"model.onnx": sha256_of(path)}}))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: damage(folder / "still/2/model.onnx"), "another sha256"),
        (lambda folder: no_model(folder / "still/2/model.onnx"), "ONNX Runtime refuses"),
        (lambda folder: (folder / "still/2/manifest.json").write_text("[]"), "manifest.json"),
        (lambda folder: (folder / "still/2/manifest.json").unlink(), "no such files"),
        (lambda folder: shutil.rmtree(folder / "still/2"), "no such files"),
        (lambda folder: set_alias(folder, "still", "champion", "../../etc"), "expected a name"),
        (lambda folder: (folder / "still/aliases.json").write_text("{"), "aliases.json"),
    ],
    ids=["cut off", "no model", "manifest of another form", "no manifest", "no version", "no name", "no JSON"],
)
def test_a_bad_champion_is_refused_and_the_old_one_serves(folder: Path, spoil: object, reason: str) -> None:
    loader = Loader()
    watch = ModelWatch(folder, loader)
    write_version(folder, tiny_card(version="2"))
    set_alias(folder, "still", "champion", "2")
    spoil(folder)  # type: ignore[operator]
    watch.look()
    (rejection,) = watch.catalogue.rejected
    assert serving(watch) == "1"
    assert rejection.name == "still"
    assert reason in rejection.reason
    assert str(folder) not in rejection.reason
    attempts = list(loader.loaded)
    watch.look()
    assert loader.loaded == attempts  # not again until something changes
    set_alias(folder, "still", "champion", "1") if reason != "aliases.json" else (
        folder / "still/aliases.json"
    ).write_text('{"champion": "1"}')
    watch.look()
    assert watch.catalogue.rejected == ()
    assert loader.loaded == attempts


def test_a_champion_that_answers_otherwise_than_at_its_export_is_refused(folder: Path) -> None:
    watch = ModelWatch(folder, Loader())
    write_version(folder, tiny_card(version="2"), offset=0.5)
    set_alias(folder, "still", "champion", "2")
    watch.look()
    assert serving(watch) == "1"
    (rejection,) = watch.catalogue.rejected
    assert (rejection.version, "golden case" in rejection.reason) == ("2", True)


def test_a_refused_champion_is_tried_again_when_its_files_change(folder: Path) -> None:
    watch = ModelWatch(folder, Loader())
    version = write_version(folder, tiny_card(version="2"))
    whole = (version / "model.onnx").read_bytes()
    damage(version / "model.onnx")
    set_alias(folder, "still", "champion", "2")
    watch.look()
    assert serving(watch) == "1"
    (version / "model.onnx").write_bytes(whole)
    watch.look()
    assert serving(watch) == "2"
    assert watch.catalogue.rejected == ()


def test_a_card_of_another_version_is_refused(folder: Path) -> None:
    watch = ModelWatch(folder, Loader())
    shutil.copytree(folder / "still/1", folder / "still/2")
    set_alias(folder, "still", "champion", "2")
    watch.look()
    (rejection,) = watch.catalogue.rejected
    assert "expected the card of still 2" in rejection.reason


def test_nothing_takes_the_place_of_a_default_that_was_chosen_and_has_gone(
    tmp_path: Path, make_site: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_repository(tmp_path / "models", tiny_card())
    write_repository(folder, tiny_card(name="another"))
    site = make_site(model_repository=folder, default_model="still", watch_seconds=0, verification=tmp_path)
    watch = site.service.model_watch
    assert watch is not None
    run = site.add(sequence(6, end=END))
    (folder / "still/aliases.json").rename(folder / "still/away")
    watch.look()
    watch.look()  # what is told stays told
    ready = site.get("/readyz").json()
    assert (ready["default_model"], ready["models"]) == ("still", ["another"])
    assert "RAINCELL_DEFAULT_MODEL" in ready["degraded"]
    assert [(told["name"], told["version"]) for told in ready["rejected"]] == [("still", "1")]
    assert caplog.text.count("RAINCELL_DEFAULT_MODEL names, has left the model repository: no run is made") == 1
    refused = site.client.post("/predict?product=RY")
    problem = check_problem(refused, 503, "RAINCELL_DEFAULT_MODEL")
    assert "another" in problem["remedy"]
    assert "retry-after" in refused.headers
    assert site.client.post("/predict?product=RY&model=another").json()["model"] == "another"
    assert site.get("/nowcast").json()["run"] == run  # what was made before is what it was
    site.service.history.append(replace(sequence(6, end=END), product="MINE"))
    wait_until(lambda: site.get("/nowcast?product=MINE").status_code == 503, "the frames to be seen")
    check_problem(site.get("/nowcast?product=MINE"), 503, "RAINCELL_DEFAULT_MODEL")
    (folder / "still/away").rename(folder / "still/aliases.json")
    watch.look()
    assert site.client.post("/predict?product=RY").json()["model"] == "still"
    assert site.get("/readyz").json()["rejected"] == []


def test_models_come_and_go_but_the_last_stays(folder: Path) -> None:
    watch = ModelWatch(folder, Loader())
    write_repository(folder, tiny_card(name="another"))
    watch.look()
    assert list(watch.catalogue.names) == ["another", "still"]
    shutil.rmtree(folder / "another")
    watch.look()
    assert list(watch.catalogue.names) == ["still"]
    assert watch.catalogue.default == "still"
    (folder / "still/aliases.json").rename(folder / "still/away")
    watch.look()
    assert list(watch.catalogue.names) == ["still"]
    assert "its aliases are gone" in watch.catalogue.rejected[0].reason
    (folder / "still/away").rename(folder / "still/aliases.json")
    watch.look()
    assert watch.catalogue.rejected == ()


def a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def a_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def holding(content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(content)

    return damage


DAMAGED_ALIASES = {
    "link to nothing": a_link_to_nothing,
    "loop": a_loop,
    "folder": a_folder,
    "pipe": a_pipe,
    "device": a_device,
    "empty": holding(b""),
    "brackets": holding(b"[" * 200_000),
    "latin": holding(b"\xff\xfe{"),
    "null": holding(b'{"champion": null}'),
    "list": holding(b'{"champion": ["1"]}'),
    "number": holding(b'{"champion": 1}'),
    "nan": holding(b'{"champion": NaN}'),
    "surrogate": holding(b'{"champion": "\\ud800"}'),
    "path": holding(b'{"champion": "../../etc"}'),
}


@pytest.mark.parametrize("name", DAMAGED_ALIASES)
def test_damaged_aliases_are_told_and_the_champion_serves_on(folder: Path, name: str) -> None:
    watch = ModelWatch(folder, Loader())
    aliases = folder / "still" / "aliases.json"
    DAMAGED_ALIASES[name](aliases)
    for _ in range(2):
        watch.look()
        assert serving(watch) == "1"
        (rejected,) = watch.catalogue.rejected
        assert json.dumps([rejected.name, rejected.version, rejected.reason]).isascii()
    with pytest.raises(ArtifactRejected):
        ModelWatch(folder, Loader())  # a start is refused, not another model chosen
    aliases.rmdir() if aliases.is_dir() else aliases.unlink()
    write_version(folder, tiny_card(version="2"))
    set_alias(folder, "still", "champion", "2")
    watch.look()
    assert serving(watch) == "2"
    assert watch.catalogue.rejected == ()


@pytest.mark.parametrize("content", [b"[" * 200_000, b"[]", b"\xff", b'{"sha256": []}'])
def test_a_damaged_manifest_is_refused_as_such(folder: Path, content: bytes) -> None:
    (folder / "still" / "1" / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactRejected):
        ModelWatch(folder, Loader())


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_no_pipe_is_waited_for(folder: Path, name: str) -> None:
    a_pipe(folder / "still" / "1" / name)
    with pytest.raises(RaincellError):
        ModelWatch(folder, Loader())


def test_a_look_that_fails_in_any_way_is_not_the_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, looks = ModelWatch(folder, Loader()), []

    def look(_: ModelWatch) -> None:
        looks.append(1)
        raise RuntimeError("what nobody thought of")

    monkeypatch.setattr(ModelWatch, "look", look)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(watch.run(0.01), 0.3))
    assert len(looks) > 2
