"""Modules of a user's own are stacked like the built-in network."""

import pytest
import torch
from torch import nn

import mine
from mine.critics.mlp import MLP
from mine.critics.modules import stack_modules
from mine.data.pairs import Shifts


@torch.no_grad()
def test_a_module_is_stacked_like_the_built_in_network(generators, reference, pairings):
    k, b, m, dx, dy = 3, 6, 2, 2, 3

    class Concatenated(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x, y):
            return self.net(torch.cat([x, y], -1)).squeeze(-1)

    built_in = MLP((7, 5)).stack(dx, dy, generators(k), "cpu")
    own = stack_modules([Concatenated(reference(built_in, i, "elu")) for i in range(k)])
    for pairing, rows in zip(pairings(k, b, m), (b, b, b * (1 + m)), strict=True):
        x, y = torch.randn(k, b, dx), torch.randn(k, rows, dy)
        for ours, theirs in zip(
            built_in.values(x, y, pairing), own.values(x, y, pairing), strict=True
        ):
            torch.testing.assert_close(ours, theirs)
        g_joint, g_marginal = torch.randn(k, b), torch.randn(k, m * b)
        built_in.backward(g_joint, g_marginal)
        own.backward(g_joint, g_marginal)
        ours = torch.cat([g.flatten(1) for g in built_in.grads], 1).norm(dim=1)
        theirs = torch.cat([g.flatten(1) for g in own.grads], 1).norm(dim=1)
        torch.testing.assert_close(ours, theirs)


def test_a_module_that_gives_more_than_one_number_a_row_is_refused():
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(2, 3)

        def forward(self, x, y):
            return self.net(torch.cat([x, y], -1))

    critic = stack_modules([Wide()])
    with pytest.raises(ValueError, match="one number a row"):
        critic.values(torch.zeros(1, 4, 1), torch.zeros(1, 4, 1), Shifts(1))


@pytest.mark.parametrize("critic", [nn.Linear(2, 1), "mlp", 3])
def test_a_critic_is_a_function_that_makes_modules(critic):
    rows = torch.randn(40, 1, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"a function \(dx, dy\) -> torch.nn.Module, .* got "):
        mine.estimate(rows, rows + rows.flip(0), critic=critic)
