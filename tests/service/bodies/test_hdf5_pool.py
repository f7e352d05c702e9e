"""Child processes that read HDF5: the same frames, the same refusals, and whatever can happen to a child."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from radar.errors import Overloaded, RaincellError, UnreadableFile
from radar.files.frames import iter_frames
from radar.files.odim import read_composite, write_odim
from radar.files.rv import write_archive
from radar.frame import Frame, frames_of
from radar.grid import grid_named
from radar.sequence import FrameSequence, times_after
from service.bodies import hdf5_pool as module
from service.bodies.hdf5_child import receive
from service.bodies.hdf5_pool import ChildLimits, Decoders
from tests.service import hostile_files as bad
from tests.service.conftest import Client, ServiceProcess, rain, sequence, wait_until
from tests.service.hostile_requests import HDF5, files
from tests.service.routes.test_predict import check_problem


@pytest.fixture
def ends() -> list[str]:
    """Why children ended."""
    return []


@pytest.fixture
def decoders(ends: list[str]) -> Iterator[Decoders]:
    """Two children at most."""
    made = Decoders(on_end=ends.append)
    yield made
    made.close()


def composite() -> bytes:
    """A small sound one."""
    return bad.hdf5(lambda _: None)


def pids(decoders: Decoders) -> list[int]:
    """The children that rest."""
    return [child.pid for child in decoders._places.queue if child]


def check_same(frame: Frame, expected: Frame) -> None:
    """Equal to the last bit."""
    np.testing.assert_array_equal(frame.rain_rate, expected.rain_rate)
    assert frame.rain_rate.dtype == np.float32
    assert replace(frame, rain_rate=expected.rain_rate).__dict__ == expected.__dict__


def test_a_child_gives_the_same_frame(decoders: Decoders) -> None:
    (large,) = frames_of(sequence(1, grid=grid_named("de1200")))
    forecast = replace(large, reference_time=large.valid_time, product="RV")
    for data in (composite(), write_odim(large), write_odim(forecast, quantity="ACRR")):
        check_same(decoders.read(data, "f-hd5"), read_composite(data, "f-hd5"))
    assert len(pids(decoders)) == 1, "one is enough for one caller"


def test_real_composites_come_out_the_same(decoders: Decoders, real_data: Path) -> None:
    paths = sorted((real_data / "dwd").glob("*.h5"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        check_same(decoders.read(data, path.name), read_composite(data, path.name))


def test_compressed_files_and_archives_send_their_hdf5_to_a_child(decoders: Decoders) -> None:
    made = sequence(1).valid_times[0]
    run = FrameSequence(rain(3), times_after(made, 3, 5), sequence(1).grid, 5, "RV", made)
    for data in (gzip.compress(composite()), write_archive(run, form="odim")):
        read = list(iter_frames(data, "f", decoders.read))
        for frame, expected in zip(read, iter_frames(data, "f"), strict=True):
            check_same(frame, expected)
    assert len(pids(decoders)) == 1


def test_radolan_needs_no_child(decoders: Decoders) -> None:
    assert list(iter_frames(bad.radolan(), "f", decoders.read))
    assert not pids(decoders)


def outcome(read: Any, data: bytes) -> tuple[type[Exception], str]:
    """How a file is refused."""
    with pytest.raises(RaincellError) as raised:
        read(data, "f")
    return type(raised.value), str(raised.value)


@pytest.mark.parametrize("case", HDF5, ids=lambda case: case.name)
def test_hostile_files_are_refused_in_the_same_words(decoders: Decoders, ends: list[str], case: Any) -> None:
    ((_, (_, data)),) = case.make()["files"]
    assert outcome(decoders.read, data) == outcome(read_composite, data)
    assert not ends


def test_damaged_files_cost_a_child_at_most(decoders: Decoders) -> None:
    draw, whole = np.random.default_rng(3), composite()
    for _ in range(100):
        damaged = bytearray(whole)
        for place in draw.integers(0, len(whole), draw.integers(1, 8)):
            damaged[place] = draw.integers(0, 256)
        with contextlib.suppress(UnreadableFile):
            decoders.read(bytes(damaged), "f")
    check_same(decoders.read(whole, "f"), read_composite(whole, "f"))


def test_other_hdf5_is_refused_as_netcdf(decoders: Decoders) -> None:
    def change(file: Any) -> None:
        del file["what"]

    kind, words = outcome(decoders.read, bad.hdf5(change))
    assert kind is UnreadableFile
    assert "NetCDF" in words


def test_a_file_that_needs_more_memory_than_a_child_has_is_refused(ends: list[str]) -> None:
    def change(file: Any) -> None:
        file["where"].attrs.update(xsize=2000, ysize=2000)
        del file["dataset1/data1/data"]
        file["dataset1/data1"].create_dataset("data", data=np.zeros((2000, 2000)), chunks=(500, 500), compression=1)

    starved = Decoders(limits=ChildLimits(memory_bytes=190 * 2**20), on_end=ends.append)
    try:
        # HDF5 makes an error of its own of memory that it does not get; other libraries may end the process.
        assert outcome(starved.read, bad.hdf5(change))[0] is UnreadableFile
        check_same(starved.read(composite(), "f"), read_composite(composite(), "f"))
    finally:
        starved.close()


def test_a_child_that_uses_too_much_processor_time_is_ended_by_the_kernel(ends: list[str]) -> None:
    # The kernel counts full seconds of the process; a limit of 0 is over at once.
    busy = Decoders(limits=ChildLimits(cpu_seconds=-1), on_end=ends.append)
    try:
        kind, words = outcome(busy.read, write_odim(frames_of(sequence(1, grid=grid_named("de1200")))[0]))
        assert kind is UnreadableFile
        assert "ended the process" in words
        assert ends == ["died"]
    finally:
        busy.close()


def stopped_child(decoders: Decoders) -> int:
    """A child that rests, stopped, so that it is in the midst of the next file for as long as one likes."""
    decoders.start()
    (pid,) = pids(decoders)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_child_killed_in_the_midst_of_a_file_is_an_error_and_the_next_file_is_read(
    decoders: Decoders, ends: list[str]
) -> None:
    pid = stopped_child(decoders)
    (child,) = [child for child in decoders._places.queue if child]
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(decoders.read, composite(), "../x/file-hd5")
        wait_until(lambda: child.files == 1, "the file to be the child's")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(UnreadableFile, match="ended the process that read it"):
            reading.result(timeout=30)
    assert ends == ["died"]
    check_same(decoders.read(composite(), "f"), read_composite(composite(), "f"))


def test_a_child_killed_while_it_rests_costs_nobody_anything(decoders: Decoders, ends: list[str]) -> None:
    decoders.start()
    (pid,) = pids(decoders)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    check_same(decoders.read(composite(), "f"), read_composite(composite(), "f"))
    assert ends == ["died"]


def test_a_child_that_takes_too_long_is_killed(ends: list[str]) -> None:
    slow = Decoders(limits=ChildLimits(seconds=0.2), on_end=ends.append)
    try:
        stopped_child(slow)
        with pytest.raises(UnreadableFile, match="one that takes longer"):
            slow.read(composite(), "f")
        assert ends == ["time-out"]
    finally:
        slow.close()


def test_a_worn_child_is_replaced(decoders: Decoders, ends: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILES_EACH", 2)
    for _ in range(3):
        decoders.read(composite(), "f")
    assert ends == ["worn"]


def test_more_callers_than_children_wait_for_each_other(decoders: Decoders) -> None:
    data, expected = composite(), read_composite(composite(), "f")
    with ThreadPoolExecutor(8) as threads:
        for frame in threads.map(lambda _: decoders.read(data, "f"), range(40)):
            check_same(frame, expected)
    assert 1 <= len(pids(decoders)) <= 2


def test_children_end_with_the_pool(decoders: Decoders) -> None:
    decoders.start()
    (pid,) = pids(decoders)
    decoders.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_ends_by_itself_when_the_service_is_gone(decoders: Decoders) -> None:
    decoders.start()
    (child,) = [child for child in decoders._places.queue if child]
    child._input.close()
    assert child._process.wait(timeout=30) == 0


def test_a_child_knows_no_settings(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINCELL_REDIS_URL", "redis://:password@cache")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    decoders.start()
    (pid,) = pids(decoders)
    known = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"password" not in known
    assert b"secret" not in known
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "Max file size             0                    0" in limits
    assert f"Max address space         {2**29}" in limits


def test_a_child_that_cannot_start_is_no_fault_of_the_file(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(Overloaded, match="process that reads HDF5"):
        decoders.read(composite(), "f")
    monkeypatch.undo()
    assert decoders.read(composite(), "f")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff" * 8,
        b"\x02\0\0\0\0\0\0\0[]",
        b"\x02\0\0\0\0\0\0\0{}",
        b"\x13\0\0\0\0\0\0\0" + b'{"error": "a text"}',
    ],
)
def test_what_a_child_says_is_not_trusted(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, answer: bytes, tmp_path: Path
) -> None:
    decoders.start()
    (tmp_path / "answer").write_bytes(answer)
    (child,) = [child for child in decoders._places.queue if child]

    def forged(_data: bytes, _name: str) -> Any:
        with (tmp_path / "answer").open("rb") as stream:
            return receive(stream, 100)

    monkeypatch.setattr(child, "_exchange", forged)
    with pytest.raises(UnreadableFile, match="ended the process"):
        decoders.read(composite(), "f")
    monkeypatch.undo()
    assert decoders.read(composite(), "f")


def test_over_http_no_hdf5_is_opened_in_the_service_itself(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError("HDF5 opened in the service")

    bodies = [composite(), gzip.compress(composite()), bad.tar((tarfile.TarInfo("ry-hd5"), composite()))]
    monkeypatch.setattr(h5py, "File", opened)
    for body in bodies:
        assert client.post("/frames", **files(body)()).status_code == 201


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_the_service(service_process: Callable[..., ServiceProcess], end: signal.Signals) -> None:
    server = service_process()
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    assert len(children) == 1, "one is ready for the first file"
    server.process.send_signal(end)
    server.process.wait(timeout=60)
    wait_until(lambda: not any(runs(pid) for pid in children), "the children to end")


def runs(pid: str) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_over_http_a_child_that_dies_is_422_and_the_next_request_works(client: Client) -> None:
    decoders = client.app.state.service.decoders
    pid = stopped_child(decoders)
    killer = threading.Thread(target=kill_when_taken, args=(decoders, pid))
    killer.start()
    check_problem(client.post("/frames", **files(composite())()), 422, "ended the process that read it")
    killer.join()
    assert client.post("/frames", **files(composite())()).status_code == 201
    assert 'raincell_decoder_ends_total{reason="died"} 1.0' in client.get("/metrics").text


def kill_when_taken(decoders: Decoders, pid: int) -> None:
    """Kill the child as soon as somebody talks to it."""
    while pids(decoders):
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
