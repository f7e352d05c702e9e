"""Programs that begin where their imports end: one process imports, and each program is forked from it.

    python -m tests.preloaded DESCRIPTOR MODULE ...

A start of the service takes two seconds of imports and a moment of its own. What follows the imports is what
`python -m MODULE` does, in a process with its own arguments, environment, folder and streams, whose parent is the
process that asked for it.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

SERVICE = ("service.app", "service.unknown_settings", "service.feed.command", "service.security.keys")
"""All that `python -m service run` and `ingest` import."""
TRAINING = ("tests.training.preloaded_training",)
"""All that `python -m training fit` and `retrain` import; exports share their graphs."""
_LONGEST = 2**17
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
_STREAMS = (0, 1, 2)
_ONE_AT_A_TIME = threading.RLock()


class Preloaded:
    """A process that has imported some modules and waits for programs to start."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, "-m", "tests.preloaded", str(there.fileno()), *modules]
            self._process = subprocess.Popen(command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL)
        atexit.register(self._end)

    def _end(self) -> None:
        self._here.close()
        self._process.wait()

    def start(self, request: Mapping[str, Any], streams: Sequence[int]) -> int:
        """The process of a program, a child of this one."""
        libc = ctypes.CDLL(None)
        with _ONE_AT_A_TIME:
            libc.prctl(_SUBREAPER, 1)  # a process that loses its parent meanwhile becomes a child of this one
            try:
                socket.send_fds(self._here, [json.dumps(request).encode()], list(streams))
                return int(self._here.recv(_LONGEST))
            finally:
                libc.prctl(_SUBREAPER, 0)


@cache
def preloaded(*modules: str) -> Preloaded:
    """One for all programs that this process starts; it ends with this process."""
    return Preloaded(modules)


class Program(subprocess.Popen[bytes]):
    """`python -m MODULE ARGUMENT ...` or `python FILE.py ARGUMENT ...`, without the time that its imports take.

    Parameters
    ----------
    arguments : sequence of str
        The module or the file, and its arguments.
    modules : sequence of str
        What is imported before.
    """

    def __init__(
        self, arguments: Sequence[str], modules: Sequence[str], env: Mapping[str, str] | None = None, **streams: Any
    ) -> None:
        self._modules = tuple(modules)
        super().__init__(list(arguments), env=dict(os.environ if env is None else env), **streams)

    def _execute_child(self, *given_by_popen: Any) -> None:
        """In the place of fork and exec, with what `subprocess.Popen` of Python 3.11 gives."""
        arguments, _, _, _, _, folder, environment, _, _, _, *others = given_by_popen
        stdin, to_stdin, from_stdout, stdout, from_stderr, stderr, _, _, _, _, _, new_session, *_ = others
        request = {
            "arguments": arguments,
            "environment": environment,
            "folder": str(folder or Path.cwd()),
            "new_session": new_session,
        }
        given = [own if own != -1 else default for own, default in zip((stdin, stdout, stderr), _STREAMS, strict=True)]
        try:
            with _ONE_AT_A_TIME:
                self.pid = preloaded(*self._modules).start(request, given)
            self._child_created = True
        finally:
            self._close_pipe_fds(stdin, to_stdin, from_stdout, stdout, from_stderr, stderr)  # type: ignore[attr-defined]


def main(descriptor: int, modules: Sequence[str]) -> None:
    """Import, then start what is asked for until nobody is left who could ask."""
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    asked = socket.socket(fileno=descriptor)
    while True:
        text, streams, _, _ = socket.recv_fds(asked, _LONGEST, len(_STREAMS))
        if not text:
            return
        process = _forked_by_nobody()
        if process == 0:
            asked.close()
            return _become(json.loads(text), streams)
        for stream in streams:
            os.close(stream)
        asked.send(str(process).encode())


def _forked_by_nobody() -> int:
    """As os.fork, but for the parent, which has ended when this returns: the kernel gives the child another."""
    from_child, to_parent = os.pipe()
    between = os.fork()
    if between == 0:
        process = os.fork()
        if process:
            os.write(to_parent, str(process).encode())
            os._exit(0)
        os.close(from_child)
        os.close(to_parent)
        return 0
    os.waitpid(between, 0)
    os.close(to_parent)
    with open(from_child, "rb") as pipe:  # noqa: PTH123 - a descriptor
        return int(pipe.read())


def _become(request: dict[str, Any], streams: Sequence[int]) -> None:
    """Run a program as the interpreter would."""
    for stream, standard in zip(streams, _STREAMS, strict=True):
        os.dup2(stream, standard)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    if request["new_session"]:
        os.setsid()
    program, *_ = sys.argv = request["arguments"]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
