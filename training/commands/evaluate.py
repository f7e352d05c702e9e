"""python -m training evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import count, numbers

if TYPE_CHECKING:
    from models.exceedance.odds import Statistic
    from models.forecaster import Forecaster
    from training.evaluate.seen import Learnt
_BASELINES_HELP = "separated by commas, by default all but steps, which needs pysteps; '' for none"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    evaluate = commands.add_parser("evaluate", help="score models and baselines on whole events, on the same pixels")
    evaluate.add_argument(
        "paths",
        metavar="MODEL_OR_DATA",
        type=Path,
        nargs="+",
        help="models (.onnx files, checkpoints, model repositories) and events (CF NetCDF files, or folders of them)",
    )
    evaluate.add_argument("--baselines", help=_BASELINES_HELP)
    evaluate.add_argument("--statistics", help="other forms of models with a distribution, such as mean,median")
    evaluate.add_argument("--thresholds", type=numbers, help="mm/h, separated by commas")
    evaluate.add_argument("--lead-minutes", type=count, default=60)
    evaluate.add_argument("--stride", type=count, default=1, help="timesteps from one start to the next")
    evaluate.add_argument(
        "--fss-km",
        type=numbers,
        help="widths of the neighbourhoods of FSS, separated by commas, the main one first",
    )
    evaluate.add_argument("--variable", metavar="NAME", help="the variable of rain, where NetCDF files have several")
    evaluate.add_argument("--json", type=Path, help="also write every score to this file")
    evaluate.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write a page with plots, and FILE.json with every number"
    )
    evaluate.add_argument(
        "--no-strips", action="store_true", help="no radar frames on the page: not everybody's may be published"
    )
    evaluate.add_argument("--record", action="store_true", help="write the means to the champions' manifests")
    evaluate.add_argument(
        "--protocol",
        choices=("raincell", "authors"),
        default="raincell",
        help="authors: all frames that a network predicts, in pixel units, summed over pixels, missing as 0",
    )
    evaluate.set_defaults(command=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.evaluate.evaluate import model_files, models_and_events, open_forecasters
    from training.evaluate.learnt import learnt_by
    from training.evaluate.statistics import with_statistics

    baselines = _baselines(arguments.baselines)
    _check_files(arguments.json, arguments.report)
    statistics = _statistics(arguments.statistics)
    models, events = models_and_events(arguments.paths)
    opened = open_forecasters(models, arguments.lead_minutes)
    forms = list(zip(opened, map(learnt_by, model_files(models)), strict=True))
    if arguments.protocol == "raincell":
        forms = [(form, records) for one, records in forms for form in with_statistics([one], statistics)]
    forecasters = [*(form for form, _ in forms), *baselines]
    learnt = [records for _, records in forms]
    if arguments.protocol == "authors":
        _as_the_authors(arguments, forecasters, events, learnt)
    else:
        _as_this_project(arguments, models, forecasters, events, learnt)


def _as_this_project(
    arguments: argparse.Namespace,
    models: list[Path],
    forecasters: list[Forecaster],
    events: list[Path],
    learnt: list[Learnt],
) -> None:
    from training.evaluate.evaluate import evaluate_events, record
    from training.evaluate.table import FSS_KM, THRESHOLDS, markdown_tables, write_json

    scored = evaluate_events(
        forecasters,
        events,
        lead_minutes=arguments.lead_minutes,
        thresholds=arguments.thresholds or THRESHOLDS,
        stride=arguments.stride,
        fss_km=arguments.fss_km or FSS_KM,
        variable=arguments.variable,
        learnt=learnt,
    )
    scores = [row for event in scored for row in event.rows()]
    print(markdown_tables(scores))
    if arguments.json:
        write_json(arguments.json, scores)
    if arguments.record:
        record(models, scores)
    if arguments.report:
        from training.evaluate.report.origins import origins
        from training.evaluate.report.write import write_report

        write_report(arguments.report, scored, origins(events), strips=not arguments.no_strips)


def _as_the_authors(
    arguments: argparse.Namespace, forecasters: list[Forecaster], events: list[Path], learnt: list[Learnt]
) -> None:
    from training.authors.protocol import authors_table, evaluate_as_authors, write_authors_json
    from training.evaluate.table import THRESHOLDS

    if arguments.report or arguments.record:
        raise ValueError("expected --json with --protocol authors, got --report or --record; leave them out")
    rows = evaluate_as_authors(
        forecasters,
        events,
        lead_minutes=arguments.lead_minutes,
        thresholds=arguments.thresholds or THRESHOLDS,
        stride=arguments.stride,
        variable=arguments.variable,
        learnt=learnt,
    )
    print(authors_table(rows))
    if arguments.json:
        write_authors_json(arguments.json, rows)


def _baselines(text: str | None) -> list[Forecaster]:
    from models.baselines import BASELINES
    from training.evaluate.steps import NAME, Steps

    names = list(BASELINES) if text is None else [name for name in text.split(",") if name]
    known = [*BASELINES, NAME]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"expected baselines of {', '.join(known)}, got {', '.join(unknown)}; check the names")
    return [Steps() if name == NAME else BASELINES[name] for name in names]


def _statistics(text: str | None) -> list[Statistic]:
    from models.exceedance.odds import STATISTICS

    names = [name for name in (text or "").split(",") if name]
    unknown = sorted(set(names) - set(STATISTICS))
    if unknown:
        raise ValueError(f"expected statistics of {', '.join(STATISTICS)}, got {', '.join(unknown)}; check the names")
    return [name for name in STATISTICS if name in names]


def _check_files(scores: Path | None, report: Path | None) -> None:
    """Before the work, not after it."""
    for file in (scores, report):
        if file and not file.absolute().parent.is_dir():
            raise ValueError(f"expected a folder for {file.name}, got none; make it first")
    numbers = report.with_suffix(".json") if report else None
    if numbers and numbers.absolute() in (report and report.absolute(), scores and scores.absolute()):
        raise ValueError(f"expected {numbers.name} to be free for the numbers of the report, got it for another file")
