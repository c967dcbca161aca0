r"""A critic that starts from what correlations tell, and learns what is left (nats):

    T(x, y) = log-ratio of a normal fitted to the training rows (`mine.gaussian`) + network(x, y)

The network's output layer starts at 0, so that T starts at the fitted log-ratio: on normal scores
of the columns, at that of a Gaussian copula. The fitted part stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mine.critics import MLP, StackedMLP
from mine.gaussian import fit_ratio
from mine.pairs import Pairing


@dataclass(frozen=True)
class Residual:
    """A `Residual` critic's config: its network."""

    network: MLP = field(default_factory=MLP)

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedResidual:
        return StackedResidual(self.network.stack(dx, dy, generators, device), dx, dy)


class StackedResidual:
    """K networks, each beside the log-ratio of a normal: see `Residual` and `Critic`.

    Attributes:
        buffers: the fitted log-ratios, with a leading axis K: ``of_x`` (K, dx + 1, r), ``of_y``
            (K, dy + 1, r) and ``rho`` (K, 1, r); see `mine.gaussian.GaussianRatio`. All 0, and so
            independent, until `fit`.
    """

    def __init__(self, network: StackedMLP, dx: int, dy: int) -> None:
        self.network, self.k = network, network.k
        self.theta, self.grad, self.views = network.theta, network.grad, network.views
        for view in self.views[-2:]:
            view.zero_()
        shapes = {"of_x": (dx + 1, min(dx, dy)), "of_y": (dy + 1, min(dx, dy))}
        shapes["rho"] = (1, min(dx, dy))
        device = self.theta.device
        self.buffers = {n: torch.zeros(self.k, *s, device=device) for n, s in shapes.items()}

    def fit(self, rows: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Fits each cell's normal to its training rows, x (n, dx) and y (n, dy)."""
        for k, (x, y) in enumerate(rows):
            found = fit_ratio(x.double().cpu().numpy(), y.double().cpu().numpy())
            for name, buffer in self.buffers.items():
                buffer[k].copy_(torch.from_numpy(getattr(found, name)).view_as(buffer[k]))

    def values(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        t_joint, t_marginal = self.network.values(x, y, pairing)
        joint, *marginal = self._log_ratios(x, pairing, y)
        t_joint += joint
        t_marginal += torch.cat(marginal, -1)
        return t_joint, t_marginal

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        self.network.backward(g_joint, g_marginal)

    def _log_ratios(self, x: Tensor, pairing: Pairing, y: Tensor) -> list[Tensor]:
        """Of the joint rows, then of each x with its partners: 1 + m times (K, B)."""
        of_x, of_y, rho = (self.buffers[name] for name in ("of_x", "of_y", "rho"))
        a = torch.baddbmm(of_x[:, -1:], x, of_x[:, :-1])
        b = torch.baddbmm(of_y[:, -1:], y, of_y[:, :-1])
        rest = 1.0 - rho.square()
        square = 0.5 * rho.square() / rest
        own_x = (square * a.square()).sum(-1) + 0.5 * rest.log().sum(-1)
        own_y = (square * b.square()).sum(-1, keepdim=True)
        a = a * (rho / rest)
        sides = pairing.beside(pairing.around(torch.cat([b, own_y], -1)), x.shape[1])
        return [(a * side[..., :-1]).sum(-1) - own_x - side[..., -1] for side in sides]
