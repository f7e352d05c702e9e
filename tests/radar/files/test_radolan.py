from __future__ import annotations

import gzip
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radar.errors import InvalidRain, RaincellError, UnreadableFile
from radar.files.radolan import read_radolan, write_radolan
from radar.files.radolan_header import is_radolan, parse_header
from radar.frame import Frame
from radar.grid import KNOWN_GRIDS, Grid
from radar.products import READ

RY_2014 = (
    b"RY102050100000814BY1620134VS 3SW   2.13.1PR E-02INT   5GP 900x 900"
    b"MS 62<boo,ros,emd,hnr,umd,pro,ess,asd,neu,nhb,oft,tur,isn,fbg,mem> \x03"
)
YW_2017 = (
    b"YW160055100000817BY1980164VS 3SW   2.18.3PR E-02INT   5U0GP1100x 900MF 00000000VR2017.002"
    b"MS 69<boo,ros,emd,hnr,umd,pro,ess,fld,drs,neu,nhb,oft,eis,tur,isn,fbg,mem>\x03"
)
RE_2022 = (
    b"RE180700100001022BY   1620201VS 5SW P300001HPR E-03INT  60GP 900x 900VV 060MF 00000008QN 016"
    b"MS103<deasb,deboo,dedrs,deeis,deess,defbg,defld,dehnr,deisn,demem,deneu,denhb,deoft,depro,deros,detur,deumd>\x03"
)
RX_2014 = (
    b"RX102050100000814BY 810138VS 3SW   2.13.1PR E+00INT   5GP 900x 900"
    b"MS 66<boo,ros,emd,hnr,umd,pro,ess,asd,neu,nhb,oft,tur,isn,fbg,mem,bdy> \x03"
)
"""Headers of real files, as DWD wrote them."""
SMALL_BODY = bytes(2 * 900 * 900)


def frame(codes: dict[tuple[int, int], float] | None = None, grid: Grid = KNOWN_GRIDS["radolan"]) -> Frame:
    rain = np.zeros(grid.shape, np.float32)
    for place, rate in (codes or {}).items():
        rain[place] = rate
    return Frame(rain, datetime(2014, 8, 10, 20, 50, tzinfo=UTC), grid, 5, "RY", "")


def with_code(code: int) -> np.float32:
    """What the reader makes of one pixel code."""
    body = code.to_bytes(2, "little") + SMALL_BODY[2:]
    rate: np.float32 = read_radolan(RY_2014 + body, "f").rain_rate[899, 0]
    return rate


def test_the_header_is_found_by_its_tags_in_all_versions() -> None:
    ry = parse_header(RY_2014 + SMALL_BODY, "f")
    assert (ry.product, ry.time, ry.version, ry.precision, ry.interval_minutes, ry.shape, ry.lead_minutes) == (
        ("RY", datetime(2014, 8, 10, 20, 50, tzinfo=UTC), 3, -2, 5, (900, 900), None)
    )
    yw = parse_header(YW_2017 + bytes(1980000), "f")
    assert (yw.product, yw.shape, yw.interval_minutes) == ("YW", (1100, 900), 5)
    re_ = parse_header(RE_2022 + SMALL_BODY, "f")
    assert (re_.version, re_.precision, re_.interval_minutes, re_.lead_minutes) == (5, -3, 60, 60)


@pytest.mark.parametrize(
    ("code", "rate"),
    [
        (0, 0.0),
        (1, 0.12),
        (0x0FFF, 491.4),
        (0x8001, 0.12),  # clutter keeps its value
        (0x1001, 0.12),  # so does a secondary value
        (0x4000, 0.0),
        (0x29C4, np.nan),
        (0xA9C4, np.nan),
        (0x2001, np.nan),
        (2490, np.nan),
        (2500, np.nan),
        (0x4001, np.nan),  # negative rain is no rain rate
    ],
)
def test_every_kind_of_pixel(code: int, rate: float) -> None:
    np.testing.assert_equal(with_code(code), np.float32(rate))


def test_the_first_row_of_the_file_is_the_south() -> None:
    body = bytearray(SMALL_BODY)
    body[0] = 100  # the south-west corner
    rain = read_radolan(RY_2014 + bytes(body), "f").rain_rate
    assert rain[899, 0] == 12
    assert np.count_nonzero(rain) == 1


@pytest.mark.parametrize("name", list(KNOWN_GRIDS))
@given(seed=st.integers(0, 1000))
@settings(max_examples=3)
def test_what_is_written_is_read_back(name: str, seed: int) -> None:
    grid = KNOWN_GRIDS[name]
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, 4096, grid.shape)
    codes += np.isin(codes, (2490, 2500))
    rain = (codes * 12 / 100).astype(np.float32)
    rain[draw.random(grid.shape) < 0.2] = np.nan
    written = replace(frame(grid=grid), rain_rate=rain)
    back = read_radolan(write_radolan(written), "f")
    np.testing.assert_array_equal(back.rain_rate, rain)
    assert (back.grid, back.valid_time, back.product, back.timestep_minutes) == (grid, written.valid_time, "RY", 5)


def test_heavy_rain_that_would_read_as_missing_is_written_a_hair_heavier() -> None:
    written = frame({(0, 0): 24.90 * 12, (0, 1): 25.00 * 12})
    back = read_radolan(write_radolan(written), "f").rain_rate
    np.testing.assert_allclose(back[0, :2], [24.91 * 12, 25.01 * 12])


def test_rain_and_grids_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(InvalidRain, match=r"expected rain rates of 0 to 491.4 mm/h, got 0 to 500 mm/h"):
        write_radolan(frame({(5, 5): 500}))
    with pytest.raises(InvalidRain, match="one of DWD's grids"):
        write_radolan(frame(grid=Grid("mine", (10, 10), 1.0)))
    with pytest.raises(InvalidRain, match="got an observation, RX"):
        write_radolan(replace(frame(), product="RX"))


@pytest.mark.parametrize(
    ("product", "text"),
    [
        (b"RE", "product RE; it is the solid fraction of precipitation"),
        (b"RQ", "product RQ; it is a forecast of hourly sums; send RY or RV files"),
        (b"SF", "product SF; it is a sum of a day, too coarse to be a frame; send RY or YW files"),
        (b"WN", "product WN; it is a forecast of reflectivity; send RX, RY or RV files"),
    ],
)
def test_other_products_are_refused_by_name(product: bytes, text: str) -> None:
    with pytest.raises(UnreadableFile, match=re.escape(f"expected {READ} in f, got {text}")):
        read_radolan(product + RY_2014[2:] + SMALL_BODY, "f")


def test_unknown_products_are_read_if_their_header_says_amounts_in_5_minutes() -> None:
    body = (100).to_bytes(2, "little") + SMALL_BODY[2:]
    for precision, rate in ((b"E-01", 120), (b"E-02", 12), (b"E-03", 1.2)):
        read = read_radolan(b"EY" + RY_2014[2:].replace(b"E-02", precision) + body, "f")
        assert (read.product, read.timestep_minutes, read.grid) == ("EY", 5, KNOWN_GRIDS["radolan"])
        assert read.rain_rate[899, 0] == np.float32(rate)


@pytest.mark.parametrize(("old", "new"), [(b"PR E-02", b"PR E+00"), (b"PR E-02", b"PR E+01"), (b"INT   5", b"INT  60")])
def test_unknown_products_of_other_units_are_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"got product XY; its header does not declare rain rates .* send RY or"):
        read_radolan(b"XY" + RY_2014[2:].replace(old, new) + SMALL_BODY, "f")


def test_the_european_grid_is_read() -> None:
    grid = KNOWN_GRIDS["radolan-europe"]
    header = b"EY" + RY_2014[2:].replace(b"GP 900x 900", b"GP1500x1400").replace(b"BY1620134", b"BY4200134")
    assert read_radolan(header + bytes(4_200_000), "f").grid is grid


def test_hourly_sums_are_frames_of_an_hour() -> None:
    header = b"RW" + RY_2014[2:].replace(b"E-02", b"E-01").replace(b"INT   5", b"INT  60")
    body = (0x1000 + 57).to_bytes(2, "little") + SMALL_BODY[2:]
    read = read_radolan(header + body, "f")
    assert (read.product, read.timestep_minutes) == ("RW", 60)
    assert read.rain_rate[899, 0] == np.float32(5.7)  # filled from gauges
    with pytest.raises(UnreadableFile, match=r"a precision of 1 to 0.001 mm in 60 minutes in f, got 10\^-2 mm in 5"):
        read_radolan(b"RW" + RY_2014[2:] + SMALL_BODY, "f")


@pytest.mark.parametrize(
    ("code", "rate"),
    [
        (0, 0.0),  # no echo
        (1, 10 ** ((-32.0 - 10 * np.log10(256)) / 14.2)),
        (65, 10 ** (-10 * np.log10(256) / 14.2)),  # 0 dBZ
        (145, 10 ** ((40.0 - 10 * np.log10(256)) / 14.2)),
        (248, 10 ** ((91.5 - 10 * np.log10(256)) / 14.2)),
        (249, np.nan),  # clutter
        (250, np.nan),  # no data
        (255, np.nan),
    ],
)
def test_reflectivity_becomes_rain(code: int, rate: float) -> None:
    body = bytes([code]) + bytes(810_000 - 1)
    read = read_radolan(RX_2014 + body, "f")
    np.testing.assert_allclose(read.rain_rate[899, 0], rate, rtol=1e-5)
    assert read.rain_rate[0, 0] == 0
    assert (read.product, read.timestep_minutes, read.grid.name) == ("RX", 5, "radolan")


def test_reflectivity_of_another_length_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="810,000 bytes for 900x900 pixels in f, got 1,620,000"):
        read_radolan(RX_2014.replace(b"BY 810138", b"BY1620138") + SMALL_BODY, "f")
    with pytest.raises(UnreadableFile, match="reflectivity of 5 minutes in f, got 0 minutes"):
        read_radolan(RX_2014.replace(b"INT   5", b"INT   0") + bytes(810_000), "f")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"102050", b"320000", "a time in the header"),
        (b"BY1620134", b"BY1620135", "the 1,620,135 bytes that its header states"),
        (b"GP 900x 900", b"GP1100x 900", "1,980,000 bytes for 1100x900 pixels"),
        (b"GP 900x 900", b"GP 450x1800", "900x900, 1100x900, 1200x1100 or 1500x1400 pixels"),
        (b"PR E-02", b"PR E-09", "a precision of 1 to 0.001 mm"),
        (b"PR E-02", b"PX E-02", "one PR field"),
        (b"INT   5", b"INT  60", "10^-2 mm in 60 minutes"),
        (b"INT   5", b"INT   0", "10^-2 mm in 0 minutes"),
        (b"SW   2.13.1", b"VS 3 2.13.1", "one VS field in the header in f, got 2"),
        (b"\x03", b"\x04", "a RADOLAN header"),
    ],
)
def test_headers_that_lie_are_refused(old: bytes, new: bytes, text: str) -> None:
    assert old in RY_2014
    with pytest.raises(UnreadableFile, match=re.escape(text)):
        read_radolan(RY_2014.replace(old, new) + SMALL_BODY, "f")


def test_a_forecast_says_when_it_was_made() -> None:
    for product, minutes in ((b"RV", 0), (b"RV", 35), (b"RY", 5)):
        header = RY_2014.replace(b"BY1620134", b"BY1620140").replace(b"MS 62", b"VV %03dMS 62" % minutes)
        read = read_radolan(product + header[2:] + SMALL_BODY, "f")
        assert read.reference_time == datetime(2014, 8, 10, 20, 50, tzinfo=UTC)
        assert read.valid_time - read.reference_time == timedelta(minutes=minutes)


def test_forecasts_are_written_with_their_lead_time() -> None:
    made = datetime(2014, 8, 10, 23, 50, tzinfo=UTC)
    grid = KNOWN_GRIDS["de1200"]
    written = replace(frame(grid=grid), product="RV", reference_time=made, valid_time=made + timedelta(minutes=45))
    back = read_radolan(write_radolan(written), "f")
    assert (back.reference_time, back.valid_time) == (made, made + timedelta(minutes=45))
    for wrong in (replace(written, product="RY"), replace(written, reference_time=None)):
        with pytest.raises(InvalidRain, match="or a forecast RV"):
            write_radolan(wrong)


def test_radars_names_are_no_tags() -> None:
    header = RY_2014.replace(b"<boo,ros", b"<VV 9,GP")
    assert read_radolan(header + SMALL_BODY, "f").rain_rate.shape == (900, 900)


@given(st.lists(st.tuples(st.integers(0, len(RY_2014) - 1), st.integers(0, 255)), min_size=1, max_size=6), st.data())
@settings(max_examples=300)
def test_mutated_headers_are_read_or_refused(changes: list[tuple[int, int]], data: st.DataObject) -> None:
    header = bytearray(data.draw(st.sampled_from([RY_2014, YW_2017, RE_2022])))
    for place, value in changes:
        header[place] = value
    with suppress(RaincellError):
        read_radolan(bytes(header) + SMALL_BODY, "f")


def test_text_is_no_radolan() -> None:
    assert not is_radolan(b"RY frames, 12 of them")
    assert not is_radolan(b"")


def real_files(folder: Path) -> list[Path]:
    return sorted(path for product in ("ry", "yw") for path in folder.glob(f"dwd/**/raa01-{product}*.gz"))


def test_real_files_decode_to_the_stored_values_and_are_written_back(real_data: Path) -> None:
    files = real_files(real_data)
    assert len(files) == 26
    for path in files:
        data = gzip.decompress(path.read_bytes())
        read = read_radolan(data, path.name)
        codes = np.frombuffer(data, "<u2", offset=data.index(b"\x03") + 1).reshape(read.grid.shape)
        # As wradlib's read_radolan_composite decodes it, in float64, times 12.
        hourly = np.where(codes & 0x2000, np.nan, (codes & 0xFFF) * 0.01) * 12
        np.testing.assert_array_equal(read.rain_rate, hourly.astype(np.float32)[::-1])
        written = write_radolan(read)
        kept = np.frombuffer(written, "<u2", offset=written.index(b"\x03") + 1).reshape(codes.shape)
        np.testing.assert_array_equal(kept, codes & 0x7FFF)  # all but the clutter flag
