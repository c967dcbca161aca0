"""Neighbours within levels: known truths, scikit-learn's numbers, and what is warned of."""

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif

from mine.method.mixed import mixed, shortfall
from mine.method.plugin import plugin
from mine.tasks import ClassLabel, StepUniform, ZeroInflatedPoisson

CASES = [
    (StepUniform(5), 1000),
    (StepUniform(5), 300),
    (ClassLabel((-2.0, 0.0, 1.5), 0.7, (0.5, 0.3, 0.2)), 300),
    (ClassLabel((0.0, 0.0), 1.0, (0.9, 0.1)), 300),
    (ZeroInflatedPoisson(0.5), 1000),
]


def draws(task, n, count=100):
    g = torch.Generator().manual_seed(100)
    return [mixed(*task.sample(n, g)) for _ in range(count)]


@pytest.mark.parametrize(("task", "n"), CASES)
def test_intervals_cover_the_truth(task, n):
    """At 95 %, over 100 draws; 89 or fewer would be seen once in 100 times."""
    covered = [abs(e.nats - task.mi) < 1.96 * e.stderr for e in draws(task, n)]
    assert sum(covered) >= 90


def test_nothing_is_seldom_taken_for_something():
    found = draws(ClassLabel((0.0, 0.0, 0.0), 1.0), 200)
    assert sum(e.nats > 1.645 * e.stderr for e in found) <= 7


def test_it_is_scikit_learns_for_one_column():
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    y = np.digitize(x + rng.normal(size=500), [-1.0, 0.5])
    theirs = mutual_info_classif(x[:, None], y, n_neighbors=3, random_state=0)
    assert mixed(x, y).nats == mixed(y, x).nats == pytest.approx(theirs[0], abs=1e-5)


def test_rare_labels_that_the_numbers_decide_are_found():
    """50 positives of 5,000: the entropy of a label of 1 %."""
    x = np.random.default_rng(0).normal(size=5000)
    e = mixed(x, x > np.sort(x)[-51])
    assert abs(e.nats - 0.0560) < 0.002 < e.stderr


def test_units_of_the_columns_change_nothing():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = y[:, None] + rng.normal(size=(400, 2))
    assert mixed(x * [1e-9, 1e6] + [3, -1e8], y).nats == pytest.approx(mixed(x, y).nats, abs=1e-6)


def test_repeated_numbers_are_counts_of_the_table():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 3000)
    y = np.where(rng.random(3000) < 0.5, x % 3, rng.integers(0, 3, 3000))
    found = mixed(x, y)
    assert abs(found.nats - plugin(x, y).nats) < found.stderr


@pytest.mark.parametrize("digits", [1, 2])
@pytest.mark.parametrize("n", [180, 2000, 5000])
def test_rounding_loses_nothing(n, digits):
    """Many distances are equal. The mean of 10 draws."""
    rng = np.random.default_rng(100)
    lost, error = [], []
    for _ in range(10):
        y = rng.integers(0, 3, n)
        x = y + rng.normal(size=n)
        exact = mixed(x, y)
        lost.append(exact.nats - mixed(x.round(digits), y).nats)
        error.append(exact.stderr)
    assert abs(np.mean(lost)) < 0.5 * np.mean(error)


def test_rare_levels_and_many_columns_are_said():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 6)), np.append(np.arange(197) % 2, [2, 2, 3])
    rare, many = mixed(x, y).warnings
    assert rare.startswith("rare levels: 2 of 4 levels have fewer than 20 rows; 1 of one row were")
    assert many.startswith("many columns: neighbours are far in 6 columns")


def test_two_sides_of_numbers_are_refused():
    x, y = np.random.default_rng(0).normal(size=(2, 100))
    with pytest.raises(ValueError, match="mixed needs labels or counts on one side, 5 rows a"):
        mixed(x, y)


def largest_of(d, n, rng):
    """The place of the largest of d numbers: ln d nats, with an edge where two are equal."""
    x = rng.normal(size=(n, d))
    return x, x.argmax(1), np.log(d)


def one_of(d, n, rng):
    """The sign of one column beside noise: ln 2."""
    x = rng.normal(size=(n, d))
    return x, x[:, 0] > 0, np.log(2)


@pytest.mark.parametrize("law", [largest_of, one_of])
@pytest.mark.parametrize("d", [3, 5])
def test_the_shortfall_at_a_sharp_edge_is_about_the_error(law, d):
    found = []
    for seed in range(5):
        x, y, truth = law(d, 1000, np.random.default_rng(seed))
        found.append((truth - mixed(x, y).nats, shortfall(x, y)))
    error, short = np.mean(found, 0)
    assert error > 0.02 and 0.5 * error < short < 2.5 * error


@pytest.mark.parametrize("d", [2, 5])
def test_where_levels_have_no_edges_nothing_falls_short(d):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 3, 1000)
        x = rng.normal(size=(1000, d)) + np.eye(d)[0] * y[:, None]
        assert shortfall(x, y) < 0.05


def test_what_two_nearly_equal_columns_differ_by_is_not_lost():
    """I(difference; label) is .401 nats; the columns' common part is a thousand times larger."""
    rng = np.random.default_rng(0)
    common, a, b = rng.normal(size=(3, 2000))
    a, b = 1000 * common + a, 1000 * common + b
    y = rng.random(2000) < 1 / (1 + np.exp(-4 * (a - b) / 2**0.5))
    assert mixed(np.stack([a, b], 1), y).nats == pytest.approx(0.401, abs=0.05)
    twice = mixed(np.stack([a - b, a - b], 1), y).nats  # a column that repeats another is left out
    assert twice == pytest.approx(mixed(a - b, y).nats, abs=0.01)
