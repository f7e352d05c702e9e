"""Student's t distribution: how much wider an interval has to be where its spread comes from few samples."""

from __future__ import annotations

from statistics import NormalDist


def student_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t with `freedom` degrees of freedom, 3 or more.

    By the series of Abramowitz and Stegun (1964), 26.7.5: within 1 % for probabilities up to 0.995.

    Raises
    ------
    ValueError
        A probability outside of 0 to 1, or fewer than 3 degrees.
    """
    if not 0 < probability < 1 or not freedom >= 3:
        raise ValueError(f"expected a probability within 0 and 1 and 3 degrees or more, got {probability}, {freedom}")
    x = NormalDist().inv_cdf(probability)
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
