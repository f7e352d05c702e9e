"""python -m training profile."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import count

if TYPE_CHECKING:
    from training.profile import Profile


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    profile = commands.add_parser("profile", help="the costs of each model, plain beside multi-scale")
    profile.add_argument("--models", metavar="A,B", help="default: all")
    profile.add_argument("--size", type=count, default=124, help="rows and columns (default %(default)s)")
    profile.add_argument("--steps", type=count, default=9, help="calls of the network (default %(default)s)")
    profile.add_argument("--channels", type=count, default=64, help="of each layer (default %(default)s)")
    profile.add_argument("--batch", type=count, default=1, help="forecasts at once (default %(default)s)")
    profile.add_argument(
        "--activation-checkpointing", action="store_true", help="recompute layers, keep less in memory"
    )
    profile.add_argument("--json", metavar="FILE", type=Path, help="also write the table as a list of objects")
    profile.set_defaults(command=_profile)


def _profile(arguments: argparse.Namespace) -> None:
    """Profile the models one after the other, then print the table."""
    import json
    from dataclasses import asdict

    from tqdm import tqdm

    from models.zoo import MODELS
    from training.profile import ProfileSettings, profile, spec_of

    settings = ProfileSettings(
        arguments.size, arguments.steps, arguments.channels, arguments.batch, arguments.activation_checkpointing
    )
    names = list(dict.fromkeys(arguments.models.lower().split(","))) if arguments.models else list(MODELS)
    for name in names:
        spec_of(name, settings)  # raises an error for an unknown name before the work
    bar = tqdm(names, "profile")
    profiles = []
    for name in bar:
        bar.set_postfix_str(name)
        profiles.append(profile(name, settings))
        if arguments.json:  # after every model, so that an interrupted run leaves its results
            arguments.json.write_text(json.dumps([asdict(each) for each in profiles], indent=2) + "\n")
    print("\n".join(_table(profiles)))


_HEAD = f"{'model':16}{'parameters M':>13}{'macs G':>10}{'saved GiB':>11}{'peak GiB':>10}{'forward s':>11}"


def _table(profiles: list[Profile]) -> list[str]:
    """Lines of the table; below a multi-scale model its ratios to the plain one, if that is listed too."""
    lines = [_HEAD]
    plain = {each.model: each for each in profiles}
    for each in profiles:
        p, m, s, k, f = _numbers(each)
        lines.append(f"{each.model:16}{p / 1e6:13.3f}{m / 1e9:10.1f}{s / 2**30:11.3f}{k / 2**30:10.3f}{f:11.2f}")
        twin = plain.get(each.model.removeprefix("ms-"))
        if twin and twin is not each:
            p, m, s, k, f = (a / b for a, b in zip(_numbers(each), _numbers(twin), strict=True))
            lines.append(f"{'  ratio':16}{p:13.3f}{m:10.3f}{s:11.3f}{k:10.3f}{f:11.3f}")
    return lines


def _numbers(each: Profile) -> tuple[float, float, float, float, float]:
    return each.parameters, each.macs, each.saved_activation_bytes, each.peak_bytes, each.forward_seconds
