"""Networks that are each added to a fixed log-ratio, which was fitted to rows first (nats):

    T(x, y) = log-ratio(x, y) + network(x, y)

The network's output layer starts at 0, so that T starts at the log-ratio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mine.critics.mlp import StackedMLP
from mine.critics.started import StackedStarted
from mine.data.pairs import Pairing


class StackedAdded(StackedStarted):
    """K networks, each added to a log-ratio: see `StackedStarted`. All buffers are 0 at first."""

    def __init__(self, network: StackedMLP, shapes: Mapping[str, Sequence[int]]) -> None:
        self.network, self.k = network, network.k
        self.theta, self.grad, self.views = network.theta, network.grad, network.views
        for view in self.views[-2:]:
            view.zero_()
        device = self.theta.device
        self.buffers = {n: torch.zeros(self.k, *s, device=device) for n, s in shapes.items()}

    def log_ratios(self, x: Tensor, y: Tensor, pairing: Pairing) -> list[Tensor]:
        """Log-ratios of the joint rows, then of each x with its partners: 1 + m times (K, B)."""
        raise NotImplementedError

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        t_joint, t_marginal = self.network.values(x, y, pairing, keep)
        of_joint, *of_marginal = self.log_ratios(x, y, pairing)
        t_joint += of_joint
        t_marginal += torch.cat(of_marginal, -1)
        return t_joint, t_marginal

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        self.network.backward(g_joint, g_marginal)

    def leave_out(self, cells: Sequence[bool]) -> None:
        self.network.leave_out(cells)
