"""Checks of a configuration's options of a data set against the parameters of its function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_WORDS: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}


def check_options(name: str, opener: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise ValueError for an unknown option (with the nearest name) or one of another type."""
    known = [option for option in signature(opener).parameters if option not in ("folder", "part")]
    if unknown := sorted(set(options) - set(known)):
        near = get_close_matches(unknown[0], known, n=1)
        remedy = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"expected options of {name} among {', '.join(known)}, got {', '.join(unknown)}{remedy}")
    hints = get_type_hints(opener)
    for option, value in options.items():
        if not _fits(hints[option], value):
            wanted = _described(hints[option])
            raise ValueError(f"expected {wanted} for {option} of {name}, got {str(value)[:60]!r}; correct it")


def _fits(hint: Any, value: object) -> bool:  # noqa: ANN401
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(each, value) for each in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is Sequence:
        return isinstance(value, list | tuple) and all(_fits(get_args(hint)[0], each) for each in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _described(hint: Any) -> str:  # noqa: ANN401
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_described(each) for each in inner if each is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin is Sequence:
        return "a list, in [ ], of " + {str: "texts in quotes", int: "whole numbers"}.get(inner[0], "values")
    return _WORDS.get(hint, "another value")
