"""Relations without noise are seen, and strong relations with noise are not taken for them."""

import numpy as np
import pytest

from mine.data import noiseless as noiseless_module
from mine.data.columns import Layout
from mine.data.noiseless import LEAST_ROWS, noiseless


def found(x, y):
    a, b = (np.asarray(v, dtype=np.float64).reshape(len(v), -1) for v in (x, y))
    return noiseless(a, b, (Layout.numbers(a.shape[1]), Layout.numbers(b.shape[1])))


def draws(n, seed=100):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, n), rng.normal(size=n), rng


@pytest.mark.parametrize("n", [100, 300, 2000])
@pytest.mark.parametrize(
    "function", [lambda x: np.sin(5 * x), np.exp, np.square, np.abs, lambda x: 3 - 1e9 * x]
)
def test_a_function_of_x_is_seen_from_either_side(n, function):
    u, _, _ = draws(n)
    assert found(u, function(u)) and found(function(u), u)


def test_it_is_seen_in_32_bits_in_rounded_values_in_repeated_rows_and_beside_an_outlier():
    u, _, rng = draws(1000)
    assert found(u.astype(np.float32), np.sin(5 * u.astype(np.float32)))
    assert found(u.round(3), np.sin(5 * u.round(3)))
    again = rng.integers(0, 1000, 1000)
    assert found(u[again], np.sin(5 * u[again]))
    far = np.append(u[1:], 1e300)
    assert found(far, np.sin(5 * u[np.r_[1:1000, 0]]))


def test_it_is_seen_in_one_column_of_several_and_named():
    u, v, rng = draws(500)
    x, y = np.stack([v, u], 1), np.stack([rng.normal(size=500), np.sin(5 * u)], 1)
    assert found(x, y) == "column '1' of y is a function of column '1' of x"


def test_a_shared_combination_of_columns_is_seen():
    u, v, rng = draws(500)
    x, y = np.stack([u, v], 1), np.stack([u - 2 * v, rng.normal(size=500)], 1)
    assert found(x, y) == "x and y share a linear combination of columns"
    assert not found(x, y + 1e-3 * rng.normal(size=(500, 2)))


@pytest.mark.parametrize("n", [60, 300, 2000])
def test_noise_is_seen_however_strong_the_relation(n):
    """No false alarm in 50 draws each."""
    for seed in range(100, 150):
        u, v, rng = draws(n, seed)
        e = rng.normal(size=n)
        noisy = (
            (u, np.sin(5 * u) + 1e-3 * e), (v, 0.999 * v + 0.045 * e), (v, v + 1e-3 * e),
            (v, v + 1e-4 * e), (v, e), (np.arange(n), np.cumsum(e)), (v.round(1), v.round(1) + e),
        )  # fmt: skip
        assert not any(found(x, y) for x, y in noisy)


def test_repeated_rows_of_a_noisy_relation_are_no_sign():
    _, v, rng = draws(1000)
    y = 0.8 * v + 0.6 * rng.normal(size=1000)
    again = rng.integers(0, 1000, 1000)
    assert not found(v[again], y[again])


def test_an_outlier_that_both_columns_have_is_no_sign():
    _, v, rng = draws(500)
    assert not found(np.append(v, 1e9), np.append(rng.normal(size=500), 1e9))


def test_columns_of_few_values_have_a_finite_entropy():
    rng = np.random.default_rng(100)
    x = rng.integers(0, 100, 1000)
    assert not found(x, x)
    assert not found(np.arange(LEAST_ROWS - 1), np.arange(LEAST_ROWS - 1))


@pytest.mark.parametrize("n", [40, 60, 400])
def test_the_quick_look_at_two_columns_hides_nothing(n, monkeypatch):
    """It says no for most pairs, and never where the whole look says yes."""
    u, v, rng = draws(n)
    again = rng.integers(0, n, n)
    columns = {
        "u": u, "v": v, "close": u + 1e-3 * v, "wave": np.sin(5 * u), "rounded": u.round(2),
        "line": 3 - 1e9 * v, "square": u.round(2) ** 2, "drawn": u[again],
        "too": np.exp(u[again]), "huge": v * 1e250, "far": v + 1e12, "count": (3 * v).round(),
        "outlier": np.append(u[1:], 1e300),
    }  # fmt: skip
    pairs = [(a, b) for a in columns for b in columns]
    quick = [bool(found(columns[a], columns[b])) for a, b in pairs]
    skipped = [noiseless_module._is_plain(columns[a], columns[b]) for a, b in pairs]
    monkeypatch.setattr(noiseless_module, "_is_plain", lambda x, y: False)
    assert quick == [bool(found(columns[a], columns[b])) for a, b in pairs]
    assert sum(skipped) > 50 and any(quick) == (n >= LEAST_ROWS)


def test_columns_of_one_name_are_told_apart():
    u, v, _ = draws(300)
    layout = Layout(("0", "0"), ((), ()))
    y = np.stack([np.sin(5 * u), v], 1)
    assert noiseless(u[:, None], y, (Layout.numbers(1), layout))
    assert noiseless(y[:, ::-1].copy(), u[:, None], (layout, Layout.numbers(1)))
