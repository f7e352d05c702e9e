"""Signals sent to real commands while they are at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

_AT_WORK = """
import os, sys, time
from radar.system.signals import run_command
def work():
    begun, begin = os.pipe()
    child = os.fork() if "fork" in sys.argv else 1
    if child != 1:  # Python forgets signals that come while it forks
        os.read(begun, 1) if child else os.write(begin, b".")
    try:
        if child:
            print("at work", flush=True)
        time.sleep(60)
    finally:
        if child:
            print("closed", flush=True)
    return 0
sys.exit(run_command(work))
"""
_LINES = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "ended (SIGTERM)"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["alone", "fork"])
def test_a_signal_ends_a_command_with_one_line_and_its_status(number: signal.Signals, kind: str) -> None:
    command = [sys.executable, "-c", _AT_WORK, kind]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        os.killpg(process.pid, number)  # as a terminal does: to all of them
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert out == "closed\n"
    assert err.splitlines() == [f"{_LINES[number]}; what was finished stays"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("room", ["radar", "training", "service"])
def test_every_room_ends_so(number: signal.Signals, room: str) -> None:
    waiting = f"""
import argparse, runpy, time
def at_work(*_, **__):
    print("at work", flush=True)
    time.sleep(60)
argparse.ArgumentParser.parse_args = at_work
runpy.run_module("{room}", run_name="__main__")
"""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", waiting], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert err.splitlines() == [f"{_LINES[number]}; what was finished stays"]
