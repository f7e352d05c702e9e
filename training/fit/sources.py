"""The training and validation data of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from radar.files.open import open_sequence
from training.config.config import DataConfig, FitConfig
from training.data import open_dataset
from training.data.digest import data_set_records
from training.fit.archive_days import ArchiveDays, archive_days, options_of
from training.fit.batches import draw_sample
from training.fit.events import Event, Part, check_event_files, check_events
from training.fit.examples import (
    Example,
    KeptExamples,
    SequenceExamples,
    StoredExamples,
    event_examples,
    storm_examples,
)

_VALIDATION_BATCHES = 8


@dataclass(frozen=True)
class Sources:
    """Examples to draw crops from, the batches of crops that every validation sees, and their records."""

    real: Sequence[Example]
    synthetic: Sequence[Example]
    held_out: Sequence[Sequence[Example]]
    records: Sequence[dict[str, Any]] = ()
    days: ArchiveDays | None = None
    """Of an archive."""

    def kept_in(self, folder: Path) -> Sources:
        """The same, the windows of an archive as files in a folder from when they are first drawn."""
        return self if self.days is None else replace(self, real=KeptExamples(self.real, folder))


def open_sources(config: FitConfig, data: Path, *, show: bool = True, began_with: ArchiveDays | None = None) -> Sources:
    """Open what the configuration names, with progress where `show`.

    `began_with` are the days of an archive that the run to go on with has.

    Raises
    ------
    FileNotFoundError
        An event is not in `data`, or the data set is not; says what to put there.
    UnreadableFile
        Events that nothing can be learnt from, each by its file: `training.fit.events`.
    """
    check_event_files(config, data)
    if config.data.dataset == "events":
        return _from_events(config, data, show)
    if config.data.dataset == "archive":
        stored = "sha256" in config.data.options  # of a retraining, which names its data set by this digest
        return _from_stored(config, data) if stored else _from_archive(config, data, began_with)
    real, validation = _of_data_set(config, data, config.data.options)
    records = data_set_records(config.data.dataset, data, show=show)
    return Sources(real, [], _held_out(config, validation), records)


def _of_data_set(config: FitConfig, data: Path, options: dict[str, Any]) -> list[SequenceExamples]:
    """Those to train on and those to validate by."""
    parts: tuple[Part, ...] = ("train", "validation")
    datasets = (open_dataset(config.data.dataset, data, part, **options) for part in parts)
    return [SequenceExamples(each, config.framing, config.leads) for each in datasets]


def _from_stored(config: FitConfig, data: Path) -> Sources:
    real, validation = (StoredExamples(data / part) for part in ("training", "validation"))
    return Sources(real, [], _held_out(config, validation))


def _from_archive(config: FitConfig, data: Path, began_with: ArchiveDays | None) -> Sources:
    days = archive_days(config, data, began_with)
    real, validation = _of_data_set(config, data, options_of(config, days))
    return Sources(real, [], _held_out(config, validation), days.records, days)


def _from_events(config: FitConfig, data: Path, show: bool) -> Sources:
    events = check_events(config, data, show=show)
    seed = config.optimiser.seed
    storms = storm_examples(config.data.synthetic, config.framing, config.leads, seed)
    return Sources(
        real=_examples(config, data, events, "train", show),
        synthetic=list(tqdm(storms, "storms", total=config.data.synthetic, disable=not show)),
        held_out=_held_out(config, _examples(config, data, events, "validation", show)),
        records=[event.record() for event in events],
    )


def _examples(config: FitConfig, data: Path, events: Sequence[Event], part: Part, show: bool) -> list[Example]:
    """Those of one part; most of the time before training goes into these."""
    chosen = [event for event in events if event.part == part]
    sequences = (open_sequence([data / event.name], observations_only=True) for event in chosen)
    examples = event_examples(sequences, config.framing, config.leads, config.data.stride)
    total = sum(event.windows for event in chosen)
    return list(tqdm(examples, f"{part} examples", total, unit=" windows", disable=not show))


def _held_out(config: FitConfig, examples: Sequence[Example]) -> list[list[Example]]:
    """The same crops whatever the seed of the run, turned but whole."""
    settings = config.optimiser
    whole = DataConfig(synthetic_share=0.0, symmetries=config.data.symmetries)
    return [
        [
            draw_sample(examples, [], whole, settings.crop, np.random.default_rng((0, batch, index)))
            for index in range(settings.batch)
        ]
        for batch in range(_VALIDATION_BATCHES)
    ]
