"""The autocorrelation time of products of x and y."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from mine.data.autocorrelation import autocorrelation_time, block_length


def series(phi, n=20_000, seed=0, columns=1):
    shocks = np.random.default_rng(seed).normal(size=(n + 2000, columns))
    return torch.from_numpy(lfilter([1.0], [1.0, -phi], shocks, axis=0)[2000:].copy())


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_it_is_that_of_the_product_of_two_autoregressive_series(phi):
    found = autocorrelation_time(series(phi), series(phi, seed=1))
    assert found == pytest.approx((1 + phi**2) / (1 - phi**2), rel=0.15)
    assert block_length(series(phi), series(phi, seed=1)) == np.ceil(2 * found)


def test_a_side_whose_rows_are_independent_makes_it_one():
    assert autocorrelation_time(series(0.99), series(0.0, seed=1)) == pytest.approx(1.0, abs=0.3)


def test_an_increasing_map_of_a_column_does_not_change_it():
    x, y = series(0.9), series(0.9, seed=1)
    assert autocorrelation_time(x.exp(), y) == autocorrelation_time(x, y)


def test_the_slowest_columns_tell():
    x = torch.cat([series(0.0), series(0.9, seed=2)], 1)
    y = torch.cat([series(0.9, seed=1), series(0.0, seed=3)], 1)
    assert autocorrelation_time(x, y) > 8


def test_shocks_without_memory_whose_size_has_one_hang_together():
    sizes = [series(0.95, seed=s).exp() for s in (0, 1)]
    x, y = (series(0.0, seed=s + 2) * size for s, size in enumerate(sizes))
    assert autocorrelation_time(x, y) > 2


def test_a_column_of_two_values_has_a_time_too():
    x = (series(0.9) > 0).double()
    assert 1.0 <= autocorrelation_time(x, x) < 20
