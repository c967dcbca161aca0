"""Eq. 12: G = E_B[grad T] - E_B[grad T e^T] / EMA, checked by autograd in float64."""

import math

import pytest
import torch

from mine.method.donsker_varadhan import DV, MINE, donsker_varadhan
from mine.method.f_divergence import MINE_F
from mine.method.surrogate import normalised_surrogate


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


def test_the_log_normaliser_is_a_constant_of_the_differentiation():
    c = torch.zeros(2, requires_grad=True)
    t = torch.randn(2, 5, requires_grad=True)
    normalised_surrogate(t, t, c).sum().backward()
    assert c.grad is None
