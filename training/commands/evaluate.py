"""python -m training evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.score_table import FSS_KM


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
    evaluate.add_argument(
        "--baselines", default="persistence,extrapolation,smoothed", help="separated by commas; '' for none"
    )
    evaluate.add_argument("--thresholds", default="1", help="mm/h, separated by commas")
    evaluate.add_argument("--lead-minutes", type=int, default=60)
    evaluate.add_argument("--stride", type=int, default=1, help="timesteps from one start to the next")
    evaluate.add_argument("--fss-km", type=float, default=FSS_KM, help="width of the neighbourhoods of FSS")
    evaluate.add_argument("--json", type=Path, help="write every score here, too")
    evaluate.add_argument("--record", action="store_true", help="put the means into the champions' manifests")
    evaluate.set_defaults(command=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.evaluate import BASELINES, evaluate, models_and_events, open_forecasters, record
    from training.score_table import markdown_tables, write_json

    names = [name for name in arguments.baselines.split(",") if name]
    unknown = sorted(set(names) - set(BASELINES))
    if unknown:
        raise ValueError(f"expected baselines of {', '.join(BASELINES)}, got {', '.join(unknown)}; check the names")
    if arguments.json and not arguments.json.absolute().parent.is_dir():
        raise ValueError(f"expected a folder for {arguments.json.name}, got none; make it first")
    models, events = models_and_events(arguments.paths)
    scores = evaluate(
        [*open_forecasters(models), *(BASELINES[name] for name in names)],
        events,
        lead_minutes=arguments.lead_minutes,
        thresholds=[float(threshold) for threshold in arguments.thresholds.split(",")],
        stride=arguments.stride,
        fss_km=arguments.fss_km,
    )
    print(markdown_tables(scores))
    if arguments.json:
        write_json(arguments.json, scores)
    if arguments.record:
        record(models, scores)
