"""Critic values on held-out rows, and errors that are the spread of repeated tests."""

from functools import partial

import pytest
import torch

from mine.data.pairs import partners
from mine.method.baseline import held_out_tuba
from mine.method.conditional_density import held_out_difference
from mine.method.contrastive import held_out_infonce, held_out_interpolated
from mine.method.donsker_varadhan import held_out_donsker_varadhan
from mine.method.f_dime import held_out_mean_log_ratio
from mine.method.f_divergence import held_out_f_divergence
from mine.method.held_out import HeldOutValues, held_out_values
from mine.method.jensen_shannon import held_out_smile
from mine.tasks import CorrelatedGaussian


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
    "dv": (held_out_donsker_varadhan, Optimal(TASK, 1.0), TASK.mi),
    "f_divergence": (held_out_f_divergence, Optimal(TASK, 1.0), TASK.mi),
    "tuba": (held_out_tuba, Optimal(TASK, 1.0), TASK.mi),
    "smile": (partial(held_out_smile, tau=1.0), Optimal(TASK), None),
    "mean_log_ratio": (partial(held_out_mean_log_ratio, offset=1.0), Optimal(TASK, 1.0), TASK.mi),
    "infonce": (held_out_infonce, Optimal(TASK, 1.0), None),
    "interpolated": (partial(held_out_interpolated, alpha=0.01), Optimal(TASK, 1.0), None),
    "interpolated half": (partial(held_out_interpolated, alpha=0.5), Optimal(TASK, 1.0), None),
    "interpolated full": (partial(held_out_interpolated, alpha=1.0), Optimal(TASK, 1.0), None),
    "club": (held_out_difference, Lopsided(TASK, NORMAL.log_prob), CLUB),
    "dv, lopsided": (held_out_donsker_varadhan, Lopsided(TASK, torch.tanh), None),
    "smile, lopsided": (partial(held_out_smile, tau=1.0), Lopsided(TASK, torch.tanh), None),
    "infonce, lopsided": (held_out_infonce, LOPSIDED, None),
    "interpolated, lopsided": (partial(held_out_interpolated, alpha=0.01), LOPSIDED, None),
    "interpolated half, lopsided": (partial(held_out_interpolated, alpha=0.5), LOPSIDED, None),
    "interpolated full, lopsided": (partial(held_out_interpolated, alpha=1.0), LOPSIDED, None),
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
    value, error = held_out_donsker_varadhan(flat)
    assert (value.item(), error.item()) == pytest.approx((0.0, 0.0), abs=1e-6)
