from __future__ import annotations

import numpy as np
import pytest

from radar.scores.spectrum import no_spectrum, power_below, rapsd, spectrum_sum, wavelengths_km
from radar.sequence import Float32


def wave(rows: int, columns: int, wavelength: float) -> Float32:
    """3 mm/h on average, going up and down by 2 from west to east."""
    phase = 2 * np.pi * np.arange(columns) / wavelength
    return np.tile(3 + 2 * np.cos(phase), (rows, 1)).astype(np.float32)


def rain(seed: int, shape: tuple[int, int] = (20, 31)) -> Float32:
    return np.random.default_rng(seed).gamma(0.5, 2, shape).astype(np.float32)


def test_hand_worked_example() -> None:
    # 8 x 8 pixels. The mean: (3 * 64)^2 / 64. A wave of 4 pixels: two coefficients of (2 * 64 / 2)^2 / 64 = 64, in the
    # ring of wave number 2, which holds 12: 4 on the axes and 8 at a distance of sqrt(5).
    np.testing.assert_allclose(rapsd(spectrum_sum(wave(8, 8, 4))), [576, 0, 2 * 64 / 12, 0], atol=1e-9)


@pytest.mark.parametrize("shape", [(64, 32), (32, 64), (64, 64)])
def test_a_wave_is_found_at_its_wavelength(shape: tuple[int, int]) -> None:
    power = rapsd(spectrum_sum(wave(*shape, 8)))[1:]
    assert wavelengths_km(shape, 0.5)[1:][power.argmax()] == pytest.approx(4.0)


def test_wavelengths_begin_with_the_mean() -> None:
    np.testing.assert_allclose(wavelengths_km((8, 6), 2.0), [np.inf, 16, 8, 16 / 3])
    assert len(wavelengths_km((9, 6), 1.0)) == len(rapsd(spectrum_sum(rain(0, (9, 6))))) == 5


def test_power_below_a_wavelength() -> None:
    wavelengths = wavelengths_km((8, 8), 1.0)
    assert power_below(spectrum_sum(wave(8, 8, 4)), wavelengths, 5.0) == pytest.approx(2 * 64 / 12)
    assert power_below(spectrum_sum(wave(8, 8, 4)), wavelengths, 4.0) == pytest.approx(0, abs=1e-9)


def test_a_field_with_missing_pixels_has_no_spectrum() -> None:
    gap = rain(1)
    gap[3, 3] = np.nan
    assert np.isnan(rapsd(spectrum_sum(gap))).all()
    assert np.isnan(power_below(spectrum_sum(gap), wavelengths_km(gap.shape, 1.0), 8.0))
    np.testing.assert_array_equal(rapsd(spectrum_sum(gap) + spectrum_sum(rain(2))), rapsd(spectrum_sum(rain(2))))


def test_adding_sums_is_averaging_spectra() -> None:
    total = no_spectrum((20, 31)) + spectrum_sum(rain(1)) + spectrum_sum(rain(2))
    np.testing.assert_allclose(rapsd(total), (rapsd(spectrum_sum(rain(1))) + rapsd(spectrum_sum(rain(2)))) / 2)
