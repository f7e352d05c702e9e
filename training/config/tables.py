"""Configuration files: tables of TOML or JSON become frozen dataclasses; errors name the file and the key."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

_SHOWN = 60
IN_NO_FILE = {"file": "no"}
"""Metadata of a dataclass's field that no file sets."""
Also = Mapping[str, type[Any] | None]
_WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text in quotes",
    dict: "a table",
}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; an open end is excluded."""

    low: float = 0.0
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is in the range; NaN and infinity never are."""
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        """The text after e.g. "expected batch" in an error."""
        low = f"above {self.low:g}" if self.low_open else f"of {self.low:g} or more"
        return low if math.isinf(self.high) else f"{low}, {'below' if self.high_open else 'up to'} {self.high:g}"


ABOVE_0 = Range(low_open=True)
FROM_0 = Range()
FROM_1 = Range(1)
SHARE = Range(0, 1)


def check_ranges(settings: object, **ranges: Range) -> None:
    """Raise ValueError, with the setting's name, for a number out of its range."""
    for name, allowed in ranges.items():
        value = getattr(settings, name)
        if not allowed.holds(value):
            raise ValueError(f"expected {name} {allowed}, got {value:g}; correct it")


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, or of a JSON file as `fit` writes it beside a run.

    Raises
    ------
    ValueError
        The file does not exist or is neither; the error names the line where known.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        found = "a folder" if path.is_dir() else (error.strerror or "an error").lower()
        raise ValueError(f"expected a configuration in {path}, got {found}; check the name") from None
    except UnicodeDecodeError:
        raise ValueError(
            f"expected a configuration as text in UTF-8 in {path}, got other bytes; check the name"
        ) from None
    is_json = path.suffix.lower() == ".json" or text.lstrip().startswith("{")
    kind, read = ("JSON", json.loads) if is_json else ("TOML", tomllib.loads)
    try:
        tables = read(text)
    except ValueError as error:  # of tomllib and json alike
        raise ValueError(f"expected {kind} in {path}, got {_first_line(error)}; correct it there") from None
    if not isinstance(tables, dict):
        raise ValueError(f"expected tables in {path}, got a list; give a configuration of `fit`")
    return tables


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


@contextmanager
def settings_of(place: str) -> Iterator[None]:
    """Put the place, a file or a table in it, in front of the text of a ValueError raised within."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        raise ValueError(f"{place}, {text}" if text.startswith("[") else f"{place}: {text}") from error


def make_table(kind: type[Any], values: object, name: str = "", also: Also = MappingProxyType({})) -> Any:  # noqa: ANN401
    """A dataclass from a parsed table of TOML or JSON, including nested tables.

    Parameters
    ----------
    kind : dataclass
    values : mapping
    name : str
        Name of the table, e.g. "optimiser" or "framing.scaling"; empty for the file itself.
    also : mapping
        Settings that the file may have in addition to those of the dataclass, with the dataclass of each that is a
        table; errors about unknown settings list them too.

    Raises
    ------
    ValueError
        Settings are unknown (the error names the nearest one), missing, of another type, or out of range.
    """
    if isinstance(values, Mapping) and also:
        _refuse_unknown(kind, values, name, kind, also)
        values = {key: value for key, value in values.items() if key not in also}
    return _make(kind, values, name, kind)


def check_settings(kind: type[Any], values: Mapping[str, Any]) -> None:
    """Raise ValueError for unknown settings and wrong types; settings may be missing."""
    _refuse_unknown(kind, values, "", kind)
    hints = get_type_hints(kind)
    for key, value in values.items():
        _converted(hints[key], value, key, "", kind)


def _make(kind: type[Any], values: object, name: str, root: type[Any]) -> Any:  # noqa: ANN401
    if not isinstance(values, Mapping):
        raise ValueError(f"expected a table [{name}], got {_shown(values)}; write its settings below [{name}]")
    _refuse_unknown(kind, values, name, root)
    hints = get_type_hints(kind)
    with _of_table(name):
        absent = [each for each in fields(kind) if _is_required(each) and each.name not in values]
        if absent:
            raise ValueError(_absent(absent[0], hints[absent[0].name]))
    made = {key: _converted(hints[key], value, key, name, root) for key, value in values.items()}
    with _of_table(name):
        return kind(**made)


@contextmanager
def _of_table(name: str) -> Iterator[None]:
    if not name:
        yield
        return
    with settings_of(f"[{name}]"):
        yield


def _is_required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _absent(each: Field[Any], hint: object) -> str:
    if is_dataclass(hint):
        return f"expected a table [{each.name}], got none; add it"
    return f"expected {each.name}, {_described(hint)}, got none; add it"


def _refuse_unknown(
    kind: type[Any], values: Mapping[str, Any], name: str, root: type[Any], also: Also = MappingProxyType({})
) -> None:
    known = [*_names(kind), *also]
    tables = _tables(root)
    for table, below in also.items():
        tables |= _tables(below, table) if below else {}
    for key in values:
        if key not in known:
            with _of_table(name):
                raise ValueError(f"expected any of {', '.join(known)}, got {key}; {_remedy(str(key), known, tables)}")


def _remedy(key: str, known: list[str], tables: Mapping[str, list[str]]) -> str:
    """A remedy: the nearest name here, or the table that has a setting of exactly this name."""
    homes = [table for table, names in tables.items() if key in names]
    if homes:
        return "it stands in " + " or ".join(f"[{table}]" if table else "front of all tables" for table in homes)
    near = get_close_matches(key.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else "check the name"


def _tables(kind: type[Any], name: str = "") -> dict[str, list[str]]:
    """The settings of every table below `kind`, by the table's name."""
    found = {name: _names(kind)}
    for key, hint in get_type_hints(kind).items():
        if is_dataclass(hint) and isinstance(hint, type):
            found |= _tables(hint, f"{name}.{key}" if name else key)
    return found


def _names(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind) if each.metadata != IN_NO_FILE]


def _converted(hint: Any, value: Any, key: str, name: str, root: type[Any]) -> Any:  # noqa: ANN401
    """A value in the form of its dataclass: a dataclass for a table, a tuple for a list, else unchanged."""
    if is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else _make(hint, value, f"{name}.{key}" if name else key, root)
    if get_origin(hint) is tuple and isinstance(value, list):
        value = tuple(value)
    if not _fits(hint, value):
        with _of_table(name):
            raise ValueError(f"expected {_described(hint)} for {key}, got {_shown(value)}; correct it")
    return value


def _fits(hint: Any, value: object) -> bool:  # noqa: ANN401
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(get_args(hint)[0], each) for each in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _described(hint: Any) -> str:  # noqa: ANN401
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(f'"{word}"' for word in get_args(hint))
    if get_origin(hint) is tuple:
        return "a list, in [ ], of " + {str: "texts", int: "whole numbers"}.get(get_args(hint)[0], "numbers")
    return _WORDS.get(get_origin(hint) or hint, "a value")


def _shown(value: object) -> str:
    """A value as in the file, in one line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
