"""Rows that copy x into y are seen, and equal values that chance makes are not taken for them."""

import numpy as np
import pytest

from mine.data.columns import Layout
from mine.data.copies import copies


def found(x, y):
    a, b = (np.asarray(v, dtype=np.float64).reshape(len(v), -1) for v in (x, y))
    return copies(a, b, (Layout.numbers(a.shape[1]), Layout.numbers(b.shape[1])))


def partly_copied(share, noise=0.0, n=2000, seed=100):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n))
    copied = rng.random(n) < share
    return x, np.where(copied, x + noise * rng.normal(size=n), y), int(copied.sum())


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_a_share_of_copied_rows_is_seen_and_counted(share, noise):
    x, y, count = partly_copied(share, noise)
    assert f"are equal in {count} of 2000 rows" in found(x, y)


def test_it_is_seen_in_one_column_of_several():
    x, y, _ = partly_copied(0.05)
    others = np.random.default_rng(101).normal(size=(2, 2000))
    assert "column '1' of x and '0' of y" in found(np.stack([others[0], x], 1), y)


@pytest.mark.parametrize("seed", range(100, 110))
def test_chance_and_shared_zeros_and_rounding_are_no_copies(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=2000)
    close = 0.999 * x + 0.04 * rng.normal(size=2000)
    empty = rng.random(2000) < 0.3
    assert not found(x, rng.normal(size=2000))
    assert not found(x, close)
    assert not found(x.round(3), close.round(3))
    assert not found(np.where(empty, 0.0, x), np.where(empty, 0.0, rng.normal(size=2000)))
    assert not found(rng.integers(0, 5, 2000), rng.integers(0, 5, 2000))
