"""What steps the parameters of a stack of networks that are no critics.

A critic's are stepped by its `Ascent` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.networks.stacked import Network
from mine.training.ascent import Ascent
from mine.training.optimizers import Optimizer, make_optimizer


@dataclass
class Descent:
    """K networks and their optimizer; made by `make_descent`.

    Attributes:
        network: what is stepped.
        optimizer: steps it.
        highest: the highest learning rate of each group of cells, (groups,).
        rates: the learning rates at the next step, (groups,).
    """

    network: Network
    optimizer: Optimizer
    highest: Tensor
    rates: Tensor

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Goes down this gradient, (K, P) as `Network.gradients` gives it."""
        self.network.write_gradient(gradient)
        self.optimizer.step()

    def set_factor(self, factor: float) -> None:
        """Sets the learning rates to this share of the highest ones."""
        torch.mul(self.highest, factor, out=self.rates)

    def named(self) -> dict[str, Tensor]:
        """All that later steps depend on, by name; no copies."""
        moments = {f"optimizer.{name}": v for name, v in self.optimizer.moments.items()}
        return {**self.network.named(), **moments}


class SteppedModel:
    """A model of several stacks of networks, which is stepped beside a statistics network.

    Attributes:
        ascent: the statistics network's.
    """

    ascent: Ascent

    @property
    def parts(self) -> Mapping[str, Descent]:
        """What is stepped beside the statistics networks, by name."""
        raise NotImplementedError

    def set_factor(self, factor: float) -> None:
        """Sets all learning rates to this share of the highest ones."""
        for part in self.parts.values():
            part.set_factor(factor)
        self.ascent.set_rates(self.ascent.highest * factor)

    def named(self) -> dict[str, Tensor]:
        """All tensors that later steps depend on, by the part's name and their own; no copies."""
        named = {part: of.named() for part, of in self.parts.items()}
        named["ascent"] = self.ascent.named()
        return {f"{part}.{name}": v for part, of in named.items() for name, v in of.items()}

    def finite(self) -> Tensor:
        """Whether all parameters of each cell's model are finite, (K,)."""
        return torch.stack([part.network.finite() for part in self.parts.values()]).all(0)


@torch.no_grad()
def make_descent(
    network: Network,
    learning_rate: float | Tensor,
    betas: tuple[float, float] = (0.9, 0.999),
    optimizer: str = "Adam",
) -> Descent:
    """The descent of K new networks.

    Args:
        network: what is stepped.
        learning_rate: one for all cells, or (K,); the cells of one rate are a group.
        betas: decay of Adam's moments.
        optimizer: one of `mine.training.settings.OPTIMIZERS`.
    """
    device = network.theta.device
    of_cells = torch.as_tensor(learning_rate, dtype=torch.float32, device=device)
    highest, group_of = of_cells.expand(network.k).unique(return_inverse=True)
    rates = highest.clone()
    return Descent(
        network, make_optimizer(optimizer, network, rates, group_of, betas), highest, rates
    )
