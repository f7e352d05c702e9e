"""Tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table with a head; cells are text."""
    title, *lines = ("| " + " | ".join(line) + " |" for line in (head, *body))
    return "\n".join([title, "|---" * len(head) + "|", *lines])


def cell(value: float | None, form: str = ".3f") -> str:
    """A number, or a dash where it is undefined: None or NaN."""
    return "–" if value is None or math.isnan(value) else format(value, form)
