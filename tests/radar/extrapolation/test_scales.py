"""Spectra in the packed layout against numpy's, and the filters that are made of them."""

from __future__ import annotations

import numpy as np
import pytest

from radar.extrapolation.scales import spectra

SHAPES = [(16, 16), (7, 9), (8, 6), (31, 46), (1, 1), (1, 5)]


def field(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(2.0, 1.0, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_field_comes_back_from_its_spectrum(shape: tuple[int, int]) -> None:
    layout = spectra(shape)
    np.testing.assert_allclose(layout.field(layout.of(field(shape), 0.0)), field(shape), atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_covariances_add_up_to_that_of_the_pixels(shape: tuple[int, int]) -> None:
    layout = spectra(shape)
    one, other = field(shape), field(shape, 1)
    padded = [
        np.pad(each, [(0, large - size) for large, size in zip(layout.padded, shape, strict=True)])
        for each in (one, other)
    ]
    expected = np.mean((padded[0] - padded[0].mean()) * (padded[1] - padded[1].mean()))
    found = layout.covariances(layout.of(one, 0.0), layout.of(other, 0.0)).sum()
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(24, 32), (15, 8)])
def test_a_filter_is_that_of_the_full_spectrum(shape: tuple[int, int]) -> None:
    layout = spectra(shape)
    assert layout.padded == shape  # sizes that need no padding
    waves = [np.fft.fftfreq(size) * size for size in shape]
    wavenumber = np.rint(np.hypot(waves[0][:, None], waves[1][None]) * 16) / 16
    expected = np.fft.ifft2(np.fft.fft2(field(shape)) * np.cos(wavenumber)).real
    response = np.cos(np.arange(int(layout.wavenumber.max()) + 1) / 16)
    np.testing.assert_allclose(
        layout.field(layout.filtered(layout.of(field(shape), 0.0), response)), expected, atol=2e-6
    )


def test_bands_add_up_to_the_whole_and_go_from_large_to_small() -> None:
    bands = spectra((256, 256)).bands(6)
    np.testing.assert_allclose(bands.sum(axis=0), 1)
    peaks = bands[:, 16:].argmax(axis=1)  # from one wave per frame on
    assert (np.diff(peaks) > 0).all()
