from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from training.config import DataConfig, load_config, make_config

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_committed_configurations_load_and_keep_test_events_out(path: Path) -> None:
    config = load_config(path)
    seen = {*config.data.train, *config.data.validation}
    assert not seen & {"mch_ch_20170131.nc", "dwd_yw_20170816.nc"}
    assert all(name.startswith(("knmi", "fmi", "dwd")) for name in config.data.train)  # owners who allow it


def test_configurations_survive_json() -> None:
    config = load_config(CONFIGS[0])
    assert make_config(asdict(config)) == config
    assert make_config(asdict(config)).sha256 == config.sha256


def test_an_event_may_stand_in_one_part_only() -> None:
    with pytest.raises(ValueError, match=r"b\.nc in two"):
        DataConfig(train=("a.nc", "b.nc"), validation=("b.nc",))


def test_misspelt_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CONFIGS[0].read_text().replace("crop =", "corp ="))
    with pytest.raises(ValueError, match="corp"):
        load_config(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("leads = 12\n", ""), "FitConfig with leads, got none"),
        (("[data]", "[other]"), r"table \[data\]"),
        (("batch = 8", 'batch = "two"'), "number for batch of OptimiserConfig, got 'two'"),
        (("batch = 8", "batch = -1"), "number for batch"),
        (("iterations = 1100", "iterations = 0"), "iterations"),
    ],
)
def test_what_is_missing_or_no_number_is_named(tmp_path: Path, change: tuple[str, str], text: str) -> None:
    path = tmp_path / "c.toml"
    assert change[0] in CONFIGS[0].read_text()
    path.write_text(CONFIGS[0].read_text().replace(*change))
    with pytest.raises(ValueError, match=text):
        load_config(path)


def test_settings_of_the_command_line_win() -> None:
    assert load_config(CONFIGS[0], iterations=7, seed=None).optimiser.iterations == 7
