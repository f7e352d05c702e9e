from __future__ import annotations

import pytest

from radar.files.netcdf.units import metres, rain_unit


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        *dict.fromkeys(
            [(t, 1.0) for t in ("mm h-1", "mm/h", "mm h^-1", "mm h**-1", "mm hr-1", "mm hour-1", "mm/hour")]
        ),
        *[(t, 1.0) for t in ("mm h⁻¹", "mm·h⁻¹", "mm*h-1", "mm.h-1", "mm per hour", "mm h -1", "MM/H", "l m-2 h-1")],
        *[(t, 1.0) for t in ("kg m-2 h-1", "kg/m2/h", "kg/(m^2 h)", "kg m**-2 hour**-1", "millimeter / hour")],
        *[(t, 12.0) for t in ("mm/5min", "mm/5 min", "mm (5 min)-1", "mm/(5 minutes)", "mm 5min-1", "mm (5min)^-1")],
        *[(t, 3600.0) for t in ("mm s-1", "mm/s", "kg m-2 s-1", "kg m**-2 s**-1", "kg.m-2.s-1")],
        ("m s-1", 3.6e6),
        ("mm/10min", 6.0),
        ("mm min-1", 60.0),
        ("mm d-1", 1 / 24),
        ("inch/h", 25.4),
        ("0.1 mm h-1", 0.1),
    ],
)
def test_rates_become_mm_h(text: str, factor: float) -> None:
    unit = rain_unit(text)
    assert unit is not None
    assert not unit.is_amount
    assert unit.factor == pytest.approx(factor, rel=1e-11)


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        *[(t, 1.0) for t in ("mm", "kg m-2", "kg/m2", "kg/m^2", "kg m^-2", "kg m**-2", "kg", "l/m2", "litre m-2")],
        ("m", 1000.0),
        ("cm", 10.0),
        ("0.01 mm", 0.01),
        ("1e-3 m", 1.0),
    ],
)
def test_amounts_become_mm(text: str, factor: float) -> None:
    unit = rain_unit(text)
    assert unit is not None
    assert unit.is_amount
    assert unit.factor == pytest.approx(factor, rel=1e-11)


@pytest.mark.parametrize(
    "text",
    ["", "1", "%", "dBZ", "K", "kg s-1", "mm h-2", "mm h", "mm 5 min", "m3", "mm/", "(mm", "mm)", "mm/0", "m2 s-1"],
)
def test_what_is_neither_is_none(text: str) -> None:
    assert rain_unit(text) is None


@pytest.mark.parametrize(("text", "value"), [("m", 1.0), ("km", 1000.0), ("metres", 1.0), ("kilometer", 1000.0)])
def test_lengths_of_axes(text: str, value: float) -> None:
    assert metres(text) == value


@pytest.mark.parametrize("text", ["degrees_north", "degree", "rad", "radian", "1", ""])
def test_angles_are_no_lengths(text: str) -> None:
    assert metres(text) is None
