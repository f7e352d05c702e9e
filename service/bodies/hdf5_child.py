"""python -m service.bodies.hdf5_child: reads untrusted HDF5 in a process without secrets or privileges.

The HDF5 library is a large parser written in C. Here it runs without the service's memory, threads and secrets, under
limits of memory and processor time, and cannot write files. Of the program it imports only `radar`.

Messages on stdin and stdout are a JSON header and bytes, each preceded by its length. Nothing is pickled: the output of
this process is as untrusted as its input.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from radar.errors import RaincellError, UnreadableFile
from radar.files.odim import read_composite
from radar.frame import Frame

_LENGTHS = struct.Struct("<II")
LONGEST_HEADER = 64 * 1024
LONGEST_TEXT = 400


def send(stream: BinaryIO, header: dict[str, Any], data: bytes | memoryview = b"") -> None:
    """Write one message."""
    text = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(text), len(data)))
    stream.write(text)
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO, longest: int) -> tuple[dict[str, Any], bytes]:
    """Read one message; raises EOFError at the end, ValueError for one that is too long or not a JSON object."""
    text_length, data_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if text_length > LONGEST_HEADER or data_length > longest:
        raise ValueError("a message that is too long")
    header = json.loads(_exactly(stream, text_length))
    if not isinstance(header, dict):
        raise ValueError("a header that is not an object")
    return header, _exactly(stream, data_length)


def main(memory_bytes: int, cpu_seconds: int) -> None:
    """Answer until stdin ends: with the frame of every file, or the error."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Output that a library prints must not mix with the answers.
    os.dup2(2, 1)
    _confine(memory_bytes)
    send(answers, {"ready": True})
    while True:
        try:
            header, data = receive(requests, 2**31)
        except EOFError:
            return
        _allow_processor(cpu_seconds)
        send(answers, *_answer(data, str(header["name"])))


def _answer(data: bytes, name: str) -> tuple[dict[str, Any], bytes | memoryview]:
    try:
        return _described(read_composite(data, name))
    except RaincellError as error:
        return _refused(error), b""
    except Exception:  # MemoryError among them
        return _refused(
            UnreadableFile(
                expected=f"a sound HDF5 composite in {name}", got="one that cannot be read", remedy="send it again"
            )
        ), b""


def _described(frame: Frame) -> tuple[dict[str, Any], memoryview]:
    header = {
        "valid_time": frame.valid_time.isoformat(),
        "grid": asdict(frame.grid),
        "timestep_minutes": frame.timestep_minutes,
        "product": frame.product,
        "source": frame.source,
        "reference_time": frame.reference_time and frame.reference_time.isoformat(),
    }
    return {"frame": header}, frame.rain_rate.astype("<f4", order="C", copy=False).data.cast("B")


def _refused(error: RaincellError) -> dict[str, Any]:
    texts = {name: getattr(error, name)[:LONGEST_TEXT] for name in ("expected", "got", "remedy")}
    return {"error": {"kind": type(error).__name__, **texts}}


def _confine(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _allow_processor(seconds: int) -> None:
    """Allow some seconds of processor time from now on; the kernel ends the process after them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
