"""Every product is read or refused by what it is; real files of each, and one table for the whole program."""

from __future__ import annotations

from pathlib import Path

import pytest

from radar.errors import UnreadableFile
from radar.files.frames import read_frames
from radar.products import PRODUCTS, READ, amount_minutes, attribution, is_forecast, owner_of, product_code

REFUSED = {
    "RQ2210180700_060.gz": ("RQ", "a forecast of hourly sums"),
    "raa00-dx_10908-0806021740-fbg---bin.gz": ("DX", "the sweep of one radar in polar coordinates"),
    "raa00-pc_10015-1408030905-dwd---bin.gz": ("PG", "a picture of reflectivity"),
    "raa01-%m_10000-2108010550-dwd---bin.gz": ("%M", "a sum of a month"),
    "raa01-pg_10000-1408102045-dwd---bin.gz": ("PG", "a picture of reflectivity"),
    "raa01-rb_10000-1408102050-dwd---bin.gz": ("RB", "a sum of an hour"),
    "raa01-rl_10000-1408102050-dwd---bin.gz": ("RL", "a sum of an hour"),
    "raa01-sf_10000-1408102050-dwd---bin.gz": ("SF", "a sum of a day"),
    "raa01-sq_10000-1408102050-dwd---bin.gz": ("SQ", "a sum of 6 hours"),
}


def test_amounts_fall_in_the_time_of_their_product() -> None:
    found = {code: minutes for code in PRODUCTS if (minutes := amount_minutes(code))}
    assert found == {"RY": 5, "YW": 5, "RZ": 5, "EY": 5, "EZ": 5, "RV": 5, "RW": 60, "DEMO": 5}
    assert amount_minutes("radklim") is None


def test_real_files_that_are_no_frames_are_refused_by_what_they_are(real_data: Path) -> None:
    files = {path.name: path for path in (real_data / "dwd" / "not_frames").iterdir()}
    assert set(files) == set(REFUSED)
    for name, (product, what) in REFUSED.items():
        with pytest.raises(UnreadableFile) as caught:
            read_frames(files[name].read_bytes(), name)
        assert caught.value.got.startswith(f"product {product}"), name
        assert f"it is {what}" in caught.value.remedy, name
        assert "damaged" not in str(caught.value)


def test_a_file_whose_name_says_another_product_is_refused_by_both(real_data: Path) -> None:
    path = real_data / "dwd" / "not_frames" / "raa00-pc_10015-1408030905-dwd---bin.gz"
    with pytest.raises(UnreadableFile, match="got product PG in its header, product PC by its name; it is a picture"):
        read_frames(path.read_bytes(), path.name)


@pytest.mark.parametrize(("product", "minutes"), [("ex", 5), ("ey", 5), ("ez", 5), ("rw", 60), ("rz", 5), ("wx", 5)])
def test_one_moment_in_six_products_is_read(real_data: Path, product: str, minutes: int) -> None:
    path = real_data / "dwd" / "kinds_20140810" / f"raa01-{product}_10000-1408102050-dwd---bin.gz"
    (frame,) = read_frames(path.read_bytes(), path.name)
    assert (frame.product, frame.timestep_minutes, frame.reference_time) == (product.upper(), minutes, None)


@pytest.mark.parametrize(
    "header", [b"PG262115100000214BY22205LV 6  1.0", b"FZ011205100000624BY 405100VS 3", b"W3011205"]
)
def test_a_header_of_another_form_does_not_hide_the_product(header: bytes) -> None:
    if b"BY" not in header:
        header += b"100000624BY12"
    with pytest.raises(UnreadableFile, match=f"got product {header[:2].decode()}; it is "):
        read_frames(header + b"\x03" + bytes(400), "f")


def test_an_unknown_product_is_named_with_what_is_wrong_with_its_header() -> None:
    with pytest.raises(UnreadableFile, match="got product QQ, which is not known, and 0"):
        read_frames(b"QQ011205100000624BY 405100VS 3\x03" + bytes(400), "f")


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04", "a zip archive"),
        (b"GRIB", "a GRIB file"),
        (b"<!DOCTYPE html>", "a page of HTML"),
        (b"", "no bytes"),
    ],
)
def test_what_else_people_send_is_named(start: bytes, kind: str) -> None:
    with pytest.raises(UnreadableFile, match=f"got {kind}"):
        read_frames(start + b"x" * 100 * bool(start), "f")


@pytest.mark.parametrize("code", [code for code, product in PRODUCTS.items() if product.instead])
def test_every_refusal_says_what_to_send(code: str) -> None:
    sent = PRODUCTS[code].refused.rsplit("send ", 1)[1].removesuffix(" files")
    assert set(sent.replace(" or ", ", ").split(", ")) <= set(READ.replace(" or ", ", ").split(", "))


def test_every_product_of_dwd_has_its_owner_and_its_attribution() -> None:
    for code in ("EY", "RQ", "RE", "WX", "EX", "YW", "RV"):
        assert attribution(code) == "Data basis: Deutscher Wetterdienst"
        owner = owner_of(code)
        assert owner is not None
        assert owner.licence == "CC BY 4.0"
    assert attribution("MINE") is None
    assert owner_of("MINE") is None
    assert "not an observation" in str(attribution("DEMO"))


def test_codes_come_from_the_beginning_of_a_name() -> None:
    assert [product_code(text) for text in ("RV_top_view", "ry", " RW ", "RYX", "MINE_RY", "RV.2")] == [
        *("RV", "RY", "RW", "RYX", "MINE_RY", "RV"),
    ]
    assert is_forecast("RV")
    assert not is_forecast("RY")
