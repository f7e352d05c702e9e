"""check-reference and import-checkpoint, as the command line runs them."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.network import roll_out
from models.zoo import MODELS
from training.__main__ import main
from training.fit.checkpoint import load_checkpoint

CASES = Path(__file__).parents[2] / "models" / "proof"
NAMES = sorted(path.stem for path in CASES.glob("*.npz"))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["training", *map(str, arguments)])
    return main()


def arrays_of(name: str) -> dict[str, Any]:
    with np.load(CASES / f"{name}.npz") as case:
        return {key: case[key] for key in case.files}


def write_case(path: Path, arrays: dict[str, Any], **settings: Any) -> Path:
    config = json.loads(str(arrays["config"])) | settings
    np.savez(path, **(arrays | {"config": json.dumps(config)}))
    return path


def test_every_case_has_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "check-reference", *(CASES / f"{name}.npz" for name in NAMES)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(".npz: ")[0] for line in lines] == NAMES
    assert {name.lower() for name in NAMES} == set(MODELS)
    assert all(line.endswith(": ok") for line in lines)
    assert ["decoupling" in line for line in lines] == [name.endswith("V2") for name in NAMES]


@pytest.mark.parametrize("key", ["outputs", "decouple_loss"])
@pytest.mark.parametrize("damage", [2e-5, float("nan")])
def test_a_difference_fails_and_the_other_files_are_still_checked(
    key: str, damage: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = arrays_of("MS-PredRNN-V2")
    arrays[key] = arrays[key].copy()
    arrays[key].flat[3] += damage
    path = write_case(tmp_path / "damaged.npz", arrays)
    assert run(monkeypatch, "check-reference", path, CASES / "ConvLSTM.npz") == 1
    damaged, other = capsys.readouterr().out.splitlines()
    assert "FAILED" in damaged
    assert other.endswith(": ok")


class Harmful:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hidden": "many"}, "hidden"),
        ({"hidden": 10**9}, "hidden"),
        ({"hidden": True}, "hidden"),
        ({"model": "LSTM"}, "one of the models"),
        ({"in_len": 0}, "in_len"),
        ({"in_len": 400}, "of which 400 are read"),
        ({"kernel_size": 4}, "an odd kernel"),
        ({"layers": 5}, "6 layers"),
        ({"hidden": 8}, "shapes of this model"),
        ({"model": "MS-PredRNN"}, "unexpected"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    change: dict[str, Any],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_case(tmp_path / "case.npz", arrays_of("MS-PrecipLSTM"), **change)
    assert run(monkeypatch, "check-reference", path) == 1
    assert text in capsys.readouterr().err


def test_files_of_another_form_are_refused_and_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", frames=np.zeros(3))
    whole = (CASES / "MIM.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:5000])
    for place in (60, 400, len(whole) // 2, len(whole) - 30):
        (tmp_path / f"flipped{place}.npz").write_bytes(whole[:place] + bytes(8) + whole[place + 8 :])
    write_case(tmp_path / "scalar.npz", arrays_of("ConvLSTM") | {"outputs": np.float32(1)})
    write_case(tmp_path / "nothing.npz", arrays_of("ConvLSTM") | {"frames": np.zeros((4, 0, 1, 8, 8), np.float32)})
    harmful = np.array([Harmful(tmp_path / "made")], dtype=object)
    np.savez(tmp_path / "harmful.npz", config="{}", frames=harmful, outputs=harmful)
    paths = [*sorted(tmp_path.glob("*.npz")), tmp_path / "none.npz"]
    assert run(monkeypatch, "check-reference", *paths) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == len(paths)
    assert all(line.startswith("error: ") for line in errors)
    assert not (tmp_path / "made").exists()


def save_weights(name: str, path: Path, prefix: str = "module.", wrap: str | None = None) -> Path:
    arrays = arrays_of(name)
    state = {f"{prefix}{key[6:]}": torch.from_numpy(v) for key, v in arrays.items() if key.startswith("param:")}
    torch.save({wrap: state} if wrap else state, path)
    return path


def imported(monkeypatch: pytest.MonkeyPatch, weights: Path, name: str, out: Path, *options: object) -> int:
    if name.startswith("MS-"):
        return run(monkeypatch, "import-checkpoint", weights, "--model", name, "--out", out, *options)
    raise AssertionError("the proof cases of plain models have fewer layers than the authors' networks")


@pytest.mark.parametrize(("prefix", "wrap"), [("module._orig_mod.", None), ("", None), ("module.", "state_dict")])
@pytest.mark.parametrize("name", ["MS-PrecipLSTM", "MS-MotionRNN", "MS-PredRNN-V2"])
def test_an_imported_checkpoint_forecasts_as_the_authors_do(
    name: str, prefix: str, wrap: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = arrays_of(name)
    settings = json.loads(str(arrays["config"]))
    weights = save_weights(name, tmp_path / "w.pth", prefix, wrap)
    options = ("--window", settings["local_attention_window"], "--channels", settings["hidden"])
    assert imported(monkeypatch, weights, name, tmp_path / "out", *options) == 0
    network, config, notes = load_checkpoint(tmp_path / "out" / "model.pt")
    assert config.network.authors_quirks
    assert notes["imported_from"] == "w.pth"
    frames = torch.from_numpy(arrays["frames"][: settings["in_len"]])
    with torch.no_grad():
        answer = roll_out(network, frames, len(arrays["outputs"]) - len(frames) + 1)
    np.testing.assert_allclose(answer.numpy(), arrays["outputs"], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_an_imported_checkpoint_can_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = save_weights("MS-ConvLSTM", tmp_path / "w.pth")
    assert imported(monkeypatch, weights, "MS-ConvLSTM", tmp_path / "out") == 0
    exported = ("export", tmp_path / "out" / "model.pt", "--repository", tmp_path / "models", "--version", "1")
    assert run(monkeypatch, *exported) == 0
    assert (tmp_path / "models" / "ms-convlstm" / "1" / "model.onnx").is_file()


def test_a_checkpoint_that_would_run_code_is_refused_and_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"embed.conv_embed.weight": Harmful(tmp_path / "made")}, tmp_path / "harmful.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Harmful(tmp_path / "made")))
    (tmp_path / "text.pth").write_text("nothing")
    (tmp_path / "empty.pth").write_bytes(b"")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("harmful", "plain", "text", "empty", "list"):
        assert imported(monkeypatch, tmp_path / f"{name}.pth", "MS-ConvLSTM", tmp_path / "out") == 1
        assert "expected a state_dict of tensors" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "options", "text"),
    [
        ("MS-PredRNN", (), "missing rnns.lstm.0._conv_c2o.bias"),
        ("MS-ConvLSTM", ("--channels", 64), "expected --channels 4"),
        ("MS-ConvLSTM", ("--kernel-size", 5), "shapes of this model"),
        ("MS-ConvLSTM", ("--kernel-size", 4), "an odd kernel"),
        ("MS-Transformer", (), "one of the models"),
    ],
)
def test_weights_of_another_network_are_named(
    model: str,
    options: tuple[object, ...],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = save_weights("MS-ConvLSTM", tmp_path / "w.pth")
    assert imported(monkeypatch, weights, model, tmp_path / "out", *options) == 1
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_import_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_weights("MS-ConvLSTM", tmp_path / "w.pth")
    assert imported(monkeypatch, weights, "MS-ConvLSTM", tmp_path) == 1
    assert "new folder" in capsys.readouterr().err


def test_imported_weights_can_be_trained_on_and_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from datetime import UTC, datetime

    from radar.files.netcdf.writer import to_netcdf
    from radar.grid import KNOWN_GRIDS, Grid
    from radar.synthetic import Weather, storm_sequence
    from training.fit.loop import fit

    weights = save_weights("MS-ConvLSTM", tmp_path / "w.pth")
    minutes = ("--timestep-minutes", 5, "--pixel-size-km", 1, "--input-length", 3, "--leads", 2)
    assert imported(monkeypatch, weights, "MS-ConvLSTM", tmp_path / "out", *minutes) == 0
    network, config, _ = load_checkpoint(tmp_path / "out" / "model.pt")
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", (32, 32), 1.0, radklim.projection, radklim.north_west)
    for seed, name in enumerate(("a.nc", "b.nc")):
        storm = storm_sequence(grid, 6, seed=seed, end_time=datetime(2026, 5, 1, tzinfo=UTC), weather=Weather())
        (tmp_path / name).write_bytes(to_netcdf(storm))
    config = replace(
        config,
        data=replace(config.data, train=("a.nc",), validation=("b.nc",)),
        optimiser=replace(config.optimiser, iterations=1, batch=2, crop=16),
    )
    assert fit(config, tmp_path, tmp_path / "run", start=network).is_file()
    capsys.readouterr()
    assert run(monkeypatch, "evaluate", tmp_path / "out" / "model.pt", tmp_path / "a.nc", "--lead-minutes", 10) == 0
    assert "CSI ms-convlstm" in capsys.readouterr().out
