"""Bias and scatter of minibatch gradients: against brute force and autograd."""

import pytest
import torch
from torch import nn

from experiments.probes.gradient import _factors, _population, gradient_errors
from mine.critics.mlp import MLP
from mine.critics.modules import stack_modules
from mine.method.bound import log_mean_exp
from mine.method.donsker_varadhan import DV, MINE
from mine.method.moving_average import ema_init, ema_update
from mine.method.surrogate import normalised
from mine.tasks import CorrelatedGaussian


def setting(n, k=1, hidden=(8,), scale=2.0):
    """Critics that are far from 0 and a population for each."""
    task = CorrelatedGaussian(1, 0.8)
    generators = [torch.Generator().manual_seed(i) for i in range(k)]
    critic = MLP(hidden).stack(1, 1, generators, "cpu")
    critic.theta *= scale
    rows = [task.sample(n, g) for g in generators]
    x, y = (torch.stack(side) for side in zip(*rows, strict=True))
    return critic, x, y


def gradient_by_autograd(critic, x, y, partners, objective, state, rate):
    """-grad of our objective's own surrogate, in the critic's parameters, and the next state."""
    w, v, b = (p[0].double().requires_grad_() for p in critic.views)

    def t(x, y):
        z = torch.cat([x, y, torch.ones_like(x)], -1).double() @ w
        return (nn.functional.elu(z) @ v + b).squeeze(-1)

    value, state = objective.surrogate(t(x, y)[None], t(x, partners)[None], state, rate)
    found = torch.autograd.grad(-value.sum(), (w, v, b))
    return torch.cat([g.flatten() for g in found]), tuple(s.detach() for s in state)


def test_bias_and_scatter_of_plain_dv_are_those_of_all_its_batches():
    """A small population, whose batches can all be enumerated."""
    n, batch = 60, 6
    critic, x, y = setting(n)
    g = [torch.Generator().manual_seed(1)]
    found = gradient_errors(critic, x, y, batch, 1.0, g, batches=2000)
    rate = torch.ones(1)
    of_all, rows = [], torch.arange(batch)
    for start in range(n):
        i = (start + rows) % n
        sides = x[0, i], y[0, i], y[0, (i + 1) % n]
        of_all.append(gradient_by_autograd(critic, *sides, DV, (), rate)[0])
    each = torch.stack(of_all)
    full, _ = gradient_by_autograd(critic, x[0], y[0], y[0].roll(-1, 0), DV, (), rate)
    bias = (each.mean(0) - full).norm() / full.norm()
    scatter = (each - each.mean(0)).square().sum(1).mean().sqrt() / full.norm()
    assert float(found.bias) == pytest.approx(float(bias), rel=0.1)
    assert float(found.scatter) == pytest.approx(float(scatter), rel=0.05)


def test_the_bias_of_the_moving_average_is_that_of_running_it():
    """Gradients of our surrogate with the average carried along, 8,000 batches of a frozen T."""
    n, batch, rate = 40, 4, 0.3
    critic, x, y = setting(n, scale=1.0)
    g = [torch.Generator().manual_seed(1)]
    found = gradient_errors(critic, x, y, batch, rate, g, batches=1500, histories=256)
    w, v, b = (p[0].double().requires_grad_() for p in critic.views)
    ones = torch.ones(n, 1)

    def t(x, y):
        return nn.functional.elu(torch.cat([x, y, ones], -1).double() @ w) @ v + b

    def jacobian(values):
        rows = [torch.autograd.grad(value, (w, v, b), retain_graph=True) for value in values]
        return torch.stack([torch.cat([p.flatten() for p in row]) for row in rows])

    joint, marginal = t(x[0], y[0])[:, 0], t(x[0], y[0].roll(-1, 0))[:, 0]
    of_joint, of_marginal = jacobian(joint), jacobian(marginal)
    joint, marginal = joint.detach(), marginal.detach()
    state, total, count = MINE.init(1, torch.device("cpu")), torch.zeros(len(of_joint[0])), 8000
    total, at = total.double(), torch.arange(batch)
    for step in range(count):
        i = (int(torch.randint(n, (), generator=g[0])) + at) % n
        sides = joint[None, i], marginal[None, i]
        *weights, state = MINE.descent(*sides, state, torch.tensor([rate]))
        if step >= 50:
            total += weights[0][0].double() @ of_joint[i] + weights[1][0].double() @ of_marginal[i]
    weights = DV.descent(joint[None], marginal[None], (), torch.ones(1))
    full = weights[0][0] @ of_joint + weights[1][0] @ of_marginal
    bias = (total / (count - 50) - full).norm() / full.norm()
    assert float(found.bias) == pytest.approx(float(bias), rel=0.35)


def test_with_the_full_partition_for_an_average_the_bias_is_exactly_0():
    critic, x, y = setting(500, k=2)
    g = [torch.Generator().manual_seed(k) for k in range(2)]
    known = normalised(lambda log_mean, state, rate: (torch.zeros_like(log_mean), state))
    found = gradient_errors(critic, x, y, 16, 0.1, g, known, batches=50)
    assert found.bias.abs().max() < 1e-12  # in double precision
    assert found.scatter.min() > 0.1


def test_the_bias_falls_as_1_over_b_and_in_proportion_to_a_small_rate():
    critic, x, y = setting(5000, k=3)

    def bias(batch, rate):
        g = [torch.Generator().manual_seed(k) for k in range(3)]
        return float(gradient_errors(critic, x, y, batch, rate, g, batches=150).bias.mean())

    assert bias(64, 1.0) / bias(256, 1.0) == pytest.approx(4.0, rel=0.3)
    assert bias(64, 0.1) / bias(64, 0.01) == pytest.approx(10.0, rel=0.3)
    assert bias(64, 0.1) < 0.3 * bias(64, 1.0)


def test_the_factor_is_that_of_our_own_objectives_weights():
    """A batch enters the normaliser by its mean alone, whatever its values are."""
    g = torch.Generator().manual_seed(0)
    t = torch.randn(4, 32, generator=g, dtype=torch.float64)
    state = ema_init((4,))
    state = tuple(s.double() for s in state)
    _, state = ema_update(state, torch.randn(4, generator=g).double(), torch.tensor(0.1))
    rate = torch.full((4,), 0.1, dtype=torch.float64)
    _, weights, _ = MINE.descent(t, t, state, rate)
    factor = _factors(MINE, log_mean_exp(t).exp().view(1, 4, 1), state, 0.1)
    torch.testing.assert_close(
        weights, torch.softmax(t, -1) * factor.view(4, 1), rtol=1e-6, atol=1e-12
    )


def test_the_full_gradient_is_one_of_all_rows_at_once():
    """2,500 rows in chunks, against autograd."""
    critic, x, y = setting(2500)
    found = _population(critic, x, y)
    full, _ = gradient_by_autograd(critic, x[0], y[0], y[0].roll(-1, 0), DV, (), torch.ones(1))
    assert torch.allclose((found.joint + found.marginal)[0], full, rtol=1e-4, atol=1e-6)


def test_a_module_of_ones_own_has_the_same_errors_as_the_same_perceptron():
    critic, x, y = setting(300)
    w, v, b = (p[0] for p in critic.views)

    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.v, self.b = (nn.Parameter(p.clone()) for p in (w, v, b))

        def forward(self, x, y):
            z = torch.cat([x, y, torch.ones_like(x)], -1) @ self.w
            return (nn.functional.elu(z) @ self.v + self.b).squeeze(-1)

    errors = [
        gradient_errors(one, x, y, 8, 0.1, [torch.Generator().manual_seed(3)], batches=20)
        for one in (critic, stack_modules([Same()]))
    ]
    for mine_, same in zip(*errors, strict=True):
        assert float(mine_) == pytest.approx(float(same), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 301])
def test_a_batch_that_the_population_cannot_give_is_refused(batch):
    critic, x, y = setting(300)
    with pytest.raises(ValueError, match=f"a batch of 2 to 300 rows.*got {batch}: take a smaller"):
        gradient_errors(critic, x, y, batch, 0.1, [torch.Generator()])
