"""Reading a number of samples off rows, and the theorem's own number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments import sample_size
from experiments.bias import settings
from mine.critics.parameters import parameter_shapes

NS = [100.0, 1000.0, 10_000.0, 100_000.0]


def test_the_least_n_of_a_power_law_is_exact_between_the_points_of_the_grid() -> None:
    for power, size in ((-0.5, 3.0), (-1.0, 200.0)):
        gaps = size * np.array(NS) ** power
        for eps in (0.05, 0.1):
            wanted = (eps / size) ** (1 / power)
            assert float(sample_size.least_n(NS, gaps, eps)) == pytest.approx(wanted)


def test_the_least_n_is_that_after_which_the_gap_stays_small() -> None:
    """Up and down again: the last crossing counts."""
    gaps = np.array([0.01, 1.0, 0.1, 0.001])
    assert float(sample_size.least_n(NS, gaps, 0.1)) == pytest.approx(10_000.0)
    assert float(sample_size.least_n(NS, gaps, 0.01)) == pytest.approx(10_000 * 10**0.5)


def test_what_the_grid_does_not_tell_is_nan() -> None:
    falling = np.array([0.4, 0.3, 0.2, 0.15])
    assert math.isnan(sample_size.least_n(NS, falling, 0.1))  # above at the end
    assert math.isnan(sample_size.least_n(NS, falling, 0.5))  # never above
    lost = np.array([np.inf, np.nan, 0.2, 0.01])  # a lost cell is above
    assert 10_000 < float(sample_size.least_n(NS, lost, 0.1)) < 100_000


def test_resamples_are_read_off_one_by_one() -> None:
    rng = np.random.default_rng(0)
    gaps = np.sort(rng.exponential(0.3, (5, 7, 4)))[..., ::-1]
    whole = sample_size.least_n(NS, gaps, 0.1)
    each = [[float(sample_size.least_n(NS, gap, 0.1)) for gap in row] for row in gaps]
    np.testing.assert_array_equal(whole, np.array(each))
    assert np.isfinite(whole).any()


def test_a_slope_is_of_the_known_points_and_the_mean_is_over_known_lines() -> None:
    x = [0.0, 1.0, 2.0, 3.0]
    known = ([0.0, 1.0, 2.0, 3.0], [np.array(v) for v in (5.0, np.nan, 1.0, -1.0)])
    unknown = (x, [np.array(v) for v in (1.0, np.nan, np.nan, np.nan)])
    other = (x, [np.array(v) for v in (0.0, -4.0, -8.0, -12.0)])
    assert float(sample_size.mean_slope([known])) == pytest.approx(-2.0)
    assert float(sample_size.mean_slope([known, unknown, other])) == pytest.approx(-3.0)
    assert math.isnan(sample_size.mean_slope([unknown]))


def test_a_setting_that_was_lost_is_left_out_of_the_slopes() -> None:
    """n = d / eps^2, with one width of one true value missing."""
    least = {
        (level, width, eps): np.array(sample_size.parameters(2, width) / eps**2)
        for level in (1.0, 2.0)
        for width in (8, 32, 128)
        for eps in sample_size.EPSILONS
        if (level, width) != (2.0, 128)
    }
    assert float(sample_size.by_parameters(least, 2)) == pytest.approx(1.0)
    assert float(sample_size.by_accuracy(least)) == pytest.approx(-2.0)


def test_the_theorems_n_is_its_formula() -> None:
    """By hand at d = 1, M = K = L = 1, eps = 1: 2 (log 16 + 2 + log(2 / delta))."""
    by_hand = 2.0 * (math.log(16.0) + 2.0 + math.log(2.0 / 0.1))
    assert sample_size.asked(1.0, 1, 1.0, 1.0, 1.0, 0.1) == pytest.approx(by_hand)
    half = sample_size.asked(0.5, 1, 1.0, 1.0, 1.0, 0.1)
    assert half == pytest.approx(4.0 * (by_hand + 2.0 * math.log(2.0)))


@pytest.mark.parametrize(("dim", "width"), [(1, 8), (2, 128)])
def test_the_parameters_counted_are_those_of_the_critic(dim: int, width: int) -> None:
    shapes = parameter_shapes(dim, dim, (width,))
    assert sample_size.parameters(dim, width) == sum(math.prod(shape) for shape in shapes)


def test_m_is_the_quantile_of_the_log_ratio_under_p() -> None:
    """Against samples of the task and its own log-ratio."""
    import torch

    from mine.tasks import CorrelatedGaussian

    task = CorrelatedGaussian(2, math.sqrt(-math.expm1(-1.0)))
    x, y = task.sample(400_000, torch.Generator().manual_seed(0))
    wanted = float(np.quantile(task.log_ratio(x, y).abs().numpy(), 0.999))
    assert sample_size.bound(2, 1.0) == pytest.approx(wanted, rel=0.03)


def test_a_gradients_batch_and_rate_are_read_from_its_method() -> None:
    assert settings("mine/gradient(batch=16, rate=0.001)", "{}") == (16, 0.001)
    assert settings("mine/gradient(batch=4096, rate=1)", "{}") == (4096, 1.0)
    assert settings("mine", '{"train": {"batch_size": 64, "ema_rate": 0.1}}') == (64, 0.1)
