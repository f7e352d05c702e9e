"""Units of rain and of lengths as people write them in NetCDF files: `mm h-1`, `mm/5min`, `kg m-2 s-1`, `l/m^2`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LENGTH, _TIME, _MASS = (1, 0, 0), (0, 1, 0), (0, 0, 1)
Dimension = tuple[int, int, int]
"""The powers of length, time and mass."""
Parsed = tuple[float, Dimension]
"""A factor to SI units, and the powers."""
_ONE: Parsed = (1.0, (0, 0, 0))

_NAMES: dict[str, tuple[float, Dimension]] = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), (1.0, _LENGTH)),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), (1000.0, _LENGTH)),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), (0.01, _LENGTH)),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), (0.001, _LENGTH)),
    **dict.fromkeys(("in", "inch", "inches"), (0.0254, _LENGTH)),
    **dict.fromkeys(("l", "litre", "litres", "liter", "liters"), (0.001, (3, 0, 0))),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (1.0, _TIME)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), (60.0, _TIME)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), (3600.0, _TIME)),
    **dict.fromkeys(("d", "day", "days"), (86400.0, _TIME)),
    **dict.fromkeys(("kg", "kilogram", "kilograms"), (1.0, _MASS)),
    **dict.fromkeys(("g", "gram", "grams"), (0.001, _MASS)),
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z]+)|(?P<sign>[()/*.]))"
    r"(?P<power>\s*(?:\^|\*\*)\s*[-+]?\d+|\s*[-+]\d+|(?<=[A-Za-z)])\d+)?"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−·", "0123456789--*")
_WATER = 1000.0
"""kg of a cubic metre."""
_MM_H = 1000 * 3600
"""mm/h of a metre in a second."""


@dataclass(frozen=True)
class RainUnit:
    """How the numbers of a variable become mm/h, or mm.

    Parameters
    ----------
    factor : float
        The factor that numbers are multiplied by.
    is_amount : bool
        The result is mm in an interval, not mm/h.
    is_telling : bool
        Whether only rain commonly has this unit: wind is in m s-1 and a height in m, but neither is in mm.
    """

    factor: float
    is_amount: bool
    is_telling: bool


def rain_unit(text: str) -> RainUnit | None:
    """The unit of a rain rate or amount; None if it is neither, or cannot be parsed.

    A mass on an area is water: 1 kg m-2 is 1 mm. `kg` is read as kg m-2, because radolan_to_netcdf writes it so.
    """
    if text.strip() == "kg":
        return RainUnit(1.0, is_amount=True, is_telling=False)
    parsed = _parse(text)
    if parsed is None:
        return None
    factor, dimension = parsed
    if dimension[2] == 1:  # water instead of a depth
        factor, dimension = factor / _WATER, (dimension[0] + 3, dimension[1], 0)
    telling = re.search(r"\bmm|milli|kg|\bl", text) is not None
    if dimension == (1, -1, 0):
        return RainUnit(_rounded(factor * _MM_H), is_amount=False, is_telling=telling)
    if dimension == _LENGTH:
        return RainUnit(_rounded(factor * 1000), is_amount=True, is_telling=telling)
    return None


def metres(text: str) -> float | None:
    """How many metres a unit of length is; None if it is not a length."""
    parsed = _parse(text)
    return parsed[0] if parsed and parsed[1] == _LENGTH else None


def _rounded(factor: float) -> float:
    """The factor without its last digits, so that mm h-1 is exactly 1."""
    return float(f"{factor:.12g}")


def _parse(text: str) -> Parsed | None:
    plain = re.sub(r"\bper\b", "/", text.translate(_SUPERSCRIPTS)).strip()
    tokens: list[re.Match[str]] = []
    place = 0
    while place < len(plain):
        token = _TOKEN.match(plain, place)
        if token is None:
            return None
        tokens.append(token)
        place = token.end()
    try:
        result, rest = _product(tokens)
    except (KeyError, IndexError, OverflowError, ZeroDivisionError):
        return None
    return None if rest or not tokens else result


def _product(tokens: list[re.Match[str]]) -> tuple[Parsed, list[re.Match[str]]]:
    """The product of the factors up to a closing bracket, and the remaining tokens."""
    result, sign = _ONE, 1
    while tokens and tokens[0]["sign"] != ")":
        if tokens[0]["sign"] in ("*", ".", "/"):
            sign = -1 if tokens[0]["sign"] == "/" else 1
            tokens = tokens[1:]
            if not tokens:
                raise IndexError
            continue
        factor, tokens = _factor(tokens)
        result, sign = _times(result, factor, sign), 1
    return result, tokens


def _factor(tokens: list[re.Match[str]]) -> tuple[Parsed, list[re.Match[str]]]:
    first, rest = tokens[0], tokens[1:]
    if first["sign"] == "(":
        inside, rest = _product(rest)
        return _times(_ONE, inside, _power(rest[0])), rest[1:]
    if first["name"]:
        return _times(_ONE, _unit(first["name"]), _power(first)), rest
    number: Parsed = (float(first["number"]), (0, 0, 0))
    if first["power"] is None and rest and rest[0]["name"]:
        # "mm/5min" and "mm 5min-1" are amounts in 5 minutes: people bind the number to its unit.
        group = _times(number, _unit(rest[0]["name"]), 1)
        return _times(_ONE, group, _power(rest[0])), rest[1:]
    return _times(_ONE, number, _power(first)), rest


def _unit(name: str) -> Parsed:
    return _NAMES[name] if name in _NAMES else _NAMES[name.lower()]


def _power(token: re.Match[str]) -> int:
    return int(re.sub(r"[\s^*]", "", token["power"])) if token["power"] else 1


def _times(one: Parsed, other: Parsed, power: int) -> Parsed:
    a, b = one[1], other[1]
    dimension = (a[0] + power * b[0], a[1] + power * b[1], a[2] + power * b[2])
    return one[0] * other[0] ** power, dimension
