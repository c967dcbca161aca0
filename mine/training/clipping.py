"""Gradient clipping for each cell of a stack."""

from __future__ import annotations

import torch

from mine.critics.flat import views_of
from mine.critics.protocol import Critic


def clip_each(critic: Critic, max_norm: float) -> None:
    """Scales each cell's gradient to at most this norm; the other cells' norms play no part."""
    grads = views_of(critic, critic.grad)
    squares = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0)
    scale = (max_norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for g in grads:
        g *= scale.view(-1, *[1] * (g.dim() - 1))
