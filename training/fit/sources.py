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
class TrainingExamples:
    """Examples to draw crops from, the fixed batches of crops for validation, and the records of the data."""

    real: Sequence[Example]
    synthetic: Sequence[Example]
    held_out: Sequence[Sequence[Example]]
    records: Sequence[dict[str, Any]] = ()
    days: ArchiveDays | None = None
    """The days of an archive; None for other data."""

    def kept_in(self, folder: Path) -> TrainingExamples:
        """The same examples; windows of an archive are kept as files in a folder once they are drawn."""
        return self if self.days is None else replace(self, real=KeptExamples(self.real, folder))


def open_examples(
    config: FitConfig, data: Path, *, show: bool = True, began_with: ArchiveDays | None = None
) -> TrainingExamples:
    """Open the data of a configuration, with progress if `show` is set.

    `began_with` holds the archive's days of a run that is resumed.

    Raises
    ------
    FileNotFoundError
        An event, or the data set, is missing in `data`; the error names the files to put there.
    UnreadableFile
        Events cannot be used for training; the error names their files: see `training.fit.events`.
    """
    check_event_files(config, data)
    if config.data.dataset == "events":
        return _from_events(config, data, show)
    if config.data.dataset == "archive":
        stored = "sha256" in config.data.options  # a retraining names its data set by this digest
        return _from_stored(config, data) if stored else _from_archive(config, data, began_with)
    real, validation = _of_data_set(config, data, config.data.options)
    records = data_set_records(config.data.dataset, data, show=show)
    return TrainingExamples(real, [], _held_out(config, validation), records)


def _of_data_set(config: FitConfig, data: Path, options: dict[str, Any]) -> list[SequenceExamples]:
    """The examples for training and for validation."""
    parts: tuple[Part, ...] = ("train", "validation")
    datasets = (open_dataset(config.data.dataset, data, part, **options) for part in parts)
    return [SequenceExamples(each, config.framing, config.leads) for each in datasets]


def _from_stored(config: FitConfig, data: Path) -> TrainingExamples:
    real, validation = (StoredExamples(data / part) for part in ("training", "validation"))
    return TrainingExamples(real, [], _held_out(config, validation))


def _from_archive(config: FitConfig, data: Path, began_with: ArchiveDays | None) -> TrainingExamples:
    days = archive_days(config, data, began_with)
    real, validation = _of_data_set(config, data, options_of(config, days))
    return TrainingExamples(real, [], _held_out(config, validation), days.records, days)


def _from_events(config: FitConfig, data: Path, show: bool) -> TrainingExamples:
    events = check_events(config, data, show=show)
    seed = config.optimiser.seed
    storms = storm_examples(config.data.synthetic, config.framing, config.leads, seed)
    return TrainingExamples(
        real=_examples(config, data, events, "train", show),
        synthetic=list(tqdm(storms, "storms", total=config.data.synthetic, disable=not show)),
        held_out=_held_out(config, _examples(config, data, events, "validation", show)),
        records=[event.record() for event in events],
    )


def _examples(config: FitConfig, data: Path, events: Sequence[Event], part: Part, show: bool) -> list[Example]:
    """The examples of one part; they take most of the time before training."""
    chosen = [event for event in events if event.part == part]
    sequences = (open_sequence([data / event.name], observations_only=True) for event in chosen)
    examples = event_examples(sequences, config.framing, config.leads, config.data.stride)
    total = sum(event.windows for event in chosen)
    return list(tqdm(examples, f"{part} examples", total, unit=" windows", disable=not show))


def _held_out(config: FitConfig, examples: Sequence[Example]) -> list[list[Example]]:
    """Crops that do not depend on the run's seed, turned but not damaged."""
    settings = config.optimiser
    whole = DataConfig(synthetic_share=0.0, symmetries=config.data.symmetries)
    return [
        [
            draw_sample(examples, [], whole, settings.crop, np.random.default_rng((0, batch, index)))
            for index in range(settings.batch)
        ]
        for batch in range(_VALIDATION_BATCHES)
    ]
