from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radar.rain import RainScaling

SCALING = RainScaling()


def test_hand_worked_reflectivity_of_one_millimetre() -> None:
    # 10 log10(256) = 24.0824 dBZ; (24.0824 + 10) / 70 = 0.48689
    assert SCALING.to_reflectivity(1.0) == pytest.approx(24.0824, abs=1e-4)
    assert SCALING.to_network(1.0) == pytest.approx(0.48689, abs=1e-5)


@given(st.floats(0.05, 150.0))
def test_rates_survive_the_way_to_network_units_and_back(rate: float) -> None:
    assert SCALING.from_network(SCALING.to_network(rate)) == pytest.approx(rate, rel=1e-4)


def test_dry_in_is_dry_out() -> None:
    assert SCALING.to_network(0.0) == 0
    assert SCALING.from_network(0.0) == 0
    assert SCALING.from_network(SCALING.to_network(0.049)) == 0


def test_network_units_outside_the_range_are_clipped() -> None:
    assert SCALING.from_network(-0.3) == 0
    assert SCALING.from_network(1.7) == SCALING.from_network(1.0)


def test_missing_stays_missing_both_ways() -> None:
    rates = np.array([np.nan, 0, 2], np.float32)
    for converted in (SCALING.to_network(rates), SCALING.from_network(rates), SCALING.to_reflectivity(rates)):
        assert np.isnan(converted).tolist() == [True, False, False]
        assert converted.dtype == np.float32
