from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from models.spec import CELL_NAMES
from models.zoo import CELLS
from training.__main__ import main
from training.config.config import DataConfig, load_config, make_config
from training.config.resume import write_run_config
from training.retrain.config import load_retrain_config

RAIN = Path(__file__).parents[3] / "training" / "configs" / "ms-convlstm-rain.toml"
CONFIGS = sorted((Path(__file__).parents[3] / "training" / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_committed_configurations_load_and_keep_test_events_out(path: Path) -> None:
    config = load_config(path)
    seen = {*config.data.train, *config.data.validation}
    assert not seen & {"mch_ch_20170131.nc", "dwd_yw_20170816.nc"}
    assert all(name.startswith(("knmi", "fmi", "dwd")) for name in config.data.train)  # owners who allow it


def test_configurations_survive_json() -> None:
    config = load_config(RAIN)
    assert make_config(asdict(config)) == config
    assert make_config(asdict(config)).sha256 == config.sha256


def test_an_event_may_stand_in_one_part_only() -> None:
    with pytest.raises(ValueError, match=r"b\.nc in two"):
        DataConfig(train=("a.nc", "b.nc"), validation=("b.nc",))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("leads = 12\n", ""), "expected leads, a whole number, got none; add it"),
        (("[data]", "[other]"), "expected any of name, leads, .*, got other; check the name"),
        (("crop = 96", "corp = 96"), r"\[optimiser\]: expected any of .*, got corp; did you mean crop\?"),
        (
            ("crop = 96", "leads = 12"),
            r"\[optimiser\]: expected any of .*, got leads; it stands in front of all tables",
        ),
        (("zero_head = true", "crop = 96"), r"expected any of .*, got crop; it stands in \[optimiser\]"),
        (("batch = 8", 'batch = "two"'), r'\[optimiser\]: expected a whole number for batch, got "two"; correct it'),
        (("batch = 8", "batch = true"), r"\[optimiser\]: expected a whole number for batch, got true; correct it"),
        (("batch = 8", "batch = -1"), r"\[optimiser\]: expected batch of 1 or more, got -1; correct it"),
        (
            ("iterations = 1100", "iterations = 0"),
            r"\[optimiser\]: expected iterations of 1 or more, got 0; correct it",
        ),
        (
            ("learning_rate = 1e-3", "learning_rate = nan"),
            r"\[optimiser\]: expected a number for learning_rate, got NaN",
        ),
        (("quantile = 0.56", "quantile = 1.0"), r"\[loss\]: expected quantile above 0, below 1, got 1; correct it"),
        (('cell = "convlstm"', 'cell = "MS-ConvLSTM"'), r"\[network\]: expected cell .*; did you mean convlstm\?"),
        (("2, 2, 1, 0]", "2, 2, 1]"), r"\[network\]: expected scales that begin and end with 0"),
        (("pixel_size_km = 1.0", "pixel_size_km = 0"), r"\[framing\]: expected pixel_size_km above 0, got 0"),
        (("[loss]", "[loss"), r"expected TOML in .*c.toml, got .*line \d+"),
    ],
)
def test_what_is_wrong_is_named_by_file_table_and_setting(tmp_path: Path, change: tuple[str, str], text: str) -> None:
    path = tmp_path / "c.toml"
    assert change[0] in RAIN.read_text()
    path.write_text(RAIN.read_text().replace(*change))
    with pytest.raises(ValueError, match=text) as refused:
        load_config(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "got no such file or directory; check the name"),
        (b"\xff\xfe\x00n", "expected a configuration as text in UTF-8"),
        (b"[1, 2]", "expected TOML"),
        (b'{"name": }', "expected JSON .*line 1"),
        (b"", "expected name, a text in quotes, got none; add it"),
    ],
)
def test_what_is_no_configuration_is_named(tmp_path: Path, content: bytes | None, text: str) -> None:
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=text) as refused:
        load_config(path)
    assert str(path) in str(refused.value)


def test_the_json_beside_a_run_is_a_configuration(tmp_path: Path) -> None:
    config = load_config(RAIN, iterations=3)
    write_run_config(tmp_path, config)
    assert load_config(tmp_path / "config.json") == config
    assert load_config(tmp_path / "config.json").sha256 == config.sha256


def test_a_description_decides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('description = "For the coast."\n' + RAIN.read_text())
    described = load_config(path)
    assert described.description == "For the coast."
    assert described.sha256 == load_config(RAIN).sha256


def test_the_cells_that_a_configuration_may_name_are_those_of_the_zoo() -> None:
    assert set(CELL_NAMES) == set(CELLS)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("probation_hours = -1", "expected probation_hours of 0 or more, got -1; correct it"),
        ("[optimiser]\ncorp = 3", r"\[optimiser\]: expected any of .*, got corp; did you mean crop\?"),
        ("block_hours = 3", r"expected any of .*, got block_hours; it stands in \[parts\]"),
        ('[data]\ntrain = ["a.nc"]', r"\[data\]: expected no events in a retraining, got train; the archive decides"),
        ("[gate]\nthreshhold = 1.0", r"\[gate\]: expected any of .*, got threshhold; did you mean threshold\?"),
        ('start = "new"', 'expected one of "champion", "anew" for start, got "new"; correct it'),
        ("[parts]\ntest_share = 0.6\nvalidation_share = 0.5", r"\[parts\]: expected test_share and validation_share"),
    ],
)
def test_a_retraining_is_told_alike(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "retrain.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=wrong) as refused:
        load_retrain_config(path)
    assert str(path) in str(refused.value)


def test_settings_of_the_command_line_win() -> None:
    assert load_config(RAIN, iterations=7, seed=None).optimiser.iterations == 7


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (
            ["fit", "c.toml", "--data", "d", "--out", "o", "--iterations", "0"],
            "--iterations: expected a whole number of 1",
        ),
        (
            ["guard", "--repository", "r", "--verification", "v", "--hours", "two"],
            "--hours: expected a number of 0 or more",
        ),
        (
            ["guard", "--repository", "r", "--verification", "v", "--hours", "1e300"],
            "--hours: expected a number of 10000000",
        ),
        (["promote", "--repository", "r", "--at", "yesterday"], "--at: expected a time with its zone, got 'yesterday'"),
        (["promote", "--repository", "r", "--at", "2026-05-01T12:00"], "--at: .* without one; write it as 2026-"),
        (
            ["hindcast", "m", "a", "--out", "o", "--stride", "0"],
            "--stride: expected a whole number of 1 or more, got '0'",
        ),
        (["hindcast", "m", "a", "--out", "o", "--thresholds", "0.1,x"], "--thresholds: expected numbers above 0"),
        (
            ["prepare", "a", "--out", "o", "--workers", "-1"],
            "--workers: expected a whole number of 0 or more, got '-1'",
        ),
    ],
)
def test_options_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], wrong: str
) -> None:
    monkeypatch.setattr("sys.argv", ["training", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert re.search(wrong, capsys.readouterr().err)


def test_a_schedule_with_a_wrong_configuration_does_not_wait_for_sunday(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "retrain.toml").write_text("test_start = 3\n")
    told = ["--archive", "a", "--repository", "r", "--verification", "v", "--model", "m"]
    monkeypatch.setattr("sys.argv", ["training", "schedule", *told, "--config", str(tmp_path / "retrain.toml")])
    assert main() == 1
    assert re.search(r"retrain\.toml: expected any of .*did you mean test_starts", capsys.readouterr().err)
