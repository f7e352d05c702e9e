"""The authors' own forecasts, where RAINCELL_TEST_GOLDEN names the folder of their proof cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.zoo import MODELS
from training.authors.reference import TOLERANCE, check_reference
from training.authors.weights import convert_parameters


@pytest.mark.parametrize("name", MODELS)
def test_forecasts_are_the_authors(name: str, golden: Path) -> None:
    (path,) = (file for file in golden.glob("*.npz") if file.stem.lower() == name)
    difference = check_reference(path)
    assert difference.outputs < TOLERANCE
    assert (difference.decoupling is not None) == name.endswith("predrnn-v2")
    assert difference.largest < TOLERANCE


def test_missing_and_unexpected_parameters_are_named() -> None:
    spec = replace(MODELS["convlstm"], channels=4)
    with pytest.raises(ValueError, match=r"embed\.conv_embed\.weight"):
        convert_parameters({}, spec)
