"""Files of JSON lines, locks and folders that appear whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from radar.system.durable import place_folder
from radar.system.journal import append_lines, journal_lines, lines_and_damage
from radar.system.locks import locked


def test_lines_come_back_and_what_a_kill_left_of_one_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert list(journal_lines(path)) == []
    append_lines(path, [{"k": 1}, {"k": 2}])
    with path.open("a") as file:
        file.write('{"k": 3')
    append_lines(path, [{"k": 4}])
    append_lines(path, [{"k": 5}], compact=True)
    assert path.read_text() == '{"k": 1}\n{"k": 2}\n{"k": 3\n{"k": 4}\n{"k":5}\n'
    with path.open("a") as file:
        file.write("\n[6]\nNaN\n")  # an empty line, as earlier versions of `prepare` wrote; no objects
    assert [line["k"] for line in journal_lines(path)] == [1, 2, 4, 5]
    lines, damaged = lines_and_damage(path)
    assert ([line["k"] for line in lines], damaged) == ([1, 2, 4, 5], [3, 7, 8])


def test_nothing_is_written_of_lines_that_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_lines(path, [{"k": 1}, {"k": float("nan")}])
    assert not path.exists()


def test_a_second_process_waits_for_a_lock_or_is_told_that_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    code = "import sys; from pathlib import Path; from radar.system.locks import locked\n"
    code += "try:\n  with locked(Path(sys.argv[1]), wait=False): print('free')\nexcept BlockingIOError: print('held')"

    def other() -> str:
        return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout

    with locked(path):
        assert other() == "held\n"
    assert other() == "free\n"


def test_a_folder_is_placed_whole_and_never_over_another(tmp_path: Path) -> None:
    made, target = tmp_path / ".made", tmp_path / "target"
    for folder in (made, tmp_path / ".second"):
        (folder / "below").mkdir(parents=True)
        (folder / "below" / "file").write_text(folder.name)
    place_folder(made, target)
    assert (target / "below" / "file").read_text() == ".made"
    with pytest.raises(OSError, match="not empty"):
        place_folder(tmp_path / ".second", target)
    assert (target / "below" / "file").read_text() == ".made"
