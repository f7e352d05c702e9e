"""The report: one page that needs nothing else, with the numbers of the file beside it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from models.baselines import Extrapolation, Persistence, SmoothedExtrapolation
from models.forecaster import Forecaster
from radar.files.netcdf.writer import to_netcdf
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS, Grid
from radar.synthetic import Weather, storm_sequence
from training.evaluate.evaluate import evaluate_events
from training.evaluate.event_scores import EventScores
from training.evaluate.report.figures import data_uri
from training.evaluate.report.origins import origins
from training.evaluate.report.tables import number
from training.evaluate.report.write import write_report

MODELS = ("persistence", "extrapolation", "smoothed")
THRESHOLDS = (0.1, 1.0, 300.0)


def write_storm(path: Path, frames: int, seed: int = 4) -> Path:
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", (60, 70), 1.0, radklim.projection, radklim.north_west)
    end = datetime(2026, 5, 1, 12, tzinfo=UTC)
    storm = storm_sequence(grid, frames, seed=seed, end_time=end, weather=Weather(wet_fraction=0.5))
    storm.rain_rate[:, :, :5] = np.nan
    path.write_bytes(to_netcdf(storm))
    return path


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> list[EventScores]:
    """A storm with many starts, and one with a single start, which tells no intervals."""
    folder = tmp_path_factory.mktemp("events")
    events = [write_storm(folder / "storm & wind.nc", 24), write_storm(folder / "short.nc", 8, seed=5)]
    forecasters: list[Forecaster] = [Persistence(), Extrapolation(), SmoothedExtrapolation()]
    return evaluate_events(forecasters, events, lead_minutes=15, thresholds=THRESHOLDS, fss_km=(10, 5))


@pytest.fixture(scope="module")
def drawn(scored: list[EventScores], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Figure]]:
    """The page, and what is drawn on it, as it is before it becomes a picture."""
    path, figures = tmp_path_factory.mktemp("report") / "report.html", list[Figure]()

    def noted(figure: Figure, kind: Literal["svg", "png"], dpi: float = 100) -> str:
        figures.append(figure)
        return data_uri(figure, kind, dpi)

    with pytest.MonkeyPatch.context() as patch:
        for module in ("figures", "strips"):
            patch.setattr(f"training.evaluate.report.{module}.data_uri", noted)
        write_report(path, scored)
    return path, figures


@pytest.fixture(scope="module")
def written(drawn: tuple[Path, list[Figure]]) -> Path:
    return drawn[0]


@pytest.fixture(scope="module")
def figures(drawn: tuple[Path, list[Figure]]) -> list[Figure]:
    return drawn[1]


@pytest.fixture(scope="module")
def numbers(written: Path) -> dict[str, Any]:
    found = json.loads(written.with_suffix(".json").read_text())
    assert isinstance(found, dict)
    return found


class Page(HTMLParser):
    """What a page loads, links to and says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.loaded.append(value or "")
            elif name == "href":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text())


def test_the_page_loads_nothing(written: Path, page: Page) -> None:
    assert {"script", "link", "iframe", "object"}.isdisjoint(page.tags)
    assert page.loaded
    assert all(source.startswith("data:image/") for source in page.loaded)
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?://|@import|url\(", written.read_text())


def pictures(page: Page, kind: str) -> Iterator[bytes]:
    for source in page.loaded:
        head, data = source.split(",", 1)
        if kind in head:
            yield base64.b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)


def test_every_event_has_its_plots_and_a_strip(page: Page) -> None:
    drawn = list(pictures(page, "svg"))
    assert len(drawn) == 2 * 4
    for svg in drawn:
        ElementTree.fromstring(svg)
    assert all(b"<svg" in svg and not re.search(rb'(href|src)="https?:', svg) for svg in drawn)
    strips = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) for png in pictures(page, "png")]
    assert len(strips) == 2
    assert all(strip is not None and len(np.unique(strip[::7, ::7].reshape(-1, 3), axis=0)) > 5 for strip in strips)


def test_a_page_without_strips_shows_no_frames_and_all_the_rest(
    scored: list[EventScores], page: Page, tmp_path: Path
) -> None:
    write_report(tmp_path / "report.html", scored[1:], strips=False)
    bare = Page((tmp_path / "report.html").read_text())
    assert list(pictures(bare, "png")) == []
    assert len(list(pictures(bare, "svg"))) == len(list(pictures(page, "svg"))) / 2  # it tells of one event of two


def test_the_page_names_whose_data_it_is_about(scored: list[EventScores], tmp_path: Path) -> None:
    event = write_storm(tmp_path / "short.nc", 8, seed=5)
    with xr.open_dataset(event, decode_times=False) as dataset:
        named = dataset.load().assign_attrs(institution="Office <of> Rain", license="CC BY 4.0")
    named.to_netcdf(event)
    other = write_storm(tmp_path / "storm & wind.nc", 8)
    write_report(tmp_path / "report.html", scored, origins([event, other, tmp_path / "of_other_kind.h5"]), strips=False)
    assert "Data: Office &lt;of&gt; Rain. CC BY 4.0" in (tmp_path / "report.html").read_text()
    told = json.loads((tmp_path / "report.json").read_text())["events"]
    assert [(row.get("institution"), row.get("licence")) for row in told] == [
        (None, None),
        ("Office <of> Rain", "CC BY 4.0"),
    ]


def test_no_label_of_an_axis_lies_on_another(figures: list[Figure]) -> None:
    assert len(figures) == 2 * 5
    for axes in (axes for figure in figures for axes in figure.axes):
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label for label in axis.get_ticklabels(which="both") if label.get_text() and label.get_visible()]
            places = [label.get_window_extent() for label in labels]
            assert not any(one.overlaps(other) for one, other in combinations(places, 2)), labels


def test_strips_tell_when_they_are_valid(figures: list[Figure]) -> None:
    titles = [axes.get_title() for axes in figures[0].axes]
    assert titles[0] == "5 minutes ahead, 11:50 UTC"


def test_the_page_shows_the_numbers_of_the_file(numbers: dict[str, Any], page: Page) -> None:
    assert {row["model"] for row in numbers["means"]} == set(MODELS)
    for row in numbers["means"]:
        for name in ("csi", "fss", "bias", "mae", "ssim", "brier", "fss_5km"):
            assert number(row[name]) in page.cells, (row["model"], name)
        if row["csi_low"] is not None:
            assert f"{number(row['csi_low'])} to {number(row['csi_high'])}" in page.cells
    assert all(model in page.cells for model in MODELS)
    assert "storm & wind" in page.cells


def test_the_file_has_everything(numbers: dict[str, Any]) -> None:
    leads, thresholds, models, events = 3, len(THRESHOLDS), len(MODELS), 2
    assert [event["event"] for event in numbers["events"]] == ["storm & wind", "short"]
    assert len(numbers["scores"]) == events * models * leads * thresholds
    assert len(numbers["means"]) == events * models * thresholds
    assert len(numbers["differences"]) == events * (models - 1) * thresholds
    assert len(numbers["spectra"]) == events * (models + 1) * leads
    assert len(numbers["reliability"]) == events * models * leads * thresholds
    assert len(numbers["spectra"][0]["power"]) == len(numbers["events"][0]["wavelengths_km"]) == 34


def test_means_are_those_of_the_scores(numbers: dict[str, Any]) -> None:
    for mean in numbers["means"]:
        keys = ("model", "event", "threshold")
        rows = [row for row in numbers["scores"] if all(row[key] == mean[key] for key in keys)]
        for name in ("csi", "mae", "fss_5km", "brier"):
            values = [row[name] for row in rows if row[name] is not None]
            assert mean[name] == (pytest.approx(sum(values) / len(values)) if values else None)


def test_intervals_hold_the_score_and_one_start_has_none(numbers: dict[str, Any]) -> None:
    for row in numbers["scores"] + numbers["means"]:
        for name in ("csi", "fss", "mae", "brier", "ssim", "psnr"):
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            if row["event"] == "short" or row[name] is None:
                assert low is high is None
            else:
                assert low <= row[name] <= high
    wet = [row for row in numbers["scores"] if row["event"] != "short" and row["threshold"] == 1]
    assert all(row["csi_low"] < row["csi_high"] for row in wet)


def test_differences_are_those_of_the_means(numbers: dict[str, Any]) -> None:
    means = {(row["model"], row["event"], row["threshold"]): row for row in numbers["means"]}
    for row in numbers["differences"]:
        assert row["reference"] == "smoothed" != row["model"]
        mine, theirs = (means[name, row["event"], row["threshold"]] for name in (row["model"], "smoothed"))
        assert row["mae"] == pytest.approx(mine["mae"] - theirs["mae"])
        if row["event"] != "short":
            wide = (mine["mae_high"] - mine["mae_low"]) + (theirs["mae_high"] - theirs["mae_low"])
            assert 0 < row["mae_high"] - row["mae_low"] < wide


def test_spectra_are_of_what_was_seen_and_said(numbers: dict[str, Any]) -> None:
    power = {(row["model"], row["lead_minutes"]): row["power"] for row in numbers["spectra"] if row["event"] == "short"}
    waves = np.array(numbers["events"][1]["wavelengths_km"])
    short = waves < 8
    small_scale = {row["model"]: row["small_scale_power"] for row in numbers["scores"] if row["event"] == "short"}
    for model in MODELS:
        ratio = np.array(power[model, 15])[short].sum() / np.array(power["observed", 15])[short].sum()
        assert ratio == pytest.approx(small_scale[model], rel=1e-4)


def test_reliability_counts_every_pixel(numbers: dict[str, Any]) -> None:
    pixels = {(row["event"], row["lead_minutes"]): row["pixels"] for row in numbers["scores"]}
    for row in numbers["reliability"]:
        assert sum(row["count"]) == pixels[row["event"], row["lead_minutes"]]


def test_sums_of_the_starts_are_the_whole(scored: list[EventScores]) -> None:
    event = scored[0]
    sums = event.sums["smoothed"]
    assert len(sums) == len(event.reference_times) == 24 - 5 - 3 + 1
    halves = [sums[part].sum(axis=0) for part in (slice(0, 9), slice(9, None))]
    np.testing.assert_allclose(halves[0] + halves[1], sums.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (-0.0123, "−0.012"), (0.000123, "0.00012"), (-1e-5, "−1e-05"), (0.0, "0.000"), (None, "–")],
)
def test_numbers_keep_figures_that_tell(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("rate", [0.0, np.nan], ids=["dry", "missing"])
def test_a_report_of_nothing(rate: float, tmp_path: Path) -> None:
    path = write_storm(tmp_path / "nothing.nc", 7)
    storm = open_sequence([path])
    storm.rain_rate[:] = rate
    path.write_bytes(to_netcdf(storm))
    scored = evaluate_events([Persistence()], [path], lead_minutes=5, thresholds=[1.0], fss_km=[10])
    write_report(tmp_path / "report.html", scored)
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert all(row["csi"] is row["fss"] is row["csi_low"] is None for row in numbers["scores"])
    assert (tmp_path / "report.html").read_text().count("<img") == 5
