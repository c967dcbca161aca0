"""Clipping bounds the gradient of each cell by itself."""

import torch

from mine.critics.flat import per_parameter
from mine.critics.mlp import MLP
from mine.data.generators import generator
from mine.training.clipping import clip_each


@torch.no_grad()
def test_clipping_bounds_each_cell_alone():
    critic = MLP((4,)).stack(1, 1, [generator(s, "start") for s in range(3)], "cpu")
    sizes = per_parameter(critic, torch.tensor([0.001, 1.0, 100.0]))
    critic.grad.copy_(sizes)
    clip_each(critic, 1.0)
    norms = torch.cat([g.flatten(1) for g in critic.grads], 1).norm(dim=1)
    small = 0.001 * (critic.theta.numel() / 3) ** 0.5
    torch.testing.assert_close(norms, torch.tensor([small, 1.0, 1.0]), rtol=1e-4, atol=1e-6)
