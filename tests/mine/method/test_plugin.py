"""The plug-in: tables whose information is a sum, intervals that cover it, and what is refused."""

import math

import numpy as np
import pytest
from scipy.special import xlogy

from mine.data.levels import codes_of
from mine.method.entropy import MILLER_MADOW, PLUG_IN, entropy
from mine.method.plugin import plugin


def law(levels, kept):
    """(k, k): y is x with this probability, else any level."""
    equal = np.ones((levels, levels)) / levels**2
    return kept * np.eye(levels) / levels + (1 - kept) * equal


def information(p):
    """sum_ij p_ij log p_ij / (p_i p_j)."""
    return float(xlogy(p, p / np.outer(p.sum(1), p.sum(0))).sum())


def draw(p, n, rng):
    cell = rng.choice(p.size, n, p=p.ravel())
    return np.divmod(cell, p.shape[1])


def uneven(levels, power=1.0, kept=0.0):
    """Level i has weight 1 / i^power; y is x with this probability, else independent."""
    weights = 1 / np.arange(1, levels + 1) ** power
    weights /= weights.sum()
    return kept * np.diag(weights) + (1 - kept) * np.outer(weights, weights)


@pytest.mark.parametrize("correction", [PLUG_IN, MILLER_MADOW])
def test_it_is_the_entropies_of_the_sides_less_that_of_the_pair(correction):
    rng = np.random.default_rng(0)
    x, y = draw(law(5, 0.5), 300, rng)
    h = [entropy(np.bincount(v), correction) for v in (x, y, codes_of(np.stack([x, y], 1)))]
    assert plugin(x, y, correction).nats == pytest.approx(h[0] + h[1] - h[2])


def test_renamed_levels_tell_all_of_a_label():
    codes = np.random.default_rng(0).integers(0, 30, 600)
    found = plugin(codes, 7 * codes % 30)
    assert found.nats == pytest.approx(entropy(np.bincount(codes)))
    assert found.nats == plugin(7 * codes % 30, codes).nats


def test_it_is_symmetric_and_knows_no_order_of_rows_and_no_names():
    rng = np.random.default_rng(0)
    x, y = draw(uneven(30, 1.5, 0.3), 1000, rng)
    of = rng.permutation(1000)
    expected = plugin(x, y)
    for found in (plugin(y, x), plugin(x[of], y[of]), plugin(29 - x, (7 * y) % 30)):
        assert found.nats == pytest.approx(expected.nats)
        assert found.stderr == pytest.approx(expected.stderr)


@pytest.mark.parametrize("kept", [0.0, 0.4, 1.0])
def test_the_mean_over_skewed_tables_is_the_truth(kept):
    """Chao's, Wang's and Jost's correction alone leaves .07 of what chance gives."""
    p, rng = uneven(80, 1.5, kept), np.random.default_rng(1)
    values = [plugin(*draw(p, 3000, rng)).nats for _ in range(40)]
    assert abs(np.mean(values) - information(p)) < 0.02


def test_several_columns_are_one_variable():
    """The sum of two fair bits modulo 2 tells nothing of either and ln 2 of both."""
    a, b = np.random.default_rng(0).integers(0, 2, (2, 2000))
    both = plugin(np.stack([a, b], 1), a ^ b)
    assert both.levels == (4, 2)
    assert abs(both.nats - math.log(2)) < 2 * both.stderr + 1e-3
    assert abs(plugin(a, a ^ b).nats) < 0.003


TABLES = [(law(3, 0.5), 150), (law(5, 0.1), 150), (law(10, 0.5), 400), (law(20, 0.5), 150),
          (law(20, 0.5), 1000), (law(40, 0.5), 600), (uneven(20), 400),
          (uneven(60, 1.5), 2000), (uneven(60, 1.5, 0.5), 2000)]  # fmt: skip


@pytest.mark.parametrize(("p", "n"), TABLES)
def test_intervals_cover_the_sum_over_the_table(p, n):
    """At 95 %, over 400 draws; less than 92 % would be seen once in 200 times."""
    rng = np.random.default_rng(100)
    found = [plugin(*draw(p, n, rng)) for _ in range(400)]
    covered = [abs(e.nats - information(p)) < 1.96 * e.stderr for e in found]
    assert np.mean(covered) >= 0.92


@pytest.mark.parametrize(
    "p", [law(3, 0.0), law(10, 0.0), law(20, 0.0), uneven(5), uneven(20), uneven(20, 1.5)]
)
@pytest.mark.parametrize("n", [150, 1000])
def test_nothing_is_seldom_taken_for_something(p, n):
    """At truth 0 at most 7 of 100 values lie above 0 by a one-sided test of 5 %."""
    rng = np.random.default_rng(101)
    found = [plugin(*draw(p, n, rng)) for _ in range(100)]
    assert sum(e.nats > 1.645 * e.stderr for e in found) <= 7


def test_rows_that_are_alone_in_their_cell_are_said():
    rng = np.random.default_rng(0)
    (warning,) = plugin(*draw(law(40, 0.0), 600, rng)).warnings
    assert warning.startswith("few rows a cell: ") and "of 600 rows" in warning
    assert plugin(*draw(law(5, 0.5), 600, rng)).warnings == ()


def test_much_that_chance_gives_is_said():
    """Few rows are alone in their cell, and still chance gives more than half of what matters."""
    rng = np.random.default_rng(0)
    (warning,) = plugin(*draw(uneven(150, 1.2), 5000, rng)).warnings
    assert "1086 of 5000 rows are alone" in warning
    assert "nats that chance gives were taken off" in warning


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.arange(100.0),
            np.arange(100) % 2,
            "got 100 values in 100 rows of column 0 of x",
        ),
        (np.arange(100) % 2, np.full((100, 1), np.nan), "y must be finite numbers"),
        (np.arange(100) % 2, np.arange(90) % 2, "got 100 and 90 rows"),
    ],
)
def test_what_is_no_table_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        plugin(x, y)
