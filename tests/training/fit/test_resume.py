"""Whether a configuration goes on with a run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.small_world import CONFIG
from training.config.resume import check_goes_on, check_run_folder, write_run_config
from training.fit.log import RunLog
from training.fit.run_state import bare_name, without_wrappers


def test_a_run_may_be_lengthened_and_described_anew() -> None:
    longer = replace(CONFIG.optimiser, iterations=9)
    check_goes_on(CONFIG, replace(CONFIG, optimiser=longer, description="For the coast."))


def test_a_run_is_not_shortened() -> None:
    before = replace(CONFIG, optimiser=replace(CONFIG.optimiser, iterations=9))
    with pytest.raises(ValueError, match=r"optimiser\.iterations of 9 or more, as the run has, got 1; a run can be"):
        check_goes_on(before, CONFIG)


def test_what_changed_is_named_with_both_values() -> None:
    after = replace(CONFIG, leads=3, optimiser=replace(CONFIG.optimiser, crop=32, iterations=9))
    with pytest.raises(ValueError, match=r"another: leads = 3 instead of 2, optimiser\.crop = 32 instead of 16; set"):
        check_goes_on(CONFIG, after)


def test_the_folder_of_another_run_is_not_taken(tmp_path: Path) -> None:
    write_run_config(tmp_path, CONFIG)
    with pytest.raises(FileExistsError, match="choose another, or go on with --resume"):
        check_run_folder(CONFIG, tmp_path, resume=False)
    check_run_folder(CONFIG, tmp_path, resume=True)
    with pytest.raises(ValueError, match="leads = 3 instead of 2"):
        check_run_folder(replace(CONFIG, leads=3), tmp_path, resume=True)


@pytest.mark.parametrize(
    "name", ["module.stack.0.weight", "_orig_mod.stack.0.weight", "module._orig_mod.stack._orig_mod.0.weight"]
)
def test_names_of_wrapped_networks_are_those_of_the_network(name: str) -> None:
    assert bare_name(name) == "stack.0.weight"


def test_two_parameters_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"module\.weight"):
        without_wrappers({"weight": 1, "module.weight": 2})


@pytest.mark.parametrize(
    "end", ['{"iteration": 6, "lo', '{"iteration": 6, "loss": 0.5', '{"iteration": ', '{"', "6", "\0\0\0"]
)
def test_a_line_that_a_kill_cut_short_is_dropped_and_named(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = RunLog(tmp_path, writes=True)
    for iteration, loss in ((0, 1.0), (3, math.nan), (6, 0.5)):
        log.record(iteration, {"loss": loss})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write(end)
    RunLog(tmp_path, writes=True).go_on_after(3)
    told = capsys.readouterr().err
    assert f"line 4 of {tmp_path / 'log.jsonl'}" in told
    log.record(6, {"loss": 0.25})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [{"iteration": 0, "loss": 1}, {"iteration": 3, "loss": None}, {"iteration": 6, "loss": 0.25}]
