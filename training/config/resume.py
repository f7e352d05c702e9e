"""Whether a configuration continues a run: the same settings, or more iterations. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from radar.system.durable import write_text
from training.config.config import FitConfig, load_config

_NAMED = 8


def write_run_config(out: Path, config: FitConfig) -> None:
    """Write OUT/config.json, which `fit` takes as a configuration."""
    write_text(out / "config.json", json.dumps(asdict(config), indent=2) + "\n")


def check_run_folder(config: FitConfig, out: Path, *, resume: bool) -> None:
    """Refuse to erase a run, and to resume a missing or different one.

    Raises
    ------
    FileExistsError, FileNotFoundError
    ValueError
        As in `check_goes_on`.
    """
    if out.exists() and not resume:
        raise FileExistsError(
            f"expected a new folder for the run, got {out}, which exists; choose another, or go on with --resume"
        )
    if resume and not out.is_dir():
        raise FileNotFoundError(f"expected the folder of a run to resume, got no {out}; check the name")
    if resume and (out / "config.json").is_file():
        check_goes_on(load_config(out / "config.json"), config)


def check_goes_on(before: FitConfig, now: FitConfig) -> None:
    """Refuse a configuration other than the one that a run began with, unless only its iterations increased.

    Raises
    ------
    ValueError
        Settings changed; the error names them, with both values.
    """
    changed = dict(_changes(asdict(before), asdict(now)))
    changed.pop("description", None)
    iterations = changed.pop("optimiser.iterations", None)
    if changed:
        changes = [f"{name} = {new} instead of {old}" for name, (old, new) in list(changed.items())[:_NAMED]]
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise ValueError(
            f"expected the configuration that the run began with, got another: {', '.join(changes)}{more}; "
            "set them back, or begin a new run with it (only optimiser.iterations may grow)"
        )
    if iterations and now.optimiser.iterations < before.optimiser.iterations:
        raise ValueError(
            f"expected optimiser.iterations of {iterations[0]} or more, as the run has, got {iterations[1]}; a run can "
            "be lengthened, not shortened"
        )


def _changes(before: object, now: object, name: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Settings by their dotted names, with the value before and the value now."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            yield from _changes(before.get(key), now.get(key), f"{name}.{key}" if name else str(key))
    elif _plain(before) != _plain(now):
        yield name, (_plain(before), _plain(now))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
