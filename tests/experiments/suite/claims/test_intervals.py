"""Intervals: both kinds agree with scipy's, and what infinite errors do to them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from experiments.suite.claims.intervals import bootstrap_interval, mean_interval, share_interval


def test_the_bootstrap_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(size=20)
    ours = bootstrap_interval([values], lambda drawn: drawn[0].mean(-1), resamples=20000)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", rng=2
    ).confidence_interval
    width = theirs.high - theirs.low
    assert np.allclose(ours, (theirs.low, theirs.high), atol=0.02 * width)


def test_groups_are_resampled_on_their_own() -> None:
    low, high = bootstrap_interval(
        [np.array([1.0, 1.0]), np.array([5.0])],
        lambda drawn: drawn[1].mean(-1) - drawn[0].mean(-1),
    )
    assert (low, high) == (4.0, 4.0)


def test_an_infinite_error_reaches_the_interval_and_an_undefined_one_widens_it() -> None:
    assert mean_interval(np.array([0.0, 0.0, math.inf])) == (0.0, math.inf)
    assert mean_interval(np.array([math.inf] * 3)) == (math.inf, math.inf)
    assert mean_interval(np.array([-math.inf, math.inf])) == (-math.inf, math.inf)


@pytest.mark.parametrize(("hits", "n"), [(0, 60), (3, 60), (57, 60), (60, 60), (1, 1)])
def test_the_interval_of_a_share_is_scipys(hits: int, n: int) -> None:
    low, high = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert share_interval(hits, n) == pytest.approx((low, high), abs=1e-6)
