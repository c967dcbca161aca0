"""Columns of which a difference is hidden are told from those that are correlated, or repeat."""

import numpy as np
import pytest

from mine.data.collinear import nearly_equal, thinnest


def two_columns(apart, n=1000, seed=100):
    a, e = np.random.default_rng(seed).normal(size=(2, n))
    return np.stack([a, a + apart * e], 1)


@pytest.mark.parametrize("apart", [1e-6, 1e-4, 1e-2])
def test_the_thinnest_direction_is_half_the_distance_of_two_near_columns(apart):
    assert thinnest(two_columns(apart)) == pytest.approx(apart / 2, rel=0.1)


def test_units_do_not_matter():
    v = two_columns(1e-3)
    assert thinnest(v * [1e6, 1e-6]) == pytest.approx(thinnest(v), rel=1e-6)


@pytest.mark.parametrize(
    ("apart", "warned"), [(1.0, False), (0.1, False), (1e-3, True), (0.0, False)]
)
def test_near_columns_are_warned_of_and_correlated_or_repeated_ones_are_not(apart, warned):
    assert bool(nearly_equal("x", thinnest(two_columns(apart)))) == warned


def test_many_columns_of_few_rows_are_no_sign():
    v = np.random.default_rng(100).normal(size=(60, 58))
    assert thinnest(v) == 1.0 and not nearly_equal("x", thinnest(v)) and thinnest(v[:, :0]) == 1.0
