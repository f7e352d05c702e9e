from __future__ import annotations

import io
import random
import re
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radar.errors import GridMismatch, InvalidRain, InvalidRequest, RaincellError, UnreadableFile
from radar.files.odim import Bits, is_odim, read_odim, write_odim
from radar.frame import Frame, observed
from radar.grid import KNOWN_GRIDS, Grid

SMALL = Grid("20x30", (20, 30), 2.0, KNOWN_GRIDS["de1200"].projection, (1000.0, -4_000_000.0))
TIME = datetime(2026, 6, 1, 12, tzinfo=UTC)


def frame(rain: np.ndarray | None = None, grid: Grid = SMALL) -> Frame:
    return Frame(np.zeros(grid.shape, np.float32) if rain is None else rain, TIME, grid, 5, "RY", "")


def changed(change: Callable[[h5py.File], None]) -> bytes:
    """A small composite after `change`."""
    stream = io.BytesIO(write_odim(frame(np.full(SMALL.shape, 3, np.float32))))
    with h5py.File(stream, "r+") as file:
        change(file)
    return stream.getvalue()


def with_pixels(**options: object) -> bytes:
    """A small composite whose data set is made anew with h5py's options."""

    def change(file: h5py.File) -> None:
        del file["dataset1/data1/data"]
        settled = {"shape": (20, 30), "dtype": "u2", **options}
        file["dataset1/data1"].create_dataset("data", **settled)

    return changed(change)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_what_is_written_is_read_back(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rain = (draw.integers(0, 65535, SMALL.shape) * 0.01).astype(np.float32)
    rain[draw.random(SMALL.shape) < 0.2] = np.nan
    back = read_odim(write_odim(frame(rain)), "f")
    np.testing.assert_array_equal(back.rain_rate, rain)
    assert (back.valid_time, back.product, back.timestep_minutes) == (TIME, "RY", 5)
    assert back.grid.shape == SMALL.shape
    np.testing.assert_allclose(back.grid.corners(), SMALL.corners(), atol=1e-9)


@pytest.mark.parametrize("name", list(KNOWN_GRIDS))
def test_known_grids_come_back_as_themselves(name: str) -> None:
    assert read_odim(write_odim(frame(grid=KNOWN_GRIDS[name])), "f").grid is KNOWN_GRIDS[name]


def test_gain_offset_nodata_and_undetect_are_the_files_own() -> None:
    def change(file: h5py.File) -> None:
        file["dataset1/data1/data"][0, :4] = [7, 8, 10, 0]
        own = {"gain": 0.5, "offset": 1.0, "nodata": 7.0, "undetect": 8.0}
        file["dataset1/data1/what"].attrs.update(own)

    rain = read_odim(changed(change), "f").rain_rate
    np.testing.assert_array_equal(rain[0, :4], np.array([np.nan, 0, 6, 1], np.float32))


def test_32_bits_are_read_by_the_files_own_attributes() -> None:
    """As DWD's RV since 2025: 4294967295 is no data, and undetect need not be 0."""
    pixels = np.full((20, 30), 2**32 - 2, np.uint32)
    pixels[0, :3] = 2**32 - 1, 0, 125

    def change(file: h5py.File) -> None:
        del file["dataset1/data1/data"]
        file["dataset1/data1/data"] = pixels
        own = {"quantity": np.bytes_(b"ACRR"), "gain": 0.001, "nodata": 2.0**32 - 1, "undetect": 2.0**32 - 2}
        file["dataset1/data1/what"].attrs.update(own)

    rain = read_odim(changed(change), "f").rain_rate
    np.testing.assert_array_equal(rain[0, :4], np.array([np.nan, 0, 1.5, 0], np.float32))


@pytest.mark.parametrize(("bits", "heaviest"), [(16, "7864.08"), (32, "5.15396e+07")])
def test_amounts_are_written_in_both_widths(bits: Bits, heaviest: str) -> None:
    rain = np.full(SMALL.shape, 0.12, np.float32)
    rain[0, 0], rain[0, 1] = np.nan, 491.4
    data = write_odim(frame(rain), quantity="ACRR", bits=bits)
    with h5py.File(io.BytesIO(data)) as file:
        assert file["dataset1/data1/data"].dtype == f"u{bits // 8}"
        assert file["dataset1/data1/what"].attrs["quantity"] == b"ACRR"
        assert file["dataset1/data1/what"].attrs["nodata"] == 2.0**bits - 1
    np.testing.assert_array_equal(read_odim(data, "f").rain_rate, rain)
    with pytest.raises(InvalidRain, match=f"0 to {re.escape(heaviest)} mm/h"):
        write_odim(frame(np.full(SMALL.shape, 1e8, np.float32)), quantity="ACRR", bits=bits)


def test_a_composite_whose_interval_ends_after_its_nominal_time_is_a_forecast() -> None:
    ahead = _attribute("what", "time", np.bytes_(b"115000"))
    assert read_odim(ahead, "f").reference_time == TIME - timedelta(minutes=10)
    assert read_odim(write_odim(frame()), "f").reference_time is None


@pytest.mark.parametrize("where", ["how", "dataset1/how", "dataset1/data1/how"])
@pytest.mark.parametrize(
    ("said", "ahead"), [(b"True", True), (b"TRUE ", True), (np.True_, True), (1, True), (b"False", False), (b"", False)]
)
def test_a_composite_that_calls_itself_simulated_is_a_forecast(where: str, said: object, ahead: bool) -> None:
    def change(file: h5py.File) -> None:
        file.create_group(where).attrs["simulated"] = said

    read = read_odim(changed(change), "x.h5")
    assert read.reference_time == (read.valid_time if ahead else None)
    if ahead:
        with pytest.raises(InvalidRequest, match="a forecast is not history"):
            next(observed([read]))


def test_accumulations_become_rates() -> None:
    def change(file: h5py.File) -> None:
        file["dataset1/data1/data"][0, 0] = 100
        file["dataset1/data1/what"].attrs["quantity"] = np.bytes_(b"ACRR")

    assert read_odim(changed(change), "f").rain_rate[0, 0] == 12


@pytest.mark.parametrize("dtype", ["u1", "<u4", ">u2", "<f4", ">f8", "i2"])
def test_all_number_types_are_read(dtype: str) -> None:
    pixels = np.arange(600).reshape(20, 30) % 100
    for options in ({}, {"chunks": (7, 11), "compression": "gzip", "shuffle": True}, {"chunks": (20, 30)}):
        data = with_pixels(dtype=dtype, data=pixels.astype(dtype), **options)
        np.testing.assert_array_equal(read_odim(data, "f").rain_rate, (pixels * 0.01).astype(np.float32))


def _external_storage() -> bytes:
    return with_pixels(external=[("/etc/hostname", 0, 1200)])


def _virtual() -> bytes:
    layout = h5py.VirtualLayout((20, 30), "u2")
    layout[:] = h5py.VirtualSource("other.h5", "data", (20, 30))

    def change(file: h5py.File) -> None:
        del file["dataset1/data1/data"]
        file["dataset1/data1"].create_virtual_dataset("data", layout)

    return changed(change)


def _linked(link: object) -> bytes:
    def change(file: h5py.File) -> None:
        del file["dataset1/data1/data"]
        file["dataset1/data1/data"] = link

    return changed(change)


def _crowded() -> bytes:
    def change(file: h5py.File) -> None:
        for index in range(600):
            file.create_group(f"group{index}")

    return changed(change)


def _attribute(path: str, name: str, value: object) -> bytes:
    return changed(lambda file: file[path].attrs.__setitem__(name, value))


def _huge() -> bytes:
    """7 GB declared in a few KB."""
    return changed(lambda file: file["where"].attrs.update(xsize=60_000, ysize=60_000))


def _inflating(into: int) -> bytes:
    """One chunk that says 1200 bytes and inflates to more."""
    data = io.BytesIO(with_pixels(chunks=(20, 30), compression="gzip"))
    with h5py.File(data, "r+") as file:
        file["dataset1/data1/data"].id.write_direct_chunk((0, 0), zlib.compress(bytes(into)))
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (_external_storage(), "got pixels stored elsewhere"),
        (_virtual(), "got pixels stored elsewhere"),
        (_linked(h5py.ExternalLink("/etc/hostname", "/")), "got a soft or external link"),
        (_linked(h5py.SoftLink("/where")), "got a soft or external link"),
        (_crowded(), "got more than 500 objects"),
        (_huge(), "at most 4,500,000 pixels in f, got 60000x60000"),
        (_inflating(1300), "chunks of 1,200 bytes in f, got more"),
        (_inflating(10), "chunks of 1,200 bytes in f, got 10"),
        (with_pixels(shape=(5000, 5000), chunks=(100, 100), compression="gzip"), "20x30 pixels"),
        (with_pixels(chunks=(20, 30), scaleoffset=0), "deflate in f, got HDF5 filters"),
        (with_pixels(chunks=(20, 30), compression="lzf"), "deflate in f, got HDF5 filters"),
        (with_pixels(dtype=h5py.string_dtype()), "pixels that are numbers"),
        (with_pixels(dtype=h5py.vlen_dtype(np.uint16)), "pixels that are numbers"),
        (with_pixels(dtype=h5py.ref_dtype), "pixels that are numbers"),
        (with_pixels(), "1,200 bytes of pixels in f, got 0"),  # declared, never written: not zero rain
        (with_pixels(chunks=(10, 10)), "6 chunks of pixels in f, got 0"),
        (_attribute("what", "object", np.bytes_(b"PVOL")), "a composite (COMP) in f, got PVOL"),
        (_attribute("what", "object", np.bytes_(b"")), "a composite (COMP) in f, got an empty text"),
        (_attribute("dataset1/data1/what", "quantity", np.bytes_(b"DBZH")), "quantity RATE or ACRR in f, got DBZH"),
        (_attribute("dataset1/data1/what", "gain", -1.0), "rain rates of 0 mm/h or more"),
        (_attribute("dataset1/data1/what", "offset", -5.0), "rain rates of 0 mm/h or more"),
        (_attribute("dataset1/data1/what", "offset", 1e300), "rain rates of 0 mm/h or more"),
        (_attribute("dataset1/data1/what", "gain", np.nan), "a finite number as attribute gain in f, got nan"),
        (_attribute("dataset1/what", "starttime", np.bytes_(b"120000")), "1 to 30 whole minutes in f, got 0"),
        (_attribute("dataset1/what", "endtime", np.bytes_(b"noon")), "endtime HHMMSS in f, got '20260601noon'"),
        (_attribute("dataset1/what", "prodname", np.bytes_(b"../../RY")), "a product name of letters"),
        (_attribute("where", "projdef", np.bytes_(b"+init=/etc/passwd:1")), "a plain PROJ projection"),
        (_attribute("where", "projdef", np.bytes_(b"+proj=pipeline +step")), "a plain PROJ projection"),
        (_attribute("where", "projdef", np.bytes_(b"+proj=nothing")), "an upper left corner within the projection"),
        (_attribute("where", "xscale", 1.0), "square pixels"),
        (_attribute("where", "UL_lat", np.inf), "a finite number as attribute UL_lat in f, got inf"),
        (_attribute("where", "UL_lat", np.zeros(5000)), "attribute UL_lat in f, got an array of 5000"),
    ],
)
def test_what_reaches_outside_or_lies_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read_odim(data, "f")
    assert text in str(caught.value)
    assert "/etc" not in str(caught.value).replace("'+init=/etc/passwd:1'", "")


def test_a_chunk_that_is_a_bomb_takes_no_memory() -> None:
    bomb = _inflating(100_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFile):
            read_odim(bomb, "f")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_mutated_files_are_read_or_refused() -> None:
    whole = write_odim(frame((np.arange(600).reshape(20, 30) / 100).astype(np.float32)))
    draw = random.Random(1)
    for _ in range(400):
        damaged = bytearray(whole[: draw.choice([len(whole), len(whole), draw.randrange(len(whole))])])
        for _ in range(draw.choice([1, 2, 10])):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        with suppress(RaincellError):
            read_odim(bytes(damaged), "f")


def test_other_hdf5_is_not_odim() -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["rain"] = np.zeros(3)
    assert not is_odim(stream.getvalue())
    assert is_odim(write_odim(frame()))
    assert not is_odim(b"RY102050100000814BY")


def test_rain_and_grids_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(InvalidRain, match=r"0 to 655.34 mm/h, got 700 to 700"):
        write_odim(frame(np.full(SMALL.shape, 700, np.float32)))
    with pytest.raises(GridMismatch, match="a grid with a PROJ string"):
        write_odim(frame(grid=replace(SMALL, projection=None)))


def test_dwds_composite(real_data: Path) -> None:
    data = (real_data / "dwd" / "20250604_1630_RY.h5").read_bytes()
    read = read_odim(data, "20250604_1630_RY.h5")
    assert read.grid is KNOWN_GRIDS["de1200"]
    assert (read.valid_time, read.product, read.timestep_minutes) == (datetime(2025, 6, 4, 16, 30, tzinfo=UTC), "RY", 5)
    with h5py.File(io.BytesIO(data)) as file:
        stored = file["dataset1/data1/data"][()]  # by the HDF5 library's own way through the filters
    np.testing.assert_array_equal(read.rain_rate, np.where(stored == 65535, np.nan, stored * 0.01).astype(np.float32))
    np.testing.assert_array_equal(read_odim(write_odim(read), "again").rain_rate, read.rain_rate)


def _moved(file: h5py.File, source: str, target: str, *keys: str) -> None:
    for key in keys or list(file[source].attrs):
        file[target].attrs[key] = file[source].attrs[key]
        del file[source].attrs[key]


@pytest.mark.parametrize(
    "move",
    [
        lambda file: _moved(file, "dataset1/data1/what", "dataset1/what", "gain", "offset", "nodata", "undetect"),
        lambda file: _moved(file, "dataset1/data1/what", "what"),
        lambda file: _moved(file, "dataset1/what", "dataset1/data1/what", "startdate", "starttime", "prodname"),
        lambda file: file.move("where", "dataset1/where"),
        lambda file: file.move("where", "dataset1/data1/where"),
    ],
)
def test_attributes_are_inherited_one_by_one(move: Callable[[h5py.File], None]) -> None:
    read = read_odim(changed(move), "f")
    assert (read.valid_time, read.product, read.timestep_minutes, read.grid.shape) == (TIME, "RY", 5, SMALL.shape)
    np.testing.assert_array_equal(read.rain_rate, read_odim(changed(lambda _: None), "f").rain_rate)


def test_the_nearest_attribute_counts() -> None:
    def change(file: h5py.File) -> None:
        file["dataset1/data1/data"][0, 0] = 100
        file["dataset1/what"].attrs["gain"] = 5.0

    assert read_odim(changed(change), "f").rain_rate[0, 0] == 1


@pytest.mark.parametrize(
    ("path", "key"),
    [(f"dataset1/data1/{kind}", key) for kind, key in (("what", "undetect"), ("what", "nodata"), ("what", "gain"))]
    + [("dataset1/data1/what", "offset"), ("dataset1/data1/what", "quantity")]
    + [("dataset1/what", f"{edge}{part}") for edge in ("start", "end") for part in ("date", "time")]
    + [("where", key) for key in ("projdef", "xsize", "ysize", "xscale", "yscale", "UL_lat", "UL_lon")]
    + [("what", key) for key in ("object", "date", "time")],
)
def test_an_attribute_that_is_missing_is_named(path: str, key: str) -> None:
    def change(file: h5py.File) -> None:
        del file[path].attrs[key]

    with pytest.raises(UnreadableFile, match=f"got no attribute {key} in ") as caught:
        read_odim(changed(change), "f")
    assert path in caught.value.got
    assert "damaged" not in str(caught.value)


def test_damaged_is_said_of_files_that_do_not_open() -> None:
    with pytest.raises(UnreadableFile, match="damaged one, which does not open"):
        read_odim(write_odim(frame())[:1000], "f")


@pytest.mark.parametrize("value", [b"RY  ", b" RY\0\0", b"ry", b"RY_top_view", b"RY-5min"])
def test_a_product_is_known_by_the_beginning_of_its_name(value: bytes) -> None:
    assert read_odim(_attribute("dataset1/what", "prodname", np.bytes_(value)), "f").product == "RY"


def test_rv_as_dwd_names_it_is_a_forecast_lead_0_included() -> None:
    read = read_odim(_attribute("dataset1/what", "prodname", np.bytes_(b"RV_top_view")), "f")
    assert (read.product, read.reference_time) == ("RV", TIME)


def test_the_sum_of_an_hour_is_read_as_rw_and_of_no_other_product() -> None:
    def change(file: h5py.File) -> None:
        file["dataset1/what"].attrs.update(prodname=np.bytes_(b"RW"), starttime=np.bytes_(b"110000"))
        file["dataset1/data1/what"].attrs["quantity"] = np.bytes_(b"ACRR")
        file["dataset1/data1/data"][0, 0] = 120

    read = read_odim(changed(change), "f")
    assert (read.product, read.timestep_minutes, read.rain_rate[0, 0]) == ("RW", 60, np.float32(1.2))

    def other(file: h5py.File) -> None:
        change(file)
        file["dataset1/what"].attrs["prodname"] = np.bytes_(b"MINE")

    with pytest.raises(UnreadableFile, match="1 to 30 whole minutes in f, got 60 minutes of product MINE"):
        read_odim(changed(other), "f")


@pytest.mark.parametrize("name", [b"SF", b"WN_top_view", b"HG"])
def test_a_composite_that_holds_no_rain_rates_is_refused_by_its_product(name: bytes) -> None:
    with pytest.raises(UnreadableFile, match=f"got product {name[:2].decode()}; it is "):
        read_odim(_attribute("dataset1/what", "prodname", np.bytes_(name)), "f")


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf, -9999.0])
def test_no_data_need_not_be_a_finite_number(missing: float) -> None:
    pixels = np.full((20, 30), 150.0, np.float32)
    pixels[0, :2] = missing, 0

    def change(file: h5py.File) -> None:
        del file["dataset1/data1/data"]
        file["dataset1/data1/data"] = pixels
        file["dataset1/data1/what"].attrs["nodata"] = missing

    rain = read_odim(changed(change), "f").rain_rate
    np.testing.assert_array_equal(rain[0, :3], np.array([np.nan, 0, 1.5], np.float32))


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}])
def test_chunks_with_checksums_are_read_and_checked(options: dict[str, Any]) -> None:
    pixels = np.random.default_rng(1).integers(0, 100, (20, 30)).astype("u2")
    data = with_pixels(data=pixels, chunks=(7, 11), fletcher32=True, **options)
    np.testing.assert_array_equal(read_odim(data, "f").rain_rate, (pixels * 0.01).astype(np.float32))
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        dataset = file["dataset1/data1/data"]
        mask, raw = dataset.id.read_direct_chunk((0, 0))
        dataset.id.write_direct_chunk((0, 0), raw[:-1] + bytes([raw[-1] ^ 1]), mask)
    with pytest.raises(UnreadableFile, match="pixels that fit their checksum in f"):
        read_odim(stream.getvalue(), "f")


def test_the_largest_composites_that_networks_publish_are_read() -> None:
    shape = (2200, 1900)
    grid = Grid("opera", shape, 2.0, KNOWN_GRIDS["de1200"].projection, (-2_000_000.0, 0.0))
    large = replace(frame(), rain_rate=np.zeros(shape, np.float32), grid=grid)
    assert read_odim(write_odim(large), "f").rain_rate.shape == shape
