"""The report as one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from models.baselines import reference_of
from radar.scores.table import shown_in
from radar.sequence import iso
from training.evaluate.event_scores import Strip, shown_leads
from training.evaluate.report.figures import error_figure, reliability_figure, score_figure, spectrum_figure
from training.evaluate.report.numbers import Row
from training.evaluate.report.strips import strip_figure
from training.evaluate.report.tables import (
    FEWEST_BLOCKS,
    all_rain_columns,
    columns,
    difference_table,
    html_table,
    score_table,
    threshold_columns,
)
from training.evaluate.seen import remarks

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 1200px; margin: 2em auto;
  padding: 0 1em; }
h1 { font-size: 1.7em; margin-bottom: 0.2em; }
h2 { margin-top: 2.2em; border-bottom: 2px solid #1a1a1a; }
h3 { margin: 1.6em 0 0.3em; }
img { width: 100%; height: auto; display: block; margin: 0.5em 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.84em; margin: 0.5em 0 1em; }
th, td { padding: 0.25em 0.5em; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
td, th:first-child { white-space: nowrap; }
th:first-child { text-align: left; }
thead th { border-bottom: 2px solid #1a1a1a; }
small { display: block; color: #555; white-space: nowrap; }
.better { background: #e2f2e4; }
.worse { background: #fbe6e0; }
summary { cursor: pointer; font-weight: 600; margin: 0.4em 0; }
p.note { color: #444; max-width: 60em; }
"""
_KEY_THRESHOLD = 1.0
_PROBABILITIES = {
    "neighbourhood": "the share of a neighbourhood of the forecast, wider with lead time, that reaches it",
    "ensemble": "the share of the members that reach it",
    "model": "the model's own output",
}


def report_page(numbers: dict[str, Any], strips: Mapping[str, Strip], title: str) -> str:
    """The whole page: frames from `strips` by event, and everything else from `numbers`."""
    events = "\n".join(_event(numbers, event, strips.get(event["event"])) for event in numbers["events"])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="note">Nowcasts of rain compared with radar, all methods from the same starts and on the same pixels: those
that are observed and that every method forecasts. Made {numbers["about"]["made"]}. Every number, and more by lead
time, is in the JSON file beside this page.</p>
{_summary(numbers)}
{_how_to_read(numbers)}
{events}
</body>
</html>
"""


def _summary(numbers: dict[str, Any]) -> str:
    """The events, and their scores at one threshold."""
    about = [
        [
            f'<th><a href="#{_anchor(event)}">{escape(event["event"])}</a></th>',
            f"<td>{event['starts']}</td>",
            f"<td>{event['first_start']}<br>{event['last_start']}</td>",
            f"<td>{event['lead_minutes'][0]} to {event['lead_minutes'][-1]} min</td>",
            f"<td>{event['rows']} × {event['columns']}</td>",
            f"<td>{event['pixel_size_km']:g} km</td>",
            f"<td>{_blocks(event):.1f}</td>",
        ]
        for event in numbers["events"]
    ]
    head = ["event", "starts", "first and last (UTC)", "lead times", "grid", "pixel", "independent blocks"]
    return f"<h2>Events</h2>\n{html_table(head, about)}\n{_headline(numbers)}"


def _headline(numbers: dict[str, Any]) -> str:
    """A row for each method: CSI, FSS and MAE on each event."""
    events: list[Row] = numbers["events"]
    key = {event["event"]: _key_threshold(event) for event in events}
    means = {(row["model"], row["event"]): row for row in numbers["means"] if row["threshold"] == key[row["event"]]}
    models = dict.fromkeys(model for model, _ in means)
    shown = columns(shown_in("headline"))
    parts = [f"<h3>Means over lead times{_at(set(key.values()))}</h3>"]
    for event in events:
        rows = [means[model, event["event"]] for model in models if (model, event["event"]) in means]
        parts.append(f"<p><b>{escape(event['event'])}</b></p>{score_table(rows, shown)}{_learnt_note(event)}")
    return "\n".join(parts)


def _how_to_read(numbers: dict[str, Any]) -> str:
    about = numbers["about"]
    return f"""<p class="note">Small figures and bands are {about["confidence"]:.0%} intervals: {about["resamples"]}
resamples of the starts in blocks as long as a forecast, since consecutive starts see the same rain. With fewer than
about ten independent blocks they are rough, and rather too narrow although widened like Student's; with fewer than two
there are none. They show the uncertainty of a score <em>for such weather</em>, not for other days. Bold is the best of
a column. A dash is undefined: no such rain was observed or forecast.</p>"""


def _origin(event: Row) -> str:
    source = [event[key] for key in ("institution", "licence") if key in event]
    return f'<p class="note">Data: {escape(". ".join(source))}</p>\n' if source else ""


def _learnt_note(event: Row) -> str:
    """A note on models that have learnt from the event: their scores there prove nothing."""
    return "".join(f'<p class="note">{escape(remark)}.</p>\n' for remark in remarks(event["seen"]))


def _frames(name: str, strip: Strip | None) -> str:
    if strip is None:
        return ""
    return f"""<h3>Observed and forecast rain from {iso(strip.reference_time)}, the start with the most rain</h3>
{_image(strip_figure(strip), f"observed and forecast rain, {name}")}"""


def _event(numbers: dict[str, Any], event: Row, strip: Strip | None) -> str:
    name = event["event"]
    rows, means, differences, spectra, reliability = (
        [row for row in numbers[key] if row["event"] == name]
        for key in ("scores", "means", "differences", "spectra", "reliability")
    )
    all_rain = _at_threshold(means, event["thresholds"][0])
    methods = dict.fromkeys(event["probabilities"].values())
    methods_text = "; ".join(_PROBABILITIES[method] for method in methods)
    return f"""<h2 id="{_anchor(event)}">{escape(name)}</h2>
{_origin(event)}{_learnt_note(event)}{_frames(name, strip)}
<h3>Scores by lead time</h3>
{_image(score_figure(rows, event), f"CSI, FSS, bias and Brier score by lead time, {name}")}
{_image(error_figure(rows, event), f"errors and picture scores by lead time, {name}")}
<h3>Means over lead times</h3>
{_threshold_tables(means, event)}
<p class="note">Scores of all pixels, wet or dry: MAE and RMSE are in mm/h; balanced errors, SSIM and PSNR (dB) are in
network units, dBZ from -10 to 60 as 0 to 1; small-scale power is below 8 km, forecast / observed. The CRPS of a
deterministic forecast equals its MAE and is not repeated.</p>
{score_table(all_rain, all_rain_columns(all_rain))}
{_difference(differences, event)}
<h3>Spectra</h3>
<p class="note">Power at each wavelength: below the black line a forecast has too little detail, above it too much.</p>
{_image(spectrum_figure(spectra, event, shown_leads(event["lead_minutes"])), f"power spectra, {name}")}
<h3>Reliability of probabilities</h3>
<p class="note">The probability of rain at or above a threshold is here {methods_text}. On the diagonal it rains as
often as forecast; below it, less often. All lead times are pooled; the lower plots count pixels.</p>
{_image(reliability_figure(reliability, event), f"reliability, {name}")}"""


def _threshold_tables(means: Sequence[Row], event: Row) -> str:
    """One table for each threshold; one of them is open."""
    shown = threshold_columns(event)
    return "\n".join(
        f"<details{' open' if threshold == _key_threshold(event) else ''}><summary>{threshold:g} mm/h</summary>"
        f"{score_table(_at_threshold(means, threshold), shown)}</details>"
        for threshold in event["thresholds"]
    )


def _difference(rows: Sequence[Row], event: Row) -> str:
    reference = reference_of(event["models"])
    if reference is None or not rows:
        return ""
    tables = "\n".join(
        f"<details{' open' if threshold == _key_threshold(event) else ''}><summary>{threshold:g} mm/h</summary>"
        f"{difference_table(_at_threshold(rows, threshold), _blocks(event))}</details>"
        for threshold in event["thresholds"]
    )
    return f"""<h3>Difference from {escape(reference)}</h3>
<p class="note">Differences of means over lead times, on the same starts in every resample. A difference is marked
better or worse only if its interval excludes 0 and there are {FEWEST_BLOCKS} independent blocks of starts or more; here
there are {_blocks(event):.1f}.</p>
{tables}"""


def _blocks(event: Row) -> float:
    return float(event["starts"] / event["starts_in_a_block"])


def _at_threshold(rows: Sequence[Row], threshold: float) -> list[Row]:
    return [row for row in rows if row["threshold"] == threshold]


def _key_threshold(event: Row) -> float:
    thresholds: list[float] = event["thresholds"]
    return _KEY_THRESHOLD if _KEY_THRESHOLD in thresholds else thresholds[0]


def _at(thresholds: set[float]) -> str:
    return f", {min(thresholds):g} mm/h" if len(thresholds) == 1 else ""


def _anchor(event: Row) -> str:
    return escape(event["event"].replace(" ", "-"), quote=True)


def _image(uri: str, description: str) -> str:
    return f'<img src="{uri}" alt="{escape(description, quote=True)}">'
