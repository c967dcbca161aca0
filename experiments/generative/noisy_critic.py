"""The paper's statistics network for the information bottleneck, with noise of its own.

    noise - 512 - ELU - noise - 512 - ELU - noise - 1

The first noise is added to the pair (x, z), the others before each further layer. There is none on
rows that the network is tested on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator

from mine.networks.critic import Networks, StackedNetworks
from mine.networks.layers import Activation, Layer, Linear, Noise


@dataclass(frozen=True)
class NoisyPerceptron:
    """Such a network; the fields are the config's keys.

    Attributes:
        hidden: widths of the hidden layers.
        activation: of the hidden layers.
        init: "fan_in" alone, as `mine.critics.mlp.MLP` explains it.
        pair_noise: standard deviation of the noise on the pair.
        hidden_noise: of the noise before each further layer.
    """

    hidden: tuple[int, ...] = (512, 512)
    activation: str = "elu"
    init: str = "fan_in"
    pair_noise: float = 0.3
    hidden_noise: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if self.init != "fan_in":
            raise ValueError(f"critic.init must be fan_in for this critic, got {self.init!r}")

    @property
    def networks(self) -> Networks:
        """The critic of these layers."""
        layers: list[Layer] = [Noise(self.pair_noise)]
        for width in self.hidden:
            layers += [Linear(width), Activation(self.activation), Noise(self.hidden_noise)]
        return Networks(tuple(layers))

    def stack(
        self, dx: int, dy: int, generators: Sequence[Generator], device: torch.device | str
    ) -> StackedNetworks:
        """One critic for each generator; see `mine.critics.mlp.MLP.stack`."""
        return self.networks.stack(dx, dy, generators, device)
