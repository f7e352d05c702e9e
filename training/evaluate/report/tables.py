"""The tables of a report as HTML, from its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from radar.scores.table import Best, Score, at_width, kept_in, shown_in
from training.evaluate.report.numbers import Row

_FIRST = ("csi", "pod", "far", "bias")
"""The order of the scores that have a threshold; others follow."""


class Column(NamedTuple):
    """A score of a table, by its name in rows."""

    name: str
    title: str
    best: Best


def columns(scores: Iterable[Score]) -> list[Column]:
    """A column for each score."""
    return [Column(score.name, score.title, score.best) for score in scores]


def threshold_columns(event: Row) -> list[Column]:
    """The scores with a threshold; last those of neighbourhoods, of every width, narrow to wide."""
    scores = kept_in("evaluation", *_FIRST)
    return columns(score for score in scores if score.axis == "threshold") + [
        Column(at_width(score.name, km), f"{score.title} {km:g} km", score.best)
        for score in scores
        if score.axis == "neighbourhood"
        for km in sorted(event["fss_km"])
    ]


def all_rain_columns(rows: Sequence[Row]) -> list[Column]:
    """The scores without a threshold; those of ensembles only if there is one."""
    scores = [score for score in kept_in("evaluation") if score.axis == "frame"]
    return columns(
        each for each in scores if not each.distributions_only or any(row[each.name] is not None for row in rows)
    )


def score_table(rows: Sequence[Row], shown: Sequence[Column]) -> str:
    """A row for each model and a column for each score with its interval; the best of a column is bold."""
    best = {column.name: _best([row[column.name] for row in rows], column.best) for column in shown}
    body = [
        [
            _named(row["model"]),
            *(_cell(row, name, strong=row[name] is not None and row[name] == value) for name, value in best.items()),
        ]
        for row in rows
    ]
    return html_table(["", *(column.title for column in shown)], body)


FEWEST_BLOCKS = 5
"""The least independent blocks of starts for marking a difference as better or worse."""


def difference_table(rows: Sequence[Row], blocks: float) -> str:
    """A row for each model; a difference is marked better or worse where its interval excludes 0.

    With fewer than `FEWEST_BLOCKS` independent `blocks` of starts nothing is marked.
    """
    judged, compared = blocks >= FEWEST_BLOCKS, shown_in("differences")
    body = [[_named(row["model"]), *(_verdict(row, score, judged) for score in compared)] for row in rows]
    return html_table(["", *(score.title for score in compared)], body)


def html_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; `head` is text, the cells of `body` are HTML that begins with the cell's tag."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in body)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals, or three significant figures for small numbers."""
    if value is None:
        return "–"
    sign = "+" if signed else ""
    text = f"{value:{sign}.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:{sign}.2g}"
    return text.replace("-", "−", 1) if value < 0 else text


def _named(model: str) -> str:
    return f"<th>{escape(model)}</th>"


def _cell(row: Row, name: str, strong: bool) -> str:
    text = number(row[name])
    return f"<td>{f'<b>{text}</b>' if strong else text}{_bounds(row, name)}</td>"


def _bounds(row: Row, name: str, signed: bool = False) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else f"<small>{number(low, signed)} to {number(high, signed)}</small>"


def _verdict(row: Row, score: Score, judged: bool) -> str:
    name = score.name
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    clear = judged and low is not None and (low > 0 or high < 0)
    better = clear and (low > 0) == (score.best == "highest")
    kind = ("better" if better else "worse") if clear else ""
    word = f" {kind}" if kind else ""
    return f'<td class="{kind}">{number(row[name], signed=True)}{word}{_bounds(row, name, signed=True)}</td>'


def _best(values: Sequence[float | None], wanted: Best) -> float | None:
    defined = [value for value in values if value is not None]
    if not defined or wanted == "highest":
        return max(defined, default=None)
    return min(defined, key=lambda value: abs(value - 1) if wanted == "near 1" else value)
