"""Neighbours within levels: known truths, scikit-learn's numbers, and what is warned of."""

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif

from mine.method.mixed import mixed
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
    assert mixed(x, y).nats == pytest.approx(plugin(x, y).nats, abs=0.005)


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
