"""Rain in 16 bits a pixel, and that its bytes are those of files and stores of earlier versions."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

import numpy as np
import pytest

from radar.archive.frame import archived
from radar.counts import ARCHIVED, LARGEST_COUNT, MISSING, STORED, Counts, Quantisation, shuffled, unshuffled
from radar.sequence import Float32


def test_nan_stays_nan_and_dry_stays_dry_and_rain_is_within_half_a_count() -> None:
    rain = np.array([[[np.nan, 0.0, 0.005, 0.12, 3.1]]], np.float32)
    counts, above = STORED.to_counts(rain)
    assert counts.tolist() == [[[MISSING, 0, 0, 10, 258]]]
    assert not above.any()
    np.testing.assert_allclose(STORED.to_rates(counts), rain, atol=STORED.step / 2)


def test_what_is_above_the_range_is_kept_as_its_end() -> None:
    rain = np.array([[[900.0, 1.0]], [[786.4, np.nan]]], np.float32)
    counts, above = STORED.to_counts(rain)
    assert counts[0, 0, 0] == LARGEST_COUNT
    assert above.tolist() == [[[True, False]], [[False, False]]]
    assert np.isnan(STORED.to_rates(counts)[1, 0, 1])


def test_a_coarser_step_reaches_what_is_above_the_range() -> None:
    assert STORED.reaching(786.4) == STORED
    coarser = STORED.reaching(900.0)
    counts, above = coarser.to_counts(np.array([900.0, 450.0], np.float32))
    assert not above.any()
    np.testing.assert_allclose(coarser.to_rates(counts), [900.0, 450.0], rtol=1e-4)


def rates() -> Float32:
    """Of every kind: all steps of both quantisations, halfway between them, at random, missing and too much."""
    steps = np.arange(0, MISSING + 10, 0.5)
    random = np.random.default_rng(1).gamma(0.3, 20, 50_000)
    return np.concatenate([steps * 0.01, steps * 0.012, random, [np.nan, 1e4]]).astype(np.float32)


def as_formerly_archived(rain: Float32) -> Counts:
    known = ~np.isnan(rain)
    exact = np.rint(np.where(known, rain, np.float32(0)).astype(np.float64) * 100)
    return np.where(known, np.minimum(exact, LARGEST_COUNT), MISSING).astype("<u2")


def as_formerly_hindcast(rain: Float32) -> Counts:
    known = ~np.isnan(rain)
    exact = np.rint(np.where(known, rain, np.float32(0)).astype(np.float64) / 0.012)
    return np.where(known, np.minimum(exact, LARGEST_COUNT), MISSING).astype("<u2")


def as_formerly_served(rain: Float32) -> Counts:
    known = np.isfinite(rain)
    filled = np.where(known, rain, np.float32(0))
    return np.where(known, np.rint(filled / max(0.012, float(filled.max()) / LARGEST_COUNT)), MISSING).astype("<u2")


def test_rates_become_the_counts_that_they_became_in_earlier_versions() -> None:
    rain = rates()
    np.testing.assert_array_equal(ARCHIVED.to_counts(rain.astype(np.float64))[0], as_formerly_archived(rain))
    np.testing.assert_array_equal(STORED.to_counts(rain.astype(np.float64))[0], as_formerly_hindcast(rain))
    for served in (rain, rain[rain < 780]):
        quantisation = STORED.reaching(float(np.nanmax(served)))
        np.testing.assert_array_equal(quantisation.to_counts(served)[0], as_formerly_served(served))


@pytest.mark.parametrize(
    ("quantisation", "former"),
    [
        (ARCHIVED, (np.arange(MISSING) / 100).astype(np.float32)),
        (STORED, (np.arange(MISSING) * 0.012).astype(np.float32)),
    ],
)
def test_every_count_is_the_rate_that_it_was_in_earlier_versions(quantisation: Quantisation, former: Float32) -> None:
    every = np.arange(MISSING + 1).astype(np.uint16)
    read = quantisation.to_rates(every)
    np.testing.assert_array_equal(read[:MISSING], former)
    assert np.isnan(read[MISSING])


def test_shuffled_bytes_are_those_of_files_that_are_there() -> None:
    counts = np.array([[1, 256, 65535], [10, 0, 770]], np.uint16)
    content = bytes.fromhex("0100ff0a0002") + bytes.fromhex("0001ff000003")
    assert shuffled(counts) == content
    np.testing.assert_array_equal(unshuffled(content, (2, 3)), counts)
    frame = archived(np.array([[0.01, 2.56, np.nan], [0.1, 0.0, 7.7]], np.float32), datetime(2026, 1, 1, tzinfo=UTC))
    assert zlib.decompress(frame.chunk) == content
    assert (frame.wet_pixels, frame.missing_pixels, frame.saturated_pixels) == (3, 1, 0)
