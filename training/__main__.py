"""python -m training: fit, evaluate, export, inspect."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from radar.errors import RaincellError
from training.score_table import FSS_KM


def main() -> int:
    """Run one command; 0 when it succeeds, 1 with one clear line when it cannot."""
    arguments = _parser().parse_args()
    try:
        arguments.command(arguments)
    except (RaincellError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        wanted = f"error: expected the training extra, got no {error.name}; pip install -e '.[cpu,training]'"
        print(wanted, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train, evaluate and export models.")
    commands = parser.add_subparsers(required=True)

    fit = commands.add_parser("fit", help="train a model by a configuration")
    fit.add_argument("config", type=Path)
    fit.add_argument("--data", type=Path, required=True, help="folder of the events named in the configuration")
    fit.add_argument("--out", type=Path, required=True, help="a new folder for this run")
    fit.add_argument("--iterations", type=int, help="instead of the configuration's")
    fit.add_argument("--seed", type=int, help="instead of the configuration's")
    fit.set_defaults(command=_fit)

    evaluate = commands.add_parser("evaluate", help="score models and baselines on whole events, on the same pixels")
    evaluate.add_argument(
        "paths",
        metavar="MODEL_OR_DATA",
        type=Path,
        nargs="+",
        help="models (.onnx files, model repositories) and events (CF NetCDF files, or folders of them)",
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

    export = commands.add_parser("export", help="write a checkpoint as ONNX into a model repository, as champion")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("--repository", type=Path, required=True)
    export.add_argument("--version", required=True)
    export.add_argument("--description", default="")
    export.set_defaults(command=_export)

    inspect = commands.add_parser("inspect", help="print the card of an .onnx file")
    inspect.add_argument("model", type=Path)
    inspect.set_defaults(command=_inspect)
    return parser


def _fit(arguments: argparse.Namespace) -> None:
    from training.config import load_config
    from training.fit import fit

    config = load_config(arguments.config, iterations=arguments.iterations, seed=arguments.seed)
    print(f"wrote {fit(config, arguments.data, arguments.out)}")


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


def _export(arguments: argparse.Namespace) -> None:
    from training.export import export

    written = export(arguments.checkpoint, arguments.repository, arguments.version, description=arguments.description)
    print(f"wrote {written}")


def _inspect(arguments: argparse.Namespace) -> None:
    from models.onnx_forecaster import read_card_of

    print(read_card_of(arguments.model).model_dump_json(indent=2))


if __name__ == "__main__":
    sys.exit(main())
