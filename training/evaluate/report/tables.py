"""The tables of a report as HTML, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from training.evaluate.report.numbers import Row
from training.evaluate.table import fss_name

BEST = {
    **dict.fromkeys(("csi", "pod", "hss", "ets", "fss", "ssim", "psnr"), "highest"),
    **dict.fromkeys(("far", "mae", "rmse", "balanced_mae", "balanced_mse", "brier", "crps"), "lowest"),
    **dict.fromkeys(("bias", "small_scale_power"), "nearest to 1"),
}
"""Which value of each score is best."""
BY_THRESHOLD = {
    "csi": "CSI",
    "pod": "POD",
    "far": "FAR",
    "bias": "bias",
    "hss": "HSS",
    "ets": "ETS",
    "brier": "Brier",
}
OF_ALL_RAIN = {
    "mae": "MAE",
    "rmse": "RMSE",
    "balanced_mae": "balanced MAE",
    "balanced_mse": "balanced MSE",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "small_scale_power": "small-scale power",
    "crps": "CRPS",
}
COMPARED = {"csi": "CSI", "fss": "FSS", "ets": "ETS", "brier": "Brier", "mae": "MAE", "rmse": "RMSE"}


def fss_titles(event: Row) -> dict[str, str]:
    """FSS of every width, narrow to wide."""
    return {fss_name(km): f"FSS {km:g} km" for km in sorted(event["fss_km"])}


def score_table(rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    """A row for each model and a column for each score with its interval; the best of a column is bold."""
    best = {name: _best([row[name] for row in rows], name) for name in titles}
    body = [
        [
            _named(row["model"]),
            *(_cell(row, name, strong=row[name] is not None and row[name] == best[name]) for name in titles),
        ]
        for row in rows
    ]
    return html_table(["", *titles.values()], body)


FEWEST_BLOCKS = 5
"""Independent blocks of starts below which an interval is too rough to call a difference better or worse."""


def difference_table(rows: Sequence[Row], blocks: float) -> str:
    """A row for each model; a difference is marked better or worse where its interval leaves 0 out.

    Not so where there are less than `FEWEST_BLOCKS` independent `blocks` of starts.
    """
    judged = blocks >= FEWEST_BLOCKS
    body = [[_named(row["model"]), *(_verdict(row, name, judged) for name in COMPARED)] for row in rows]
    return html_table(["", *COMPARED.values()], body)


def html_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; `head` is text, the cells of `body` are HTML that begins with the cell's tag."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in body)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals, or three figures where that says too little."""
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


def _verdict(row: Row, name: str, judged: bool) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    told = judged and low is not None and (low > 0 or high < 0)
    better = told and (low > 0) == (BEST[name] == "highest")
    kind = ("better" if better else "worse") if told else ""
    word = f" {kind}" if kind else ""
    return f'<td class="{kind}">{number(row[name], signed=True)}{word}{_bounds(row, name, signed=True)}</td>'


def _best(values: Sequence[float | None], name: str) -> float | None:
    defined = [value for value in values if value is not None]
    wanted = BEST["fss" if name.startswith("fss") else name]
    if not defined or wanted == "highest":
        return max(defined, default=None)
    return min(defined, key=lambda value: abs(value - 1) if wanted == "nearest to 1" else value)
