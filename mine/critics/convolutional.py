"""A convolutional critic: x and y are images, side by side as channels.

Song and Ermon, "Understanding the Limitations of Variational Mutual Information Estimators", 2020,
https://arxiv.org/abs/1910.06222, join the images of x and of y as channels and halve them by
strided convolutions, too (their sizes are for 28 x 28 images; these are smaller).

A convolution is a product of patches with a matrix: stacked, it is one batched product, in which a
critic's bits do not depend on how many stand beside it, as in a library's grouped convolution they
do. For images of 8 x 8 it is as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from mine.critics.mlp import Critic, Modules

ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}


@dataclass(frozen=True)
class Convolutional:
    """Convolutions that halve the images, then a perceptron; the fields are the config's keys.

    Attributes:
        side: rows, and columns, of an image; x and y are one image each or more, row after row.
        channels: of the convolutions, each 3 x 3 with stride 2.
        hidden: widths of the layers after them.
        activation: "elu", "relu" or "silu".
    """

    side: int = 28
    channels: tuple[int, ...] = (16, 32)
    hidden: tuple[int, ...] = (128,)
    activation: str = "elu"

    def __post_init__(self) -> None:
        for name in ("channels", "hidden"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            values = getattr(self, name)
            if not values or any(type(v) is not int or v < 1 for v in values):
                raise ValueError(
                    f"{name} must be whole numbers >= 1, as (16, 32), got {list(values)}"
                )
        if type(self.side) is not int or self.side < 1:
            raise ValueError(f"side must be a whole number >= 1, such as 28, got {self.side!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {sorted(ACTIVATIONS)}, got {self.activation!r}"
            )

    def activations(self, dx: int, dy: int) -> int:
        """Numbers that a pair leaves behind for the gradient: patches, and each layer's two."""
        found, inputs, side = 2 * sum(self.hidden), (dx + dy) // self.side**2, self.side
        for outputs in self.channels:
            side = (side + 1) // 2
            found += (9 * inputs + 2 * outputs) * side**2
            inputs = outputs
        return found

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> Critic:
        """One critic per generator, as `mine.critics.MLP.stack`."""
        return Modules(partial(Network, self)).stack(dx, dy, generators, device)


class Network(nn.Module):
    """T(x, y) of one cell: x (B, dx) and y (B, dy) to (B,)."""

    def __init__(self, config: Convolutional, dx: int, dy: int) -> None:
        super().__init__()
        pixels = config.side**2
        if dx % pixels or dy % pixels or not (dx and dy):
            raise ValueError(
                f"x and y must be images of {config.side} x {config.side}, got {dx} and {dy} "
                "columns: set the critic's side, or take critic=default"
            )
        self.side = config.side
        layers: list[nn.Module] = []
        inputs, side = (dx + dy) // pixels, config.side
        for outputs in config.channels:
            layers += [Halving(inputs, outputs), ACTIVATIONS[config.activation]()]
            inputs, side = outputs, (side + 1) // 2
        layers.append(nn.Flatten())
        inputs *= side**2
        for width in config.hidden:
            layers += [nn.Linear(inputs, width), ACTIVATIONS[config.activation]()]
            inputs = width
        self.net = nn.Sequential(*layers, nn.Linear(inputs, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        images = torch.cat([x, y], -1).unflatten(-1, (-1, self.side, self.side))
        found: Tensor = self.net(images.movedim(1, -1)).squeeze(-1)
        return found


class Halving(nn.Module):
    """A 3 x 3 convolution with stride 2 and a border of zeros.

    (B, H, H, inputs) to (B, h, h, outputs), h = H / 2 rounded up. The columns of its matrix are
    the patch's pixels, row after row, the channels of each side by side.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.product = nn.Linear(9 * inputs, outputs)

    def forward(self, images: Tensor) -> Tensor:
        padded = functional.pad(images, (0, 0, 1, 1, 1, 1))
        patches = padded.unfold(1, 3, 2).unfold(2, 3, 2)  # (B, h, h, inputs, 3, 3)
        found: Tensor = self.product(patches.permute(0, 1, 2, 4, 5, 3).flatten(3))
        return found
