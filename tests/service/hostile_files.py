"""Files that nobody sends by accident: bombs, archives and HDF5 that reach outside, and sound ones to mix with them."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import h5py
import numpy as np

from radar.files.odim import write_odim
from radar.files.radolan import write_radolan
from radar.files.rv import write_archive
from radar.frame import Frame, frames_of
from radar.grid import grid_named
from radar.sequence import FrameSequence, times_after
from tests.service.conftest import SMALL, rain, sequence

BOMB_BYTES = 256 * 2**20
_PIXELS = "dataset1/data1/data"


@lru_cache
def observed() -> tuple[Frame, ...]:
    """Five RY frames on DWD's grid."""
    return tuple(frames_of(sequence(5, grid=grid_named("radolan"))))


def radolan(number: int = 4, *, later_minutes: int = 0, product: str = "RY", grid: str = "radolan") -> bytes:
    """One of the frames as a RADOLAN binary, at another time or of another product or grid."""
    frame = observed()[number]
    if grid != "radolan":
        (frame,) = frames_of(sequence(1, grid=grid_named(grid)))
    return write_radolan(
        replace(frame, valid_time=frame.valid_time + timedelta(minutes=later_minutes), product=product)
    )


@lru_cache
def radolan_gz() -> bytes:
    """The last frame as DWD compresses it."""
    return gzip.compress(radolan(), 1)


@lru_cache
def gzip_bomb() -> bytes:
    """256 MiB of nothing in 256 KiB."""
    return gzip.compress(bytes(BOMB_BYTES), 6)


@lru_cache
def bzip2_bomb() -> bytes:
    """256 MiB of nothing in a few hundred bytes, as streams one after the other."""
    part = bytes(32 * 2**20)
    return bz2.compress(part, 9) * (BOMB_BYTES // len(part))


@lru_cache
def zip_bomb() -> bytes:
    """256 MiB of nothing in 256 KiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ry.bin", bytes(BOMB_BYTES))
    return stream.getvalue()


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    """An archive of these members; `mode` as tarfile's, e.g. "w:bz2"."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def tar_of_link(kind: bytes, target: str = "/etc/passwd") -> bytes:
    """An archive whose one member is a link of tarfile's kind."""
    info = tarfile.TarInfo("DE1200_RV2210180700_000")
    info.type, info.linkname = kind, target
    return tar((info, b""))


def tar_of_path(path: str, mode: str = "w") -> bytes:
    """An archive whose one member would be written elsewhere by whoever extracts it."""
    return tar((tarfile.TarInfo(path), radolan_gz()), mode=mode)


def tar_of_many(count: int = 10_000) -> bytes:
    """Ten thousand empty members in a few kilobytes."""
    return tar(*((tarfile.TarInfo(f"DE1200_RV2210180700_{number:05}"), b"") for number in range(count)), mode="w:bz2")


def tar_of_too_many() -> bytes:
    """65 sound composites, one more than are read."""
    composite = hdf5(lambda _: None)
    return tar(*((tarfile.TarInfo(f"ry-{number}"), composite) for number in range(65)))


def tar_bomb() -> bytes:
    """One member of 256 MiB of nothing, compressed."""
    return tar((tarfile.TarInfo("DE1200_RV2210180700_000"), bytes(BOMB_BYTES)), mode="w:gz")


def forecast_tar() -> bytes:
    """A sound archive of DWD's nowcast, which is no observation."""
    made = datetime(2017, 8, 16, 1, tzinfo=UTC)
    forecast = FrameSequence(rain(2), times_after(made, 2, 5), SMALL, 5, "RV", made)
    return write_archive(forecast, form="odim")


def tar_of_a_lie() -> bytes:
    """One member that declares 7 GB of which nothing is there."""
    info = tarfile.TarInfo("DE1200_RV2210180700_000")
    info.size = 7 * 10**9
    return info.tobuf() + bytes(1024)


def hdf5(change: Callable[[h5py.File], Any]) -> bytes:
    """A small sound ODIM composite after `change`."""
    (frame,) = frames_of(sequence(1))
    stream = io.BytesIO(write_odim(frame))
    with h5py.File(stream, "r+") as file:
        change(file)
    return stream.getvalue()


def hdf5_link(link: object) -> bytes:
    """A composite whose pixels are a link."""

    def change(file: h5py.File) -> None:
        del file[_PIXELS]
        file[_PIXELS] = link

    return hdf5(change)


def hdf5_external_storage() -> bytes:
    """A composite whose pixels are the bytes of another file."""
    return _with_pixels(external=[("/etc/passwd", 0, 960)])


def hdf5_virtual() -> bytes:
    """A composite whose pixels are those of another file's data set."""
    layout = h5py.VirtualLayout((24, 20), "u2")
    layout[:] = h5py.VirtualSource("/etc/passwd", "data", (24, 20))

    def change(file: h5py.File) -> None:
        del file[_PIXELS]
        file["dataset1/data1"].create_virtual_dataset("data", layout)

    return hdf5(change)


def hdf5_seven_gigabytes() -> bytes:
    """A composite of 60,000 x 60,000 pixels of which none is written."""

    def change(file: h5py.File) -> None:
        file["where"].attrs.update(xsize=60_000, ysize=60_000)
        del file[_PIXELS]
        file["dataset1/data1"].create_dataset("data", (60_000, 60_000), "u2", chunks=(1000, 1000), compression="gzip")

    return hdf5(change)


def hdf5_unknown_filter() -> bytes:
    """A composite whose pixels went through a filter that needs a plug-in (32015, zstd)."""

    def change(file: h5py.File) -> None:
        del file[_PIXELS]
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((24, 20))
        settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((24, 20))
        dataset = h5py.h5d.create(file["dataset1/data1"].id, b"data", h5py.h5t.NATIVE_UINT16, space, settings)
        dataset.write_direct_chunk((0, 0), bytes(960))

    return hdf5(change)


def hdf5_negative() -> bytes:
    """A composite of negative rain."""
    return hdf5(lambda file: file["dataset1/data1/what"].attrs.__setitem__("gain", -0.01))


def hdf5_absurd() -> bytes:
    """A composite of rain in metres."""
    return hdf5(lambda file: file["dataset1/data1/what"].attrs.__setitem__("gain", 1000.0))


def pickled_npy() -> bytes:
    """An object array whose unpickling would run a program."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            import os

            return os.mkdir, ("/tmp/raincell-unpickled",)

    stream = io.BytesIO()
    np.save(stream, np.array([Evil()], object), allow_pickle=True)
    return stream.getvalue()


def lying_npy(shape: tuple[int, ...]) -> bytes:
    """A .npy file of a few bytes whose header declares more."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(16)


def _with_pixels(**options: Any) -> bytes:
    def change(file: h5py.File) -> None:
        del file[_PIXELS]
        file["dataset1/data1"].create_dataset("data", (24, 20), "u2", **options)

    return hdf5(change)
