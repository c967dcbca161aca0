"""Estimates: units, intervals, doubts; and errors that are the spread of repeated tests."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.data.pairs import partners
from mine.method.held_out import HeldOutValues, held_out_values
from mine.running.estimates import Estimate
from mine.running.warnings import warnings_of
from mine.tasks import CorrelatedGaussian


def an_estimate(**changes):
    base = {
        "nats": 1.0, "stderr": 0.02, "train_nats": 1.02, "method": "mine",
        "n_train": 6000, "n_test": 2000, "steps": 500,
    }  # fmt: skip
    return Estimate(**{**base, **changes})


class Optimal:
    """A critic that is the log-ratio plus a constant, in every cell."""

    def __init__(self, task, constant=0.0):
        self.task, self.constant = task, constant

    def values(self, x, y, pairing, keep=True):
        met = partners(pairing, y, x.shape[1])
        beside = x.unsqueeze(1).expand_as(met)
        ratios = (
            self.task.log_ratio(x.flatten(0, 1), y.flatten(0, 1)),
            self.task.log_ratio(beside.flatten(0, 2), met.flatten(0, 2)),
        )
        return tuple(r.view(len(x), -1) + self.constant for r in ratios)


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


class Lopsided(Optimal):
    """The log-ratio plus a function of y, which each y takes with it to all that it meets."""

    def __init__(self, task, of_y):
        super().__init__(task)
        self.of_y = of_y

    def values(self, x, y, pairing, keep=True):
        met = partners(pairing, y, x.shape[1])
        ratios = super().values(x, y, pairing)
        return tuple(r + self.of_y(v).flatten(1) for r, v in zip(ratios, (y, met), strict=True))


TASK = CorrelatedGaussian(1, 0.6)
NORMAL = torch.distributions.Normal(0.0, 1.0)  # y's; with the log-ratio it makes log p(y | x)
LOPSIDED = Lopsided(TASK, lambda y: 1 - 3 * torch.tanh(y))
CLUB = 0.6**2 / (1 - 0.6**2)  # what it gives at p(y | x): I + KL(p(x) p(y) || p(x, y))
TESTS = {
    "dv": (HeldOutValues.donsker_varadhan, Optimal(TASK, 1.0), TASK.mi),
    "f_divergence": (HeldOutValues.f_divergence, Optimal(TASK, 1.0), TASK.mi),
    "tuba": (HeldOutValues.tuba, Optimal(TASK, 1.0), TASK.mi),
    "smile": (lambda v: v.smile(1.0), Optimal(TASK), None),
    "mean_log_ratio": (lambda v: v.mean_log_ratio(1.0), Optimal(TASK, 1.0), TASK.mi),
    "infonce": (HeldOutValues.infonce, Optimal(TASK, 1.0), None),
    "interpolated": (lambda v: v.interpolated(0.01), Optimal(TASK, 1.0), None),
    "interpolated half": (lambda v: v.interpolated(0.5), Optimal(TASK, 1.0), None),
    "interpolated full": (lambda v: v.interpolated(1.0), Optimal(TASK, 1.0), None),
    "club": (HeldOutValues.difference, Lopsided(TASK, NORMAL.log_prob), CLUB),
    "dv, lopsided": (HeldOutValues.donsker_varadhan, Lopsided(TASK, torch.tanh), None),
    "smile, lopsided": (lambda v: v.smile(1.0), Lopsided(TASK, torch.tanh), None),
    "infonce, lopsided": (HeldOutValues.infonce, LOPSIDED, None),
    "interpolated, lopsided": (lambda v: v.interpolated(0.01), LOPSIDED, None),
    "interpolated half, lopsided": (lambda v: v.interpolated(0.5), LOPSIDED, None),
    "interpolated full, lopsided": (lambda v: v.interpolated(1.0), LOPSIDED, None),
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("m", [1, 5])
def test_the_standard_error_is_the_spread_over_test_sets(name, m):
    test, critic, truth = TESTS[name]
    x, y = (v.view(300, 400, 1) for v in TASK.sample(120_000, torch.Generator().manual_seed(0)))
    values, errors = test(held_out_values(critic, x, y, m))
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.2, abs=1e-6)
    if truth is not None:
        assert abs(values.mean() - truth) < 4 * values.std() / 300**0.5 + 0.005


def test_test_values_are_filed_under_x_and_under_y():
    """T = 10000 x + y of whole numbers tells which row met which."""

    class Digits:
        k = 1

        def values(self, x, y, pairing, keep=True):
            met = partners(pairing, y, x.shape[1])
            t = 10000 * x.unsqueeze(1) + met
            return (10000 * x + y[:, : x.shape[1]])[..., 0], t[..., 0].flatten(1)

    rows = torch.arange(1200.0, dtype=torch.float64).view(1, -1, 1)
    found = held_out_values(Digits(), rows, rows, 3)
    assert torch.equal(found.joint[0], 10001 * rows.flatten())
    x_of = found.marginal[0] // 10000
    y_of = found.marginal[0].gather(1, found.met) % 10000
    assert torch.equal(x_of, rows.flatten().expand(3, -1))
    assert torch.equal(y_of, rows.flatten().expand(3, -1))
    assert not (found.marginal[0] % 10000 == rows.flatten()).any()


def test_few_rows_have_as_many_partners_as_there_are():
    task = CorrelatedGaussian(1, 0.6)
    x, y = task.sample(4, torch.Generator().manual_seed(0))
    assert held_out_values(Optimal(task), x[None], y[None], 10).marginal.shape == (1, 3, 4)


def test_a_constant_critic_gives_zero_with_no_error():
    flat = HeldOutValues(torch.ones(1, 50), torch.ones(1, 2, 50), torch.arange(50).expand(2, -1))
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
