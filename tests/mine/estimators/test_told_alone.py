"""What one column tells by itself is a lower bound, and sees what goes up and down."""

import math

import numpy as np
import pytest

import mine
from mine.data.columns import Layout
from mine.estimators.told_alone import MOST_ALONE, NOTHING, told_alone


def told(x, y, looks=True):
    a, b = (np.asarray(v, dtype=np.float64).reshape(len(v), -1) for v in (x, y))
    layouts = Layout.numbers(a.shape[1]), Layout.numbers(b.shape[1])
    return told_alone(a, b, layouts, len(a), looks)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 0.99])
@pytest.mark.parametrize("n", [50, 300, 2000])
def test_it_is_at_most_the_truth_of_normal_pairs(rho, n):
    truth = -0.5 * math.log1p(-(rho**2))
    for seed in range(100, 110):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n)
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n)
        assert told(x, y).nats <= truth


@pytest.mark.parametrize("columns", [1, 4, 20])
def test_independent_columns_tell_nothing(columns):
    for seed in range(100, 110):
        rng = np.random.default_rng(seed)
        assert told(rng.normal(size=(300, columns)), rng.standard_t(3, (300, columns))).nats == 0.0


def wave(seed=100, n=2000, period=30, noise=0.2):
    """A running number in any order of the rows, and what has a period in it."""
    rng = np.random.default_rng(seed)
    x = rng.permutation(n).astype(float)
    return x, np.sin(2 * np.pi * x / period) + noise * rng.normal(size=n)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_wave_in_a_running_number_is_seen_from_either_side(swapped):
    x, y = wave()
    found = told(y, x) if swapped else told(x, y)
    assert 0.6 < found.nats < 1.16  # the truth, up to the ends: 1.16
    assert "phase" in found.remedy
    assert told(x, y, looks=False).nats < 0.01


def test_it_is_seen_in_one_column_of_several_and_named():
    x, y = wave()
    others = np.random.default_rng(101).normal(size=(2000, 2))
    assert told(np.column_stack([others, x]), y).columns == "column '2' of x and '0' of y"


def test_an_estimate_that_missed_it_says_so():
    """Was 0 and reliable."""
    x, y = wave()
    e = mine.estimate(x, y, "gaussian_copula")
    assert e.verdict == "unreliable" and e.interval(0.95)[1] > 1.0
    assert any(w.startswith("one pair tells more") for w in e.warnings)


def test_more_columns_than_are_looked_at_are_left_alone():
    rng = np.random.default_rng(100)
    x = rng.uniform(size=(500, MOST_ALONE + 1))
    label = (x[:, 0] > 0.5).astype(float)
    assert told(x, label).columns == NOTHING.columns or "label" not in told(x, label).columns
