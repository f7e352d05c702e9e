"""The table of bad requests: each with the status and the words that its answer must have.

What concerns answers, media types, lead times and Redis is in test_predict.py, test_frames.py and test_server.py.
"""

from __future__ import annotations

import bz2
import gzip
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

import h5py
import numpy as np

from radar.sequence import Float32, iso
from tests.service import hostile_files as bad
from tests.service.conftest import npy, rain

Request = dict[str, Any]
BOTH = ("/predict", "/frames")
PREDICT = ("/predict",)
_SIXTY_YEARS = 60 * 24 * 365 * 60


class Case(NamedTuple):
    """A request, made when it is first needed, and what must be answered."""

    name: str
    make: Callable[[], Request]
    text: str
    status: int = 422
    routes: tuple[str, ...] = BOTH


def files(*contents: bytes | Callable[[], bytes], **query: Any) -> Callable[[], Request]:
    """A multipart form of these files, made once for all routes and tests."""

    @cache
    def make() -> Request:
        datas = [content if isinstance(content, bytes) else content() for content in contents]
        parts = [("frames", (f"../../srv/file{number}", data)) for number, data in enumerate(datas)]
        return {"files": parts, "params": query}

    return make


def array(values: Float32 | bytes | Callable[[], bytes], **query: Any) -> Callable[[], Request]:
    """A .npy body, made once for all routes and tests."""

    @cache
    def make() -> Request:
        content = npy(values) if isinstance(values, np.ndarray) else values if isinstance(values, bytes) else values()
        about = {"valid_time": "2017-08-16T01:15:00Z", "product": "RY", **query}
        return {"content": content, "params": about, "headers": {"Content-Type": "application/x-npy"}}

    return make


def json(**body: Any) -> Callable[[], Request]:
    """A JSON body of two small frames with these changes."""
    return lambda: {"json": {"frames": [[[0.0, 1.0]], [[0.0, 1.0]]], "product": "RY", **body}}


def raw(content: bytes, content_type: str) -> Callable[[], Request]:
    """Any bytes as any media type."""
    return lambda: {"content": content, "headers": {"Content-Type": content_type}}


def with_value(value: float) -> Float32:
    """Sound rain with one pixel of this."""
    frames = rain()
    frames[3, 10, 10] = value
    return frames


def times(*minutes: int) -> list[str]:
    """Times as JSON has them."""
    return [iso(datetime(2017, 8, 16, 1, tzinfo=UTC) + timedelta(minutes=minute)) for minute in minutes]


_PART = b'--b\r\nContent-Disposition: form-data; name="frames"; filename="f"\r\n\r\nx\r\n--b--\r\n'
_FORM = "multipart/form-data; boundary=b"
_sound = bad.radolan

SEQUENCES = (
    Case("no frames", dict, "got neither", routes=PREDICT),
    Case("no frames to store", dict, "frames in the body", routes=("/frames",)),
    Case("an empty file", files(b""), "no bytes"),
    Case("a form without frames", lambda: {"files": [("other", ("f", b"x"))]}, "field frames"),
    Case("one frame", files(_sound), "5 frames, 5 minutes apart, got 1", routes=PREDICT),
    Case("one frame as array", array(rain(1)), "5 frames, 5 minutes apart, got 1", routes=PREDICT),
    Case("a gap", files(partial(_sound, 0), partial(_sound, 2)), "10 minutes between"),
    Case("a gap in JSON", json(frames=[[[0.0]]] * 3, valid_times=times(0, 5, 15)), "10 minutes between"),
    Case("the same time twice", files(_sound, _sound), "two frames for 2017-08-16T01:15:00Z"),
    Case("the same time twice in JSON", json(valid_times=times(0, 0)), "two frames for 2017-08-16T01:00:00Z"),
    Case("unordered times", json(valid_times=times(5, 0)), "unordered times"),
    Case("mixed products", files(_sound, partial(_sound, 3, product="YW")), "files of one product"),
    Case("mixed grids", files(_sound, partial(_sound, 4, grid="de1200", later_minutes=5)), "files of one grid"),
    Case("from the future", array(rain(), valid_time="2099-01-01T00:00:00Z"), "check the clock"),
    Case("a file from the future", files(partial(_sound, later_minutes=_SIXTY_YEARS)), "check the clock"),
    Case("JSON from the future", json(valid_time="2099-01-01T00:00:00Z"), "check the clock"),
)

VALUES = (
    Case("negative rain", array(with_value(-0.1)), "negative"),
    Case("minus infinity", array(with_value(-np.inf)), "negative or infinite"),
    Case("infinite rain", array(with_value(np.inf)), "infinite"),
    Case("absurd rain", array(with_value(1000.5)), "at most 1000 mm/h, got 1000.5 mm/h"),
    Case("negative rain in a file", files(bad.hdf5_negative), "rain rates of 0 mm/h or more"),
    Case("absurd rain in a file", files(bad.hdf5_absurd), "at most 1000 mm/h"),
    Case("negative rain in JSON", json(frames=[[[-1.0]]]), "negative"),
    Case("a wrong shape", array(rain()[0]), "(frames, rows, columns)"),
    Case("a shape with nothing in it", array(np.zeros((0, 4, 4), np.float32)), "none of them 0"),
    Case("a shape of another grid", array(rain(), grid="radolan"), "900x900"),
    Case("too many frames", array(np.zeros((65, 2, 2), np.float32)), "at most 64 frames"),
    Case("too many pixels", files(*[bad.radolan_gz] * 64), "32000000 values"),
    Case("an unknown grid", array(rain(), grid="atlantis"), "radolan"),
    Case("a product that is none", array(rain(), product="R/Y"), "product"),
)

BYTES = (
    Case("text", files(b"hello"), "got neither"),
    Case("text after a sound file", files(partial(_sound, 3), b"hello"), "got neither"),
    Case("truncated gz", files(partial(_sound, 3), lambda: bad.radolan_gz()[:-9]), "ends too early"),
    Case("truncated bz2", files(lambda: bz2.compress(_sound())[:-9]), "ends too early"),
    Case("a truncated file", files(lambda: _sound()[:-2]), "that its header states"),
    Case("gzip bomb", files(bad.gzip_bomb), "16,777,216 decompressed bytes"),
    Case("gzip bomb in gzip", files(lambda: gzip.compress(bad.gzip_bomb(), 1)), "got neither"),
    Case("bzip2 bomb", files(bad.bzip2_bomb), "decompressed bytes"),
    Case("zip bomb", files(bad.zip_bomb), "got a zip archive"),
    Case("64 bombs", files(*[bad.gzip_bomb] * 64), "16,777,216 decompressed bytes"),
    Case(".npy with pickled objects", array(bad.pickled_npy), "dtype object"),
    Case(".npy that lies", array(partial(bad.lying_npy, (1, 900, 900))), "3240000 bytes"),
    Case(".npy that lies hugely", array(partial(bad.lying_npy, (10**6, 10**6, 10**6))), "at most 64 frames"),
    Case(".npy with a damaged header", array(lambda: npy(rain()).replace(b"{", b"\0")), ".npy file of version 1"),
    Case("JSON that is none", raw(b"{", "application/json"), "Invalid JSON"),
    Case("a form in no encoding", raw(_PART, f"{_FORM}; charset=undefined"), "UTF-8"),
    Case("a form without boundary", raw(b"x", "multipart/form-data"), "multipart form"),
    Case("a header of a megabyte", raw(b"--b\r\n" + b"A" * 10**6, _FORM), "multipart form"),
    Case("another media type", raw(b"x", "text/plain"), "multipart/form-data", 415),
)

ARCHIVES = (
    Case("tar with a symbolic link", files(partial(bad.tar_of_link, tarfile.SYMTYPE)), "got a link"),
    Case("tar with a hard link", files(partial(bad.tar_of_link, tarfile.LNKTYPE)), "got a link"),
    Case("tar with a device", files(partial(bad.tar_of_link, tarfile.CHRTYPE)), "regular files only"),
    Case("tar with an absolute path", files(partial(bad.tar_of_path, "/tmp/raincell-extracted")), "relative names"),
    Case("tar with a parent path", files(partial(bad.tar_of_path, "../raincell-extracted")), "relative names"),
    Case("tar.gz with a parent path", files(partial(bad.tar_of_path, "../raincell-extracted", "w:gz")), "relative"),
    Case("tar of 10,000 empty members", files(bad.tar_of_many), "got neither in DE1200_RV2210180700_00000"),
    Case("tar of 65 sound members", files(bad.tar_of_too_many), "at most 64 files"),
    Case("tar that declares 7 GB", files(bad.tar_of_a_lie), "16,777,216 bytes in file0, got 7,000,000,000"),
    Case("tar with a bomb", files(lambda: bad.tar((tarfile.TarInfo("a"), bad.gzip_bomb()))), "got neither in a"),
    Case("tar that is a bomb", files(bad.tar_bomb), "16,777,216 bytes"),
    Case("a forecast in a tar", files(bad.forecast_tar), "observed frames, got a forecast"),
)

HDF5 = (
    Case("external link", files(lambda: bad.hdf5_link(h5py.ExternalLink("/etc/passwd", "/"))), "external link"),
    Case("soft link out", files(lambda: bad.hdf5_link(h5py.SoftLink("/etc/passwd"))), "soft or external link"),
    Case("external storage", files(bad.hdf5_external_storage), "pixels stored elsewhere"),
    Case("virtual data set", files(bad.hdf5_virtual), "pixels stored elsewhere"),
    Case("7 GB declared in 3 KB", files(bad.hdf5_seven_gigabytes), "pixels in file0, got 60000x60000"),
    Case("unknown filter", files(bad.hdf5_unknown_filter), "HDF5 filters [32015]"),
)

CASES = SEQUENCES + VALUES + BYTES + ARCHIVES + HDF5
