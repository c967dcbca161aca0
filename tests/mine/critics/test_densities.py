"""Conditional densities as critics: the mixture's log-density, its gradient, the stack."""

import math

import pytest
import torch
from torch import nn

from mine.critics.densities import LOG_SCALE, ConditionalDensity, log_mixture, shaped_like
from mine.critics.mlp import MLP
from mine.data.pairs import Independent, Permutations, Shifts, partners


def generators(k):
    return [torch.Generator().manual_seed(i) for i in range(k)]


def test_the_mixture_is_torchs():
    g = torch.Generator().manual_seed(0)
    parameters, y = torch.randn(5, 3, 5, generator=g).double(), torch.randn(5, 2, generator=g)
    logits, means, scales = parameters.split([1, 2, 2], -1)
    normal = torch.distributions.Normal(
        means, torch.exp(LOG_SCALE * torch.tanh(scales / LOG_SCALE))
    )
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits.squeeze(-1)),
        torch.distributions.Independent(normal, 1),
    )
    torch.testing.assert_close(log_mixture(parameters, y.double()), mixture.log_prob(y.double()))


@pytest.mark.parametrize("components", [1, 3])
def test_a_density_integrates_to_one(components):
    critic = ConditionalDensity((8,), components=components, marginal="own").stack(
        2, 1, generators(2), "cpu"
    )
    y = torch.linspace(-30, 30, 6001).expand(2, -1).unsqueeze(-1)
    x = torch.randn(2, 1, 2).expand(-1, 6001, -1)
    for t in critic.values(x, y, Shifts(1)):
        torch.testing.assert_close(t.exp().sum(1) * 0.01, torch.ones(2), rtol=1e-3, atol=0)


@pytest.mark.parametrize("marginal", ["conditional", "own"])
@pytest.mark.parametrize("which", ["shifts", "permutations", "independent"])
def test_values_and_gradients_are_those_of_one_network_after_another(marginal, which):
    k, b, m, dx, dy, components = 3, 6, 2, 2, 3, 2
    index = torch.stack([torch.stack([torch.randperm(b) for _ in range(m)]) for _ in range(k)])
    pairing = {
        "shifts": Shifts(m),
        "permutations": Permutations.of(index),
        "independent": Independent(m),
    }[which]
    rows = b * (1 + m) if which == "independent" else b
    x, y = torch.randn(k, b, dx), torch.randn(k, rows, dy)
    critic = ConditionalDensity((7, 5), "silu", components, marginal).stack(
        dx, dy, generators(k), "cpu"
    )
    g_joint, g_marginal = torch.randn(k, b), torch.randn(k, m * b)
    t_joint, t_marginal = critic.values(x, y, pairing)
    critic.backward(g_joint, g_marginal)
    met = partners(pairing, y, b)
    for i in range(k):
        leaves = [v[i].clone().requires_grad_() for v in critic.views]
        h = nn.functional.silu(x[i] @ leaves[0] + leaves[1])
        h = nn.functional.silu(h @ leaves[2] + leaves[3])
        q = (h @ leaves[4] + leaves[5]).view(b, components, -1)
        joint = log_mixture(q, y[i, :b])
        beside = q if marginal == "conditional" else leaves[6].view(1, components, -1)
        other = torch.cat([log_mixture(beside, met[i, j]) for j in range(m)])
        torch.testing.assert_close(t_joint[i], joint.detach())
        torch.testing.assert_close(t_marginal[i], other.detach())
        wanted = torch.autograd.grad([joint, other], leaves, [g_joint[i], g_marginal[i]])
        for grad, w in zip(critic.grads, wanted, strict=True):
            torch.testing.assert_close(grad[i], w, rtol=1e-4, atol=1e-5)


def test_the_start_of_a_cell_does_not_depend_on_its_neighbours():
    config = ConditionalDensity((8, 8), marginal="own")
    many = config.stack(2, 2, generators(5), "cpu")
    one = config.stack(2, 2, generators(5)[3:4], "cpu")
    for a, b in zip(many.views, one.views, strict=True):
        assert torch.equal(a[3], b[0])
        assert not torch.equal(a[3], a[2])


def test_a_width_cannot_vanish():
    parameters = torch.tensor([[0.0, 0.0, -1e6]])
    assert log_mixture(parameters, torch.zeros(1)).item() == pytest.approx(
        LOG_SCALE - 0.5 * math.log(2 * math.pi), abs=1e-4
    )


def test_the_density_has_the_layers_of_the_mlp():
    found = shaped_like(2, "own")(MLP((9, 4), "silu"))
    assert found == ConditionalDensity((9, 4), "silu", 2, "own")


def test_backward_needs_values():
    critic = ConditionalDensity((3,)).stack(1, 1, generators(1), "cpu")
    with pytest.raises(RuntimeError, match="got none: call values"):
        critic.backward(torch.zeros(1, 2), torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "hidden must be widths"),
        ({"activation": "tanh"}, "activation must be one of"),
        ({"components": 0}, "components must be a whole number >= 1, got 0"),
        ({"marginal": "joint"}, "marginal must be one of"),
    ],
)
def test_fields_that_cannot_be_right_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ConditionalDensity(**options)
