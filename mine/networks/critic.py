"""Statistics networks T(x, y) of any layers, with noise of their own where a layer has some.

The critic of the paper's information bottleneck (Sec. 5.3), for example, adds noise to the pair
and before each further layer:

    Networks((Noise(0.3), Linear(512), Activation("elu"), Noise(0.5), Linear(512),
              Activation("elu"), Noise(0.5)))

In training, noise and dropout are drawn anew for each pair; on held-out rows there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from mine.networks.layers import Layer, Linear
from mine.networks.stacked import stacked

if TYPE_CHECKING:
    from mine.data.pairs import Pairing


@dataclass(frozen=True)
class Networks:
    """Critics of these layers on [x, y], with `Linear(1)` after them."""

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))

    def stack(
        self, dx: int, dy: int, generators: Sequence[Generator], device: torch.device | str
    ) -> StackedNetworks:
        """One critic for each generator; see `mine.critics.MLP.stack`."""
        return StackedNetworks(self, dx, dy, generators, device)


class StackedNetworks:
    """K of these critics: see `mine.critics.protocol.Critic`.

    Attributes:
        generators: of noise and dropout, one a cell, on the device. Later steps depend on them.
    """

    def __init__(
        self,
        config: Networks,
        dx: int,
        dy: int,
        generators: Sequence[Generator],
        device: torch.device | str,
    ) -> None:
        self.network = stacked((*config.layers, Linear(1)), (dx + dy,), generators, device)
        self.k, self.theta, self.grad = self.network.k, self.network.theta, self.network.grad
        self.views = self.network.views
        seeds = [int(torch.randint(2**62, (), generator=g)) for g in generators]
        self.generators = [Generator(device).manual_seed(seed) for seed in seeds]
        self._last: Tensor | None = None

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        with torch.set_grad_enabled(keep):
            t = self._values(x, y, pairing, training=keep, held=not keep)
        self._last = t if keep else None
        t_joint, t_marginal = t.detach().tensor_split((x.shape[1],), 1)
        return t_joint, t_marginal

    def differentiable(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        """See `mine.critics.protocol.Critic`; with noise, as in training."""
        t = self._values(x, y, pairing, training=True, held=True)
        t_joint, t_marginal = t.tensor_split((x.shape[1],), 1)
        return t_joint, t_marginal

    def _values(
        self, x: Tensor, y: Tensor, pairing: Pairing, training: bool, held: bool
    ) -> Tensor:
        """T on joint and then on marginal pairs, (K, B + m B)."""
        xs = torch.cat([x] * (1 + pairing.m), 1)
        ys = torch.cat(pairing.pair(pairing.extend(y), x.shape[1]), 1)
        pairs = torch.cat([xs, ys], -1)
        t = self.network(pairs, training=training, noise=self.generators, held=held)
        return t.squeeze(-1)

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        if self._last is None:
            raise RuntimeError("backward needs the values of a batch first, got none: call values")
        seed = torch.cat([g_joint, g_marginal], 1)
        self.network.write_gradient(self.network.gradients(self._last, seed))
        self._last = None

    def leave_out(self, cells: Sequence[bool]) -> None:
        """Nothing: all cells go through each product together."""
