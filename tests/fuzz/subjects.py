"""What is fuzzed: every reader of bytes from strangers, each with sound files to damage."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from radar.errors import RaincellError
from radar.files.compression import decompressed
from radar.files.frames import read_frames
from radar.files.odim import write_odim
from radar.files.radolan import write_radolan
from radar.frame import Frame, frames_of
from radar.grid import KNOWN_GRIDS
from radar.sequence import Float32, FrameSequence
from service.bodies.json_body import read_json
from service.bodies.npy import read_npy
from service.bodies.posted import Hints
from service.history.codec import StoredFrame, decode, encode, read_header
from tests.service.conftest import rain, sequence
from tests.service.hostile_files import forecast_tar

_OCTAL = re.compile(rb"[0-7]+")
SECRET_FOLDER = "/srv/secret"
_HINTS = Hints(datetime(2026, 1, 1, tzinfo=UTC))


class Subject(NamedTuple):
    """A reader, a sound file for it, and how the damaged file is packed before it is read."""

    name: str
    read: Callable[[bytes], object]
    whole: bytes
    pack: Callable[[bytes], bytes] = bytes


def survives(subject: Subject, data: bytes) -> bool:
    """Whether the reader took the bytes; anything but sound rain or a RaincellError without a path is a failure."""
    try:
        result = subject.read(subject.pack(data))
    except RaincellError as error:
        _check_text(error)
        return False
    for array in _arrays(result):
        assert array.dtype == np.float32
        with np.errstate(invalid="ignore"):
            assert subject.read is read_npy or not (array < 0).any()
    return True


def _check_text(error: RaincellError) -> None:
    assert SECRET_FOLDER not in str(error)
    assert len(str(error)) < 1000
    assert all((error.expected, error.got, error.remedy))


def written() -> list[Subject]:
    """Files that the project writes itself, for whoever has no radar data at hand."""
    small, (large,) = sequence(), frames_of(_observed())
    (frame,) = frames_of(small.last(1))
    radolan, odim = write_radolan(large), write_odim(frame)
    return [
        Subject("radolan", _frames, radolan),
        Subject("radolan.gz", _frames, gzip.compress(radolan, 1)),
        Subject("radolan.bz2", _frames, bz2.compress(radolan, 1)),
        Subject("radolan packed as gz", _frames, radolan, _gzip),
        Subject("odim", _frames, odim),
        Subject("odim.gz", _frames, gzip.compress(odim)),
        Subject("odim packed as gz", _frames, odim, _gzip),
        Subject("tar of odim", _frames, forecast_tar()),
        Subject("tar of odim with sound checksums", _frames, forecast_tar(), _with_checksums),
        Subject("tar.bz2 of odim", _frames, bz2.compress(forecast_tar())),
        Subject("gzip alone", _unpacked, gzip.compress(bytes(range(256)) * 40)),
        Subject("bzip2 alone", _unpacked, bz2.compress(bytes(range(256)) * 40)),
        Subject("npy", read_npy, _npy(small.rain_rate)),
        Subject("json base64", _json, _json_base64(small)),
        Subject("json lists", _json, _json_lists()),
        Subject("stored frame", _stored(small), encode(small)[0].data),
        Subject("stored header", read_header, encode(small)[0].header.model_dump_json().encode()),
    ]


def real(folder: Path) -> list[Subject]:
    """DWD's own files, as they come and, where they are compressed, also damaged inside the compression."""
    patterns = ("*ry_*.gz", "*rx_*", "*.h5", "*.tar*", "ry_*/*", "yw_*/*", "re_*/*")
    paths = [sorted((folder / "dwd").glob(pattern))[-1] for pattern in patterns]
    return [subject for path in paths for subject in _real(path)]


def _real(path: Path) -> Iterator[Subject]:
    data = path.read_bytes()
    yield Subject(f"real {path.name}", _frames, data)
    if data.startswith(b"\x1f\x8b"):
        yield Subject(f"real {path.name} unpacked", _frames, gzip.decompress(data))


def _frames(data: bytes) -> list[Frame]:
    return read_frames(data, f"{SECRET_FOLDER}/file.bin")


def _unpacked(data: bytes) -> bytes:
    return decompressed(data, "file.bin")


def _json(data: bytes) -> FrameSequence:
    return read_json(data, _HINTS).frames


def _stored(frames: FrameSequence) -> Callable[[bytes], FrameSequence]:
    header = encode(frames)[0].header
    return lambda data: decode([StoredFrame(header, data)])


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 0)


def _with_checksums(data: bytes) -> bytes:
    """A tar file whose headers add up again, so that what else is wrong with them is seen."""
    block = bytearray(data)
    at = 0
    while at + 512 <= len(block) and any(block[at : at + 512]):
        total = sum(block[at : at + 512]) - sum(block[at + 148 : at + 156]) + 8 * ord(" ")
        block[at + 148 : at + 156] = b"%06o\0 " % total
        size = block[at + 124 : at + 135].strip(b" \0")
        at += 512 + (-(-int(size, 8) // 512) * 512 if _OCTAL.fullmatch(size) else 0)
    return bytes(block)


def _observed() -> FrameSequence:
    return sequence(1, grid=KNOWN_GRIDS["radolan"])


def _npy(array: Float32) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _json_base64(frames: FrameSequence) -> bytes:
    data = base64.b64encode(frames.rain_rate.tobytes()).decode()
    coded = {"shape": frames.rain_rate.shape, "dtype": "<f4", "data": data}
    return json.dumps({"frames": coded, "valid_time": "2017-08-16T01:15:00Z", "product": "RY"}).encode()


def _json_lists() -> bytes:
    array = rain(2, (3, 4))
    values = array.astype(object)
    values[np.isnan(array)] = None
    times = [datetime(2017, 8, 16, tzinfo=UTC) + timedelta(minutes=5 * k) for k in range(2)]
    return json.dumps({"frames": values.tolist(), "valid_times": [time.isoformat() for time in times]}).encode()


def _arrays(result: object) -> Iterable[Float32]:
    if isinstance(result, FrameSequence | Frame):
        return [result.rain_rate]
    if isinstance(result, np.ndarray):
        return [result]
    return [frame.rain_rate for frame in result] if isinstance(result, list) else []
