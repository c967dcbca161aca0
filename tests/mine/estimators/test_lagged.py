"""Two series at several lags."""

import numpy as np
import pytest

import mine
from mine.estimators.pairwise import SMALL

TINY = {"hidden": (16,), "steps": 100, "batch_size": 64}


def delayed(n=1500, by=3):
    """y is x some rows before, with noise: their correlation at that lag is .8."""
    x = np.random.default_rng(0).normal(size=n)
    return x, 0.8 * np.roll(x, by) + 0.6 * np.random.default_rng(1).normal(size=n)


def test_the_lag_is_found_and_its_information_too():
    x, y = delayed()
    found = mine.lagged(x, y, range(-1, 5), "gaussian", null=19)
    truth = -0.5 * np.log(1 - 0.64)
    assert found.lags == (-1, 0, 1, 2, 3, 4) and int(found.nats.argmax()) == 4
    assert abs(found.nats[4] - truth) < 0.06 and (np.delete(found.nats, 4) < 0.02).all()
    assert found.estimates[4].p_value == 0.05 and found.stderr.shape == (6,)


def test_each_lag_is_what_estimate_gives_for_its_rows():
    x, y = delayed(600)
    found = mine.lagged(x, y, (0, 3, -2), blocks=2, **TINY)
    rows = np.arange(2, 597)
    options = {**SMALL, **TINY, "blocks": 2}
    for lag, e in zip(found.lags, found.estimates, strict=True):
        alone = mine.estimate(x[rows], y[rows + lag], "mine", **options)
        assert e.nats == pytest.approx(alone.nats, abs=1e-5)
        assert e.stderr == pytest.approx(alone.stderr, rel=1e-3)


def test_one_block_length_is_for_all_lags():
    rng = np.random.default_rng(0)
    x, y = (np.convolve(rng.normal(size=800), np.ones(8), "valid") for _ in range(2))
    assert len(mine.lagged(x, y, range(-2, 3), **TINY).nats) == 5


@pytest.mark.parametrize(
    ("lags", "message"),
    [
        ((), "lags must be different whole numbers, got"),
        ((1, 1), "lags must be different whole numbers"),
        ((0.5,), "lags must be different whole numbers"),
        (3, r"lags must be different whole numbers, got 3: such as range"),
        (range(10**12), "expected at most 10,000 lags, got more"),
        ((0, 590), "expected at least 20 rows that have one at every lag, got 10 of 600"),
    ],
)
def test_lags_that_cannot_be_right_are_refused(lags, message):
    with pytest.raises(ValueError, match=message):
        mine.lagged(*delayed(600), lags)


def test_series_that_drift_have_no_answer():
    walks = np.random.default_rng(0).normal(size=(2, 600)).cumsum(1)
    with pytest.raises(ValueError, match="no answer"):
        mine.lagged(*walks, (0, 1))
