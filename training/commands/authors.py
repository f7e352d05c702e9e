"""python -m training check-reference and import-checkpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.commands.options import above_0, count


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe both commands."""
    _add_check(commands)
    _add_import(commands)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe check-reference."""
    check = commands.add_parser("check-reference", help="forecast proof cases of the authors' code and compare")
    check.add_argument("cases", metavar="FILE.npz", type=Path, nargs="+")
    check.set_defaults(command=_check_reference)


def _check_reference(arguments: argparse.Namespace) -> int:
    """Print one line for each file; returns 1 if any is beyond the tolerance or cannot be read."""
    from training.authors.reference import TOLERANCE, check_reference

    failed = 0
    for path in arguments.cases:
        try:
            difference = check_reference(path)
        except (ValueError, OSError) as error:
            print(f"error: {path.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        within = difference.largest <= TOLERANCE  # False for NaN
        failed += not within
        losses = "" if difference.decoupling is None else f", decoupling losses {difference.decoupling:.1e}"
        verdict = "ok" if within else f"FAILED, beyond {TOLERANCE:g}"
        print(f"{path.name}: {difference.model}, largest difference {difference.outputs:.1e}{losses}: {verdict}")
    return int(failed > 0)


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe import-checkpoint."""
    bring = commands.add_parser("import-checkpoint", help="convert weights trained with the authors' code")
    bring.add_argument(
        "weights", metavar="FILE.pth", type=Path, help="a state_dict, with or without `module.` and `_orig_mod.`"
    )
    bring.add_argument("--model", required=True, help="as MS-PrecipLSTM")
    bring.add_argument("--out", type=Path, required=True, help="a new folder")
    bring.add_argument("--channels", type=count, help="by default taken from the weights")
    bring.add_argument("--kernel-size", type=count, default=3)
    bring.add_argument("--window", type=count, default=30, help="of PrecipLSTM's local attention, in pixels")
    bring.add_argument("--input-length", type=count, default=5, help="frames that the network reads")
    bring.add_argument("--leads", type=count, default=5, help="frames that it was trained to forecast")
    bring.add_argument("--timestep-minutes", type=count, default=30)
    bring.add_argument("--pixel-size-km", type=above_0, default=900 / 124, help="900/124, as in the authors' Germany")
    bring.set_defaults(command=_import_checkpoint)


def _import_checkpoint(arguments: argparse.Namespace) -> None:
    from training.authors.checkpoint import Origin, import_checkpoint

    origin = Origin(
        channels=arguments.channels,
        kernel_size=arguments.kernel_size,
        window=arguments.window,
        input_length=arguments.input_length,
        leads=arguments.leads,
        timestep_minutes=arguments.timestep_minutes,
        pixel_size_km=arguments.pixel_size_km,
    )
    print(f"wrote {import_checkpoint(arguments.weights, arguments.model, arguments.out, origin)}")
