"""The differentiable value is the kernel's, and its gradient is that of finite differences."""

import pytest
import torch
from torch import nn

from mine.critics.convolutional import Convolutional
from mine.critics.densities import ConditionalDensity
from mine.critics.mlp import MLP
from mine.critics.modules import Modules
from mine.critics.residual import Residual
from mine.data.pairs import Shifts

K, B, M = 3, 8, 2


class Own(nn.Module):
    def __init__(self, dx, dy):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dx + dy, 9), nn.Softplus(), nn.Linear(9, 1))

    def forward(self, x, y):
        return self.net(torch.cat([x, y], -1))


CRITICS = {
    "narrow": (MLP((16, 12)), 2, 3),
    "narrow, relu": (MLP((16,), "relu"), 2, 3),
    "wide": (MLP((16, 12)), 40, 30),
    "wide, silu": (MLP((16, 12, 8), "silu"), 40, 30),
    "module": (Modules(Own), 2, 3),
    "convolutional": (Convolutional(4, (3, 2), (6,)), 16, 16),
    "density": (ConditionalDensity((7, 5), components=2), 2, 3),
    "two densities": (ConditionalDensity((7, 5), components=2, marginal="own"), 2, 3),
}


def drawn(critic, pairings, generators):
    """(critic, x, y, pairing) for each kind of pairing; x and y ask for their gradient."""
    config, dx, dy = CRITICS[critic]
    made = config.stack(dx, dy, generators(K), "cpu")
    g = torch.Generator().manual_seed(5)
    for pairing, rows in zip(pairings(K, B, M), (B, B, B * (1 + M)), strict=True):
        x = torch.randn(K, B, dx, generator=g).requires_grad_()
        yield made, x, torch.randn(K, rows, dy, generator=g).requires_grad_(), pairing


@pytest.mark.parametrize("name", CRITICS)
def test_the_differentiable_value_is_the_kernels(name, pairings, generators):
    for critic, x, y, pairing in drawn(name, pairings, generators):
        with torch.no_grad():
            wanted = [t.clone() for t in critic.values(x.detach(), y.detach(), pairing)]
        found = critic.differentiable(x, y, pairing)
        assert [t.shape for t in found] == [(K, B), (K, M * B)]
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CRITICS)
def test_its_gradient_in_x_and_y_is_that_of_finite_differences(name, pairings, generators):
    """Of the kernel's own values, along a random direction of x and of y."""
    g, h = torch.Generator().manual_seed(6), 1e-2
    for critic, x, y, pairing in drawn(name, pairings, generators):
        weights = torch.randn(K, B, generator=g), torch.randn(K, M * B, generator=g)

        def value(x, y, critic=critic, weights=weights, pairing=pairing):
            with torch.no_grad():
                found = critic.values(x, y, pairing)
                return sum((w * t).double().sum() for w, t in zip(weights, found, strict=True))

        found = critic.differentiable(x, y, pairing)
        sum((w * t).sum() for w, t in zip(weights, found, strict=True)).backward()
        for place, other in ((x, y), (y, x)):
            u = torch.randn(place.shape, generator=g)
            u /= u.norm()
            ends = [
                value(*(p.detach() + s * h * (u if p is place else 0) for p in (x, y)))
                for s in (1, -1)
            ]
            slope = (ends[0] - ends[1]) / (2 * h)
            assert (place.grad * u).sum().item() == pytest.approx(
                slope.item(), rel=5e-3, abs=5e-3 * place.grad.norm().item()
            ), other.shape


@pytest.mark.parametrize("name", CRITICS)
def test_the_parameters_are_constants_and_a_step_between_is_noticed(name, pairings, generators):
    critic, x, y, pairing = next(drawn(name, pairings, generators))
    t_joint, t_marginal = critic.differentiable(x, y, pairing)
    value = t_joint.sum() + t_marginal.square().sum()
    value.backward(retain_graph=True)
    assert not critic.theta.requires_grad and not critic.grad.any()
    critic.theta.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.parametrize("activation", ["elu", "relu", "silu"])
def test_a_cells_bits_do_not_depend_on_its_neighbours(activation, generators):
    def of(seeds):
        starts = [generators(1, s)[0] for s in seeds]
        critic = MLP((64, 32), activation).stack(2, 2, starts, "cpu")
        x, y = (
            torch.stack([torch.randn(64, 2, generator=generators(1, s + a)[0]) for s in seeds])
            for a in (100, 200)
        )
        x.requires_grad_()
        t_joint, t_marginal = critic.differentiable(x, y, Shifts(M))
        (t_joint.mean(-1) - t_marginal.logsumexp(-1)).sum().backward()
        return dict(zip(seeds, zip(t_joint, t_marginal, x.grad, strict=True), strict=True))

    wanted = of([1, 2, 3])[2]
    for seeds in ([9, 2], [2, 7], [7, 8, 9, 2, 5]):
        assert all(torch.equal(a, b) for a, b in zip(of(seeds)[2], wanted, strict=True))


def test_the_kernels_backward_still_belongs_to_the_last_values(pairings, generators):
    for name in CRITICS:
        critic, x, y, pairing = next(drawn(name, pairings, generators))
        gradients = []
        for between in (False, True):
            with torch.no_grad():
                t_joint, t_marginal = critic.values(x.detach(), y.detach(), pairing)
                ones = torch.ones_like(t_joint), torch.ones_like(t_marginal)
            if between:
                critic.differentiable(x * 2.0, y, pairing)
            critic.backward(*ones)
            gradients.append(critic.grad.clone())
        assert torch.equal(*gradients), name


def test_a_start_fitted_to_rows_has_none_and_says_what_to_take(generators):
    critic = Residual(MLP((4,))).stack(1, 1, generators(1), "cpu")
    rows = torch.zeros(1, 4, 1)
    with pytest.raises(TypeError, match="take its network, mine.MLP"):
        critic.differentiable(rows, rows, Shifts(1))
