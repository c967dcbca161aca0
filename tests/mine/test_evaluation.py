"""Estimates: units, intervals, doubts; and errors that are the spread of repeated tests."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.evaluation import Estimate, HeldOutValues, doubts, held_out_values
from mine.tasks import CorrelatedGaussian


def an_estimate(**changes):
    base = {
        "nats": 1.0, "stderr": 0.02, "train_nats": 1.02, "method": "mine",
        "n_train": 6000, "n_test": 2000, "steps": 500,
    }  # fmt: skip
    return Estimate(**{**base, **changes})


class Optimal:
    """A critic that is the log-ratio plus a constant, for one cell."""

    k = 1

    def __init__(self, task, constant=0.0):
        self.task, self.constant = task, constant

    def values(self, x, y, pairing):
        partners = pairing.take(y, x.shape[1])[0]
        joint = self.task.log_ratio(x[0], y[0])
        marginal = torch.cat([self.task.log_ratio(x[0], p) for p in partners])
        return joint[None] + self.constant, marginal[None] + self.constant


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


@pytest.mark.parametrize("value", ["donsker_varadhan", "f_divergence"])
@pytest.mark.parametrize("m", [1, 5])
def test_the_standard_error_is_the_spread_over_test_sets(value, m):
    task = CorrelatedGaussian(1, 0.6)
    critic = Optimal(task, 1.0)
    found = []
    for seed in range(300):
        x, y = task.sample(400, torch.Generator().manual_seed(seed))
        found.append(getattr(held_out_values(critic, x[None], y[None], m), value)())
    values, errors = (torch.cat(v) for v in zip(*found, strict=True))
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.2)
    assert abs(values.mean() - task.mi) < 4 * values.std() / 300**0.5 + 0.005


def test_test_values_are_filed_under_x_and_under_y():
    """T = 10000 x + y of whole numbers tells which row met which."""

    class Digits:
        k = 1

        def values(self, x, y, pairing):
            partners = pairing.take(y, x.shape[1])
            t = 10000 * x.unsqueeze(1) + partners
            return (10000 * x + y[:, : x.shape[1]])[..., 0], t[..., 0].flatten(1)

    rows = torch.arange(1200.0, dtype=torch.float64).view(1, -1, 1)
    found = held_out_values(Digits(), rows, rows, 3)
    assert torch.equal(found.joint[0], 10001 * rows.flatten())
    x_of, y_of = found.marginal[0] // 10000, found.marginal_of_y[0] % 10000
    assert torch.equal(x_of, rows.flatten().expand(3, -1))
    assert torch.equal(y_of, rows.flatten().expand(3, -1))
    assert not (found.marginal[0] % 10000 == rows.flatten()).any()


def test_few_rows_have_as_many_partners_as_there_are():
    task = CorrelatedGaussian(1, 0.6)
    x, y = task.sample(4, torch.Generator().manual_seed(0))
    assert held_out_values(Optimal(task), x[None], y[None], 10).marginal.shape == (1, 3, 4)


def test_a_constant_critic_gives_zero_with_no_error():
    flat = HeldOutValues(torch.ones(1, 50), torch.ones(1, 2, 50), torch.ones(1, 2, 50))
    value, error = flat.donsker_varadhan()
    assert (value.item(), error.item()) == pytest.approx((0.0, 0.0), abs=1e-6)


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
    found = doubts(an_estimate(**changes), budget=500)
    if warning is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert found[0].startswith(warning)


def test_a_cell_that_validation_stopped_is_not_called_unconverged():
    assert doubts(an_estimate(curve=flat_curve(0.2)), budget=501) == ()
