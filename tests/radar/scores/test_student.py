"""Student's t against the tables."""

from __future__ import annotations

import pytest

from radar.scores.bootstrap import student_quantile


@pytest.mark.parametrize(
    ("probability", "freedom", "tabulated"),
    [
        (0.975, 3, 3.182),
        (0.975, 4, 2.776),
        (0.995, 4, 4.604),
        (0.995, 9, 3.250),
        (0.9, 10, 1.372),
        (0.975, 30, 2.042),
        (0.975, 1000, 1.962),
        (0.5, 5, 0.0),
    ],
)
def test_quantiles_are_those_of_the_tables(probability: float, freedom: float, tabulated: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(tabulated, rel=0.01, abs=1e-9)
    assert student_quantile(1 - probability, freedom) == pytest.approx(-tabulated, rel=0.01, abs=1e-9)


@pytest.mark.parametrize(("probability", "freedom"), [(0.0, 5), (1.0, 5), (0.975, 2.9), (0.975, float("nan"))])
def test_what_it_is_not_made_for_is_refused(probability: float, freedom: float) -> None:
    with pytest.raises(ValueError, match="expected a probability within 0 and 1 and 3 degrees or more"):
        student_quantile(probability, freedom)
