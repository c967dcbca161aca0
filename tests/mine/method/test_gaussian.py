"""The Gaussian estimate: unbiased, with the right error, and invariant as it should be."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mine.method.gaussian import gaussian, gaussian_copula
from mine.tasks import CorrelatedGaussian


def data(dim, rho, n, seed=0):
    x, y = CorrelatedGaussian(dim, rho).sample(n, torch.Generator().manual_seed(seed))
    return x.double().numpy(), y.double().numpy()


@pytest.mark.parametrize(
    ("dim", "rho", "n"), [(1, 0.0, 30), (1, 0.9, 50), (5, 0.5, 60), (3, 0.3, 25)]
)
def test_the_estimate_is_unbiased_at_any_number_of_rows(dim, rho, n):
    found = [gaussian(*data(dim, rho, n, seed)).nats for seed in range(600)]
    error = np.std(found) / 600**0.5
    assert abs(np.mean(found) - CorrelatedGaussian(dim, rho).mi) < 4 * error
    assert error < 0.02


@pytest.mark.parametrize(("dim", "rho"), [(1, 0.0), (1, 0.8), (4, 0.5)])
@pytest.mark.parametrize("estimator", [gaussian, gaussian_copula])
def test_the_standard_error_is_the_spread_over_data_sets(estimator, dim, rho):
    found = [estimator(*data(dim, rho, 400, seed)) for seed in range(300)]
    spread = np.std([e.nats for e in found])
    errors = np.mean([e.stderr for e in found])
    assert 0.85 * spread < errors < (1.2 if rho else 1.35) * spread


def test_the_standard_error_holds_for_heavy_tails():
    def sample(seed):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((2, 800)) * np.sqrt(7 / rng.chisquare(7, 800))
        return z[0][:, None], (0.6 * z[0] + 0.8 * z[1])[:, None]

    found = [gaussian(*sample(seed)) for seed in range(300)]
    spread = np.std([e.nats for e in found])
    assert np.mean([e.stderr for e in found]) == pytest.approx(spread, rel=0.25)


def test_the_correlations_are_numpys_in_one_dimension():
    x, y = data(1, -0.7, 200)
    assert gaussian(x, y).correlations[0] == pytest.approx(-np.corrcoef(x[:, 0], y[:, 0])[0, 1])


@settings(deadline=None)
@given(seed=st.integers(0, 100), dx=st.integers(1, 4), dy=st.integers(1, 4))
def test_linear_maps_of_either_side_do_not_matter(seed, dx, dy):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, dx))
    y = 0.5 * x[:, :1] + rng.standard_normal((60, dy))
    a, b = rng.standard_normal((dx, dx)), rng.standard_normal((dy, dy))
    plain, moved = gaussian(x, y), gaussian(x @ a + 3, 1e3 * y @ b)
    assert moved.nats == pytest.approx(plain.nats, abs=1e-6)
    assert moved.stderr == pytest.approx(plain.stderr, abs=1e-6)
    assert gaussian(y, x).nats == pytest.approx(plain.nats, abs=1e-9)


def test_monotone_maps_of_the_columns_do_not_matter_to_the_copula():
    x, y = data(2, 0.6, 500)
    plain = gaussian_copula(x, y)
    assert gaussian_copula(np.exp(3 * x), y**3) == plain
    assert gaussian(np.exp(3 * x), y**3).nats < 0.7 * plain.nats
    assert plain.nats == pytest.approx(CorrelatedGaussian(2, 0.6).mi, abs=4 * plain.stderr)


def test_copies_of_columns_change_nothing():
    x, y = data(2, 0.6, 200)
    doubled = gaussian(np.concatenate([x, x[:, :1], x.sum(1, keepdims=True)], 1), y)
    assert doubled.nats == pytest.approx(gaussian(x, y).nats, abs=1e-9)
    assert doubled.correlations == pytest.approx(gaussian(x, y).correlations)


def test_few_rows_are_shrunk_and_say_so():
    x, y = data(20, 0.5, 50)
    found = gaussian(x, y)
    assert 0.0 < found.shrinkage < 1.0
    assert found.warnings[0].startswith("shrunk: 50 rows are few for 40 columns")
    assert 0.0 < found.nats < CorrelatedGaussian(20, 0.5).mi
    assert gaussian(*data(20, 0.5, 400)).shrinkage == 0.0


def test_a_shared_column_has_infinite_information():
    x, y = data(2, 0.6, 200)
    found = gaussian(x, np.concatenate([y, x[:, :1] - 2 * x[:, 1:]], 1))
    assert found.nats == math.inf
    assert found.warnings[0].startswith("infinite: x and y share a linear combination")


def test_torch_and_numpy_give_the_same():
    x, y = data(2, 0.6, 100)
    assert gaussian(torch.from_numpy(x), torch.from_numpy(y)) == gaussian(x, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), r"shape \(rows, columns\), got shape \(5,\)"),
        (np.full((5, 1), np.nan), np.zeros((5, 1)), "5 values that are not finite"),
        (np.eye(5), np.eye(4), "pair up row by row, got 5 and 4 rows"),
    ],
)
def test_input_that_cannot_be_right_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        gaussian(x, y)


@pytest.mark.parametrize(("n", "dx", "dy"), [(30, 50, 40), (30, 1, 60), (30, 20, 45)])
def test_fewer_rows_than_columns_give_what_the_shrunk_covariance_gives(n, dx, dy):
    """I = 1/2 log(det S_x det S_y / det S) of S = (1 - s) R + s 1, R the correlations."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(n, 3))
    x, y = (common @ rng.normal(size=(3, d)) + rng.normal(size=(n, d)) for d in (dx, dy))
    found = gaussian(x, y)
    s = found.shrinkage
    assert 0.0 < s < 1.0
    shrunk = (1 - s) * np.corrcoef(x.T, y.T) + s * np.eye(dx + dy)
    parts = shrunk[:dx, :dx], shrunk[dx:, dx:], shrunk
    of_x, of_y, of_both = (np.linalg.slogdet(part)[1] for part in parts)
    assert found.nats == pytest.approx((of_x + of_y - of_both) / 2, rel=1e-9)


def test_of_more_columns_than_rows_no_covariance_of_columns_is_made():
    """Its eigenvectors took 305 s with 2 x 2,500 columns."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60, 2500))
    tracemalloc.start()
    found = gaussian(x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 2500**2 / 2 and found.shrinkage > 0.9
