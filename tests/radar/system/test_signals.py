"""Signals sent to real commands while they are at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

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


def test_what_was_asked_to_end_ends_in_time_whatever_it_is_at() -> None:
    code = """
import signal, sys, threading, time
from radar.system.signals import end_in_time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(time.monotonic()))
end_in_time(lambda: asked[0] if asked else None, 0.5)
threading.Thread(target=time.sleep, args=(60,)).start()
print("at work", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.7)
        assert process.poll() is None, "nobody asked"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 0
    assert err.decode().splitlines() == ["ended after 0.5 seconds, with work that nobody waits for any more"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("working", [True, False], ids=["at work", "starting"])
def test_a_command_with_a_pool_of_processes_ends_so_too_and_leaves_none(number: signal.Signals, working: bool) -> None:
    code = """
import sys, time
from radar.system.signals import run_command
from training.dask_pool import pool, run_all
def work():
    print("begins", flush=True)
    with pool(None, 2) as client:
        print("at work", flush=True)
        list(run_all(time.sleep, [60] * 8, client))
    return 0
sys.exit(run_command(work))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != ("at work\n" if working else "begins\n"):
            pass
        time.sleep(0.5)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=60)  # until the last of its processes has closed the pipe
    assert process.returncode == 128 + number
    assert err.splitlines() == [f"{_LINES[number]}; what was finished stays"]
