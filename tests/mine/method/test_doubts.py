"""A second look at the value of a method that trains nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mine
from mine.data.ranks import normal_scores
from mine.method.doubts import of_neighbours, of_regression
from mine.method.names import METHODS


def normal(n: int, rho: float, seed: int, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, other = rng.normal(size=(2, n, columns))
    return x, rho * x + math.sqrt(1 - rho**2) * other


def checkerboard(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    column = rng.integers(0, 4, n)
    row = 2 * rng.integers(0, 2, n) + column % 2
    return column + rng.uniform(size=n), row + rng.uniform(size=n)


def student(n: int, columns: int, dof: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Uncorrelated columns that share one scale."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(n, 2 * columns)) / np.sqrt(rng.chisquare(dof, n) / dof)[:, None]
    return v[:, :columns], v[:, columns:]


def kinds(e: mine.Estimate) -> list[str]:
    return [text.partition(":")[0] for text in e.warnings]


@pytest.mark.parametrize("method", ["gaussian", "gaussian_copula"])
def test_a_normal_law_is_denied_by_what_neighbours_see(method: str) -> None:
    e = mine.estimate(*checkerboard(2000, 0), method)  # the truth is ln 2
    assert e.nats < 0.1 and "no normal law" in kinds(e) and e.verdict == "unreliable"
    low, high = e.interval()
    assert low < math.log(2) < high


def test_a_common_scale_of_many_columns_shows_in_squares() -> None:
    e = mine.estimate(*student(3000, 8, 3, 0), "gaussian_copula")
    assert abs(e.nats) < 0.05 and e.verdict == "unreliable"
    assert any("squares" in text for text in e.warnings)


def test_moments_that_rows_far_out_decide_are_denied_by_scores() -> None:
    x, y = student(2000, 4, 2, 1)
    e = mine.estimate(x, y, "gaussian")
    assert "no normal law" in kinds(e) and e.verdict == "unreliable"


@given(seed=st.integers(0, 10**6), rho=st.floats(-0.95, 0.95), columns=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_normal_rows_are_not_denied(seed: int, rho: float, columns: int) -> None:
    x, y = normal(1000, rho, seed, columns)
    for method in ("gaussian", "gaussian_copula"):
        assert "no normal law" not in kinds(mine.estimate(x, y, method))


def test_neighbours_that_are_too_far_widen_the_interval_of_ksg() -> None:
    x, _ = normal(2000, 0.0, 3, 3)
    noise = np.random.default_rng(4).normal(size=x.shape)
    y = x**3 + 0.2 * noise
    e = mine.estimate(x, y, "ksg")
    near, far = (mine.estimate(x, y, "ksg", k=k).nats for k in (3, 12))
    assert near - far > 0.1 and "far neighbours" in kinds(e) and e.verdict != "reliable"
    assert e.stderr > near - far


def test_what_a_network_has_not_learned_is_told_by_neighbours() -> None:
    """The truth is ln 2, and 20 steps see nothing of it."""
    x, y = checkerboard(2000, 8)
    e = mine.estimate(x, y, "mine", steps=20, hidden=(8,))
    assert e.nats < 0.1 and "neighbours see more" in kinds(e) and e.verdict == "unreliable"
    low, high = e.interval()
    assert low < math.log(2) < high


def test_near_neighbours_are_not_doubted() -> None:
    x, y = normal(2000, 0.8, 5)
    e = mine.estimate(x, y, "ksg")
    assert kinds(e) == [] and e.verdict == "reliable"


def test_few_rows_have_no_farther_neighbours() -> None:
    x, y = normal(20, 0.5, 6)
    assert of_neighbours(0.1, 0.1, x, y, 3) is None


def test_methods_that_train_nothing_on_numbers_are_looked_at() -> None:
    looked = {name for name, method in METHODS.items() if method.doubted}
    assert looked == {"gaussian", "gaussian_copula", "ksg", "mixed"}


def test_rows_that_hang_together_get_no_second_look() -> None:
    x, y = checkerboard(1000, 7)
    e = mine.estimate(x, y, "gaussian_copula", groups=np.arange(1000) // 5)
    assert "no normal law" not in kinds(e)


def test_what_a_network_has_not_learned_of_many_columns_is_told_by_a_regression() -> None:
    """y is a sum of ten columns and noise: no pair tells much, and 20 steps see little."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(1500, 10))
    y = x.sum(1) + 1.5 * rng.normal(size=1500)
    e = mine.estimate(x, y, "mine", steps=20, hidden=(8,))
    assert "a regression tells more" in kinds(e) and e.verdict == "unreliable"
    low, high = e.interval()
    assert low < 0.5 * math.log1p(10 / 1.5**2) < high


@given(seed=st.integers(0, 10**6), rho=st.floats(0.0, 0.9), columns=st.integers(3, 6))
@settings(max_examples=20, deadline=None)
def test_a_regression_tells_no_more_than_there_is(seed: int, rho: float, columns: int) -> None:
    x, y = normal(800, rho, seed, columns)
    doubt = of_regression(-0.5 * math.log1p(-(rho**2)), 0.0, normal_scores(x), normal_scores(y))
    assert doubt is None  # of one column there is no more than this
