"""The child processes that read HDF5 for the service; service.bodies.hdf5_child describes them."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from radar import errors as radar_errors
from radar.errors import Overloaded, RaincellError, UnreadableFile
from radar.files.limits import LARGEST_FRAME_PIXELS
from radar.frame import Frame
from radar.grid import Grid
from service.bodies.deadline import Decoding
from service.bodies.hdf5_child import LONGEST_TEXT, receive, send

_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("PYTHON", "PROJ_")
_FILES_EACH = 1000
"""Files after which a child is replaced, so that its memory leaks are bounded."""
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.1
"""Seconds between two checks whether a waiting caller is still connected."""
_KINDS: dict[str, type[RaincellError]] = {
    name: kind
    for name, kind in vars(radar_errors).items()
    if isinstance(kind, type) and issubclass(kind, RaincellError)
}


@dataclass(frozen=True)
class ChildLimits:
    """Limits for reading one file; the largest accepted files take 225 MB and half a second."""

    memory_bytes: int = 512 * 2**20
    cpu_seconds: int = 5
    seconds: float = 20.0


class Decoders:
    """Reads HDF5 composites in child processes, which are started when they are first needed.

    Parameters
    ----------
    size : int
        The number of children, and so of files at a time; further callers wait.
    on_end : callable
        Called with the reason why a child ended: "died", "time-out", "worn", or "stopped" if the caller disconnected or
        ran out of time.
    """

    def __init__(
        self, size: int = 2, limits: ChildLimits = ChildLimits(), on_end: Callable[[str], object] = lambda _: None
    ) -> None:
        self._limits = limits
        self._on_end = on_end
        self._closed = False
        self._size = size
        self._held: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._places: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(size):
            self._places.put(None)

    def read(self, data: bytes, name: str, decoding: Decoding | None = None) -> Frame:
        """The frame of one HDF5 file; replaces `radar.files.odim.read_composite`, and may be called by any thread.

        The files of one caller never take the last of several children, so that another caller finds one.

        Raises
        ------
        UnreadableFile
            The file is unreadable, or its child died or took too long.
        Overloaded
            No child can be started, or the time of `decoding` is over.
        """
        if decoding is None:
            return self._read(self._places.get(), data, name, None)
        with self._share_of(decoding):
            return self._read(_waited_for(self._places, decoding), data, name, decoding)

    def _read(self, child: _Child | None, data: bytes, name: str, decoding: Decoding | None) -> Frame:
        try:
            if child and not child.alive:  # killed while idle
                child.end()
                self._on_end("died")
                child = None
            child = child or _Child(self._limits)
            if decoding is None:
                return child.read(data, name)
            with decoding.interrupted_by(child.interrupt):
                return child.read(data, name, decoding)
        finally:
            self._places.put(self._kept(child))

    @contextlib.contextmanager
    def _share_of(self, decoding: Decoding) -> Iterator[None]:
        """Wait for one of the places that the caller may hold, and hold it."""
        caller, most = decoding.caller, max(1, self._size - 1)
        with self._changed:
            while self._held[caller] >= most:
                decoding.check()
                self._changed.wait(_LOOK_SECONDS)
            self._held[caller] += 1
        try:
            yield
        finally:
            with self._changed:
                self._held[caller] -= 1
                self._held += Counter()  # drops callers who hold no place
                self._changed.notify_all()

    def start(self) -> None:
        """Start one child now, so that the first file does not wait for it."""
        child = self._places.get()
        self._places.put(child or _Child(self._limits))

    def close(self) -> None:
        """End the idle children; busy ones end after their file."""
        self._closed = True
        resting = []
        with contextlib.suppress(queue.Empty):  # another may take one meanwhile
            while True:
                resting.append(self._places.get_nowait())
        for child in resting:
            if child:
                child.end()
            self._places.put(None)

    def _kept(self, child: _Child | None) -> _Child | None:
        """The child, or None if it has to be replaced."""
        if child is None:
            return None
        ended = child.ended_by or ("worn" if child.files >= _FILES_EACH else None)
        if ended is None and not self._closed:
            return child
        child.end()
        if ended:
            self._on_end(ended)
        return None


class _Child:
    """One process, for one file at a time."""

    def __init__(self, limits: ChildLimits) -> None:
        self._limits = limits
        self.files = 0
        self.ended_by: str | None = None
        arguments = [str(limits.memory_bytes), str(limits.cpu_seconds)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program's own module
                [sys.executable, "-m", "service.bodies.hdf5_child", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                # Ctrl-C goes to the service only, which ends its children itself.
                start_new_session=True,
            )
        except OSError:
            raise _not_started() from None
        self._input, self._output = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        if self._within(_START_SECONDS, lambda: receive(self._output, 0)) is None:
            self.end()
            raise _not_started()

    @property
    def alive(self) -> bool:
        """Whether it can take a file."""
        return self.ended_by is None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, for tests."""
        return self._process.pid

    def read(self, data: bytes, name: str, decoding: Decoding | None = None) -> Frame:
        """See Decoders.read."""
        self.files += 1
        seconds = min(self._limits.seconds, decoding.seconds_left) if decoding else self._limits.seconds
        answer = self._within(seconds, lambda: self._exchange(data, name))
        if answer is None:
            if decoding and decoding.seconds_left == 0:
                self.ended_by = "stopped"
                decoding.check()
            raise self._lost(name)
        try:
            return _frame(*answer)
        except (ValidationError, KeyError, TypeError, ValueError):
            self.ended_by = "died"
            raise self._lost(name) from None

    def interrupt(self) -> None:
        """End its current file; called by another thread than the one that reads its answer."""
        self.ended_by = "stopped"
        self._process.kill()

    def end(self) -> None:
        """End the process, even while it works."""
        self._process.kill()
        with contextlib.suppress(OSError):  # unwritten bytes have no reader
            self._input.close()
        self._output.close()
        self._process.wait()

    def _exchange(self, data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        send(self._input, {"name": name}, data)
        return receive(self._output, 4 * LARGEST_FRAME_PIXELS)

    def _within(
        self, seconds: float, talk: Callable[[], tuple[dict[str, Any], bytes]]
    ) -> tuple[dict[str, Any], bytes] | None:
        """The child's reply; None, with the reason in `ended_by`, if it dies or takes too long."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            return talk()
        except (OSError, EOFError, ValueError):
            self.ended_by = "time-out" if late.is_set() else "died"
            return None
        finally:
            timer.cancel()

    def _lost(self, name: str) -> UnreadableFile:
        limits = self._limits
        within = f"{limits.seconds:g} seconds and {limits.memory_bytes // 2**20} MiB"
        took = "one that takes longer" if self.ended_by == "time-out" else "one that ended the process that read it"
        return UnreadableFile(
            expected=f"an HDF5 composite in {name} that can be read within {within}",
            got=took,
            remedy="send an ODIM HDF5 composite as DWD publishes it",
        )


def _waited_for(places: queue.LifoQueue[_Child | None], decoding: Decoding) -> _Child | None:
    while True:
        decoding.check()
        with contextlib.suppress(queue.Empty):
            return places.get(timeout=_LOOK_SECONDS)


class _FrameHeader(BaseModel):
    """A child's description of a frame, which is validated since children are not trusted."""

    model_config = ConfigDict(extra="forbid")

    valid_time: datetime
    grid: Grid
    timestep_minutes: int = Field(gt=0)
    product: str = Field(max_length=32)
    source: str = Field(max_length=100)
    reference_time: datetime | None


def _frame(header: dict[str, Any], data: bytes) -> Frame:
    if "error" in header:
        raise _error(header["error"])
    described = _FrameHeader.model_validate(header["frame"])
    return Frame(rain_rate=np.frombuffer(data, "<f4").reshape(described.grid.shape), **dict(described))


def _error(fault: dict[str, Any]) -> RaincellError:
    texts = {name: str(fault[name])[:LONGEST_TEXT] for name in ("expected", "got", "remedy")}
    return _KINDS.get(fault["kind"], UnreadableFile)(**texts)


def _environment() -> dict[str, str]:
    """An environment without the service's settings and passwords; every library has one thread."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _not_started() -> Overloaded:
    return Overloaded(
        expected="a process that reads HDF5", got="none that could be started", remedy="try again in a few seconds"
    )
