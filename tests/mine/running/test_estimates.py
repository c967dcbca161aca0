"""Estimates: units, intervals, doubts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.running.estimates import Estimate
from mine.running.warnings import warnings_of


def an_estimate(**changes):
    base = {
        "nats": 1.0, "stderr": 0.02, "train_nats": 1.02, "method": "mine",
        "n_train": 6000, "n_test": 2000, "steps": 500,
    }  # fmt: skip
    return Estimate(**{**base, **changes})


def test_bits_are_nats_over_ln_2():
    assert an_estimate(nats=math.log(2)).bits == pytest.approx(1.0)


@given(st.floats(0.01, 0.99), st.floats(-5, 50), st.floats(0, 3))
def test_an_interval_holds_the_value_and_grows_with_its_level(level, nats, stderr):
    e = an_estimate(nats=nats, stderr=stderr)
    low, high = e.interval(level)
    wider = e.interval(0.5 + level / 2)
    assert wider[0] <= low <= nats <= high <= wider[1]


def test_the_95_percent_interval_is_two_errors_wide_each_side():
    low, high = an_estimate(nats=0.0, stderr=1.0).interval()
    assert (low, high) == pytest.approx((-1.96, 1.96), abs=1e-3)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        an_estimate().interval(level)


def flat_curve(rise=0.0):
    return tuple((s, 1.0 + (rise if s > 900 else 0.0)) for s in range(10, 1001, 10))


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({}, None),
        ({"curve": flat_curve()}, None),
        ({"nats": 7.0, "train_nats": 7.0}, "near log n"),
        ({"train_nats": 1.4}, "gap"),
        ({"curve": flat_curve(0.2)}, "not converged"),
        ({"diverged_at": 12}, "diverged: the training turned non-finite at step 12"),
        ({"nats": math.inf}, "diverged"),
        ({"train_nats": math.nan}, None),
    ],
)
def test_doubts_are_said_when_there_is_reason(changes, warning):
    found = warnings_of(an_estimate(**changes), budget=500)
    if warning is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert found[0].startswith(warning)


def test_a_value_near_its_methods_ceiling_is_doubted():
    (found,) = warnings_of(an_estimate(), budget=501, ceiling=math.log(3))
    assert found.startswith("ceiling: the method cannot give more than 1.10 nats")
    assert warnings_of(an_estimate(), budget=501, ceiling=math.log(11)) == ()


def test_a_cell_that_validation_stopped_is_not_called_unconverged():
    assert warnings_of(an_estimate(curve=flat_curve(0.2)), budget=501) == ()
