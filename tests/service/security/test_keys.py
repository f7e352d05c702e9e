"""API keys: how they are made and kept, and how their file is followed."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.security.keys import KeyFile, KeysRejected, make_key, parse_keys

DIGEST = "sha256:" + hashlib.sha256(b"rc_secret").hexdigest()


def test_a_key_is_kept_as_its_digest_alone() -> None:
    secret, key = make_key("office", ["predict", "read"], 600)
    assert secret.startswith("rc_")
    assert len(secret) > 40
    assert secret not in key.line
    assert key.line == f"office predict,read 600 sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert parse_keys(key.line) == (key,)
    assert make_key("office", ["read"], None)[0] != secret


def test_a_file_has_a_key_a_line_with_comments() -> None:
    office, feed = parse_keys(f"# ours\n\noffice read 600 {DIGEST}  # flood office\n  feed read,ingest - {DIGEST}\n")
    assert (office.name, office.scopes, office.per_minute) == ("office", frozenset({"read"}), 600)
    assert (feed.name, feed.scopes, feed.per_minute) == ("feed", frozenset({"read", "ingest"}), None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"office read {DIGEST}", "3 fields in line 2"),
        ("office read 600 rc_secret", "another digest in line 2"),
        (f"office read 600 {DIGEST[:-1]}", "another digest in line 2"),
        (f"o/f read 600 {DIGEST}", "another in line 2"),
        (f"office write 600 {DIGEST}", "others in line 2"),
        (f"office read, 600 {DIGEST}", "others in line 2"),
        (f"office read 0 {DIGEST}", "another text in line 2"),
        (f"office read ٣ {DIGEST}", "another text in line 2"),
        (f"feed read - {DIGEST}", "a name twice"),
    ],
)
def test_a_wrong_line_is_named_but_not_repeated(line: str, words: str) -> None:
    with pytest.raises(KeysRejected, match=words) as raised:
        parse_keys(f"feed read - {DIGEST}\n{line}\n")
    assert "rc_secret" not in str(raised.value)
    assert DIGEST[10:] not in str(raised.value)


@pytest.mark.parametrize(("name", "scopes", "per_minute"), [("a b", ["read"], 1), ("a", [], 1), ("a", ["read"], -1)])
def test_no_key_is_made_that_could_not_be_read_again(name: str, scopes: list[str], per_minute: int) -> None:
    with pytest.raises(KeysRejected):
        make_key(name, scopes, per_minute)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write(path: Path, *lines: str) -> None:
    """Replace a file as an editor does, with another time than before."""
    later = path.stat().st_mtime_ns + 10**9 if path.exists() else 10**18
    path.write_text("\n".join(lines))
    os.utime(path, ns=(later, later))


def test_keys_come_and_go_without_a_restart(tmp_path: Path) -> None:
    (first, office), (second, feed) = make_key("office", ["read"], None), make_key("feed", ["ingest"], None)
    path, clock = tmp_path / "keys", Clock()
    write(path, office.line)
    keys = KeyFile(path, clock)
    assert keys.find(first) == office
    assert keys.find(second) is None
    write(path, feed.line)
    assert keys.find(first) == office, "the file is looked at once a second"
    clock.now += 1
    assert keys.find(first) is None
    assert keys.find(second) == feed
    for other in ("", "rc_", first[:-1], first + "x", "\udcff"):
        assert keys.find(other) is None


def test_a_file_that_turns_bad_or_goes_leaves_the_keys_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret, office = make_key("office", ["read"], None)
    path, clock = tmp_path / "keys", Clock()
    write(path, office.line)
    keys = KeyFile(path, clock)
    write(path, "nonsense")
    clock.now += 1
    with caplog.at_level(logging.ERROR):
        assert keys.find(secret) == office
    assert "1 fields in line 1" in caplog.text
    path.unlink()
    clock.now += 1
    assert keys.find(secret) == office


def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeysRejected, match="FileNotFoundError") as raised:
        KeyFile(tmp_path / "none")
    assert str(tmp_path) not in str(raised.value)


def test_the_command_shows_the_key_once_and_prints_its_line(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "service", "key", "office", "--scopes", "read,predict", "--per-minute", "60"],
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = parse_keys(made.stdout)
    assert (key.name, key.scopes, key.per_minute) == ("office", frozenset({"read", "predict"}), 60)
    secret = made.stderr.strip().rsplit(" ", 1)[1]
    path = tmp_path / "keys"
    path.write_text(made.stdout)
    assert KeyFile(path).find(secret) == key


def test_the_command_refuses_scopes_that_are_none() -> None:
    command = [sys.executable, "-m", "service", "key", "office", "--scopes", "write"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stdout) == (1, "")
    assert "read, predict, ingest" in made.stderr
