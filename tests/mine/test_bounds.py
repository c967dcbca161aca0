"""Bounds at the optimal critic, and the gradient of Eq. 12."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.bounds import (
    DV,
    MINE,
    MINE_F,
    donsker_varadhan,
    ema_init,
    ema_update,
    f_divergence,
    log_mean_exp,
    normalised_surrogate,
)
from mine.tasks import CorrelatedGaussian, NoiseChannel

TASKS = [
    CorrelatedGaussian(1, 0.0),
    CorrelatedGaussian(1, 0.9),
    CorrelatedGaussian(5, -0.5),
    NoiseChannel("cube", 0.4, 2),
    NoiseChannel("sin", 0.7, 1),
]
values = st.lists(st.floats(-20, 20), min_size=2, max_size=30)


def optimal_values(task, n=200_000, seed=0):
    g = torch.Generator().manual_seed(seed)
    x, y = task.sample(n, g)
    _, fresh = task.sample(n, g)
    return task.log_ratio(x, y).double(), task.log_ratio(x, fresh).double()


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_dv_is_tight_at_the_log_ratio(task):
    t_joint, t_marginal = optimal_values(task)
    n = len(t_joint)
    error = math.sqrt(t_joint.var() / n + torch.exp(t_marginal).var() / n)
    assert abs(donsker_varadhan(t_joint, t_marginal) - task.mi) < 4 * error + 1e-9


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_the_f_form_is_tight_at_one_plus_the_log_ratio(task):
    t_joint, t_marginal = optimal_values(task)
    n = len(t_joint)
    error = math.sqrt(t_joint.var() / n + torch.exp(t_marginal).var() / n)
    assert abs(f_divergence(1 + t_joint, 1 + t_marginal) - task.mi) < 4 * error + 1e-9


@pytest.mark.parametrize("bound", [donsker_varadhan, f_divergence])
@pytest.mark.parametrize(
    "distort", [lambda t: 0.5 * t, lambda t: t + torch.sin(3 * t), torch.tanh]
)
def test_a_bound_is_below_the_truth_at_another_critic(bound, distort):
    task = CorrelatedGaussian(1, 0.9)
    t_joint, t_marginal = (distort(t) for t in optimal_values(task))
    assert bound(1 + t_joint, 1 + t_marginal) < task.mi - 0.02


@given(values, values)
def test_dv_is_never_below_the_f_form(joint, marginal):
    t_joint, t_marginal = torch.tensor(joint).double(), torch.tensor(marginal).double()
    assert donsker_varadhan(t_joint, t_marginal) >= f_divergence(t_joint, t_marginal) - 1e-6


@given(values, values, st.floats(-500, 500))
def test_dv_ignores_a_constant_shift(joint, marginal, shift):
    t_joint, t_marginal = torch.tensor(joint).double(), torch.tensor(marginal).double()
    moved = donsker_varadhan(t_joint + shift, t_marginal + shift)
    assert moved.item() == pytest.approx(donsker_varadhan(t_joint, t_marginal).item(), abs=1e-9)


def test_log_mean_exp_does_not_overflow():
    t = torch.tensor([100.0, 1000.0, -1000.0])
    assert log_mean_exp(t).item() == pytest.approx(1000 - math.log(3))


def test_bounds_give_one_value_a_stacked_critic():
    t_joint, t_marginal = torch.randn(3, 4, 10), torch.randn(3, 4, 20)
    for bound in (donsker_varadhan, f_divergence):
        stacked = bound(t_joint, t_marginal)
        single = bound(t_joint[1, 2], t_marginal[1, 2])
        assert stacked.shape == (3, 4)
        torch.testing.assert_close(stacked[1, 2], single)


# Eq. 12: G = E_B[grad T] - E_B[grad T e^T] / EMA, checked by autograd in float64.


def linear_critic(theta, features):
    """T(z) = theta . z: its gradient in theta is z, so Eq. 12 can be written down by hand."""
    return features @ theta


def eq_12(theta, joint, marginal, average):
    weights = torch.exp(linear_critic(theta, marginal)) / average
    return joint.mean(0) - (weights[:, None] * marginal).mean(0)


def surrogate_gradient(objective, theta, joint, marginal, state, rate):
    theta = theta.clone().requires_grad_()
    t_joint = linear_critic(theta, joint)[None]
    t_marginal = linear_critic(theta, marginal)[None]
    surrogate, state = objective.surrogate(t_joint, t_marginal, state, rate)
    (gradient,) = torch.autograd.grad(surrogate.sum(), theta)
    return gradient, state


def batches(steps=6, seed=3):
    g = torch.Generator().manual_seed(seed)
    theta = torch.randn(4, generator=g).double()
    return theta, [
        (torch.randn(8, 4, generator=g).double(), torch.randn(12, 4, generator=g).double())
        for _ in range(steps)
    ]


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_mines_gradient_is_eq_12_with_the_debiased_average(rate):
    theta, data = batches()
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    total, weight = 0.0, 0.0
    for joint, marginal in data:
        total = (1 - rate) * total + rate * torch.exp(linear_critic(theta, marginal)).mean()
        weight = (1 - rate) * weight + rate
        found, state = surrogate_gradient(
            MINE, theta, joint, marginal, state, torch.tensor([rate], dtype=torch.float64)
        )
        wanted = eq_12(theta, joint, marginal, total / weight)
        torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10)


def test_mines_first_gradient_is_the_plain_one():
    """An average that starts at 0 without debiasing would be 1 / rate times too large here."""
    theta, data = batches(1)
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    rate = torch.tensor([0.01]).double()
    mine, _ = surrogate_gradient(MINE, theta, *data[0], state, rate)
    plain, _ = surrogate_gradient(DV, theta, *data[0], (), rate)
    torch.testing.assert_close(mine, plain, rtol=1e-8, atol=1e-10)


def test_mines_gradient_is_the_plain_one_when_the_average_is_the_batch_mean():
    theta, data = batches(3)
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    rate = torch.ones(1).double()
    for joint, marginal in data:
        mine, state = surrogate_gradient(MINE, theta, joint, marginal, state, rate)
        plain, _ = surrogate_gradient(DV, theta, joint, marginal, (), rate)
        torch.testing.assert_close(mine, plain, rtol=1e-8, atol=1e-10)


def test_mines_gradient_differs_from_the_plain_one_later_on():
    theta, data = batches(3)
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    rate = torch.tensor([0.01]).double()
    for joint, marginal in data:
        mine, state = surrogate_gradient(MINE, theta, joint, marginal, state, rate)
    plain, _ = surrogate_gradient(DV, theta, joint, marginal, (), rate)
    assert (mine - plain).abs().max() > 1e-3


def test_the_plain_surrogates_gradient_is_the_dv_bounds():
    theta, data = batches(1)
    joint, marginal = data[0]
    found, _ = surrogate_gradient(DV, theta, joint, marginal, (), torch.ones(1).double())
    leaf = theta.clone().requires_grad_()
    dv = donsker_varadhan(linear_critic(leaf, joint), linear_critic(leaf, marginal))
    torch.testing.assert_close(found, torch.autograd.grad(dv, leaf)[0])


def test_mine_f_ascends_its_own_bound():
    theta, data = batches(1)
    joint, marginal = data[0]
    found, _ = surrogate_gradient(MINE_F, theta, joint, marginal, (), torch.ones(1).double())
    wanted = eq_12(theta, joint, marginal, math.e)
    torch.testing.assert_close(found, wanted)


def test_the_moving_average_keeps_no_graph():
    t_joint, t_marginal = torch.randn(2, 5), torch.randn(2, 5, requires_grad=True)
    state = MINE.init(2, torch.device("cpu"))
    for _ in range(3):
        _, state = MINE.surrogate(t_joint, t_marginal, state, torch.full((2,), 0.01))
    assert not any(s.requires_grad for s in state)


def test_the_log_normaliser_is_a_constant_of_the_differentiation():
    c = torch.zeros(2, requires_grad=True)
    t = torch.randn(2, 5, requires_grad=True)
    normalised_surrogate(t, t, c).sum().backward()
    assert c.grad is None


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=40), st.floats(1e-4, 1.0))
def test_the_moving_average_stays_between_what_it_has_seen(log_means, rate):
    state = ema_init((1,))
    state = tuple(s.double() for s in state)
    for log_mean in log_means:
        log_average, state = ema_update(
            state,
            torch.tensor([log_mean], dtype=torch.float64),
            torch.tensor([rate], dtype=torch.float64),
        )
    assert min(log_means) - 1e-6 <= log_average.item() <= max(log_means) + 1e-6


def test_cells_of_a_stack_have_averages_of_their_own():
    rates, means = torch.tensor([0.01, 0.5]), torch.tensor([[1.0, -3.0], [4.0, 2.0]])
    stacked = ema_init((2,))
    for mean in means:
        together, stacked = ema_update(stacked, mean, rates)
    for k in range(2):
        alone = ema_init((1,))
        for mean in means:
            single, alone = ema_update(alone, mean[k : k + 1], rates[k : k + 1])
        assert single.item() == together[k].item()
