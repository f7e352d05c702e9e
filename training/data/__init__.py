"""Data sets by name: the archive of this project and those of the MS-RNN paper, imported only when used."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from training.data.base import Part, SequenceDataset
from training.data.options import check_options

DATASETS: dict[str, str] = {
    "archive": "training.data.archive:open_archive",
    "germany": "training.data.germany:open_germany",
    "moving-mnist": "training.data.moving_mnist:open_moving_mnist",
    "taxibj": "training.data.taxibj:open_taxibj",
    "kth": "training.data.kth:open_kth",
}
"""Module and function by name; the function takes a folder, a part and options."""


def open_dataset(name: str, folder: Path, part: Part, **options: Any) -> SequenceDataset:  # noqa: ANN401
    """Open one part of a data set in a folder of its published files.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    folder : Path
    part : "train", "validation" or "test"
    options
        Options of the data set's function; by default its published protocol.

    Raises
    ------
    FileNotFoundError
        Files are missing; the error names and describes them.
    ValueError
        A name, part or option is unknown, an option has another type, or files have another form.
    """
    if name not in DATASETS:
        raise ValueError(f"expected one of the data sets {', '.join(DATASETS)}, got {name!r}")
    if part not in get_args(Part):
        raise ValueError(f"expected the part to be one of {', '.join(get_args(Part))}, got {part!r}")
    module, function = DATASETS[name].split(":")
    opener = getattr(import_module(module), function)
    check_options(name, opener, options)
    dataset: SequenceDataset = opener(folder, part, **options)
    if not len(dataset):
        length = dataset.input_length + dataset.leads
        raise ValueError(f"expected sequences of {length} frames for {part} of {name}, got none in {folder.name}")
    return dataset
