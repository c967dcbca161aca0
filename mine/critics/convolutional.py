"""A convolutional critic: x and y are images, which become the channels of one image.

Song and Ermon, "Understanding the Limitations of Variational Mutual Information Estimators", 2020,
https://arxiv.org/abs/1910.06222, do the same and halve the images by strided convolutions. Their
layers are for images of 28 x 28; these are smaller.

A convolution is computed as a product of patches with a matrix. K of them stacked are one batched
product, in which a critic's bits do not depend on how many others are in the stack. In torch's
grouped convolution they would. For images of 8 x 8 both are equally fast.

An example, for B pairs of one image of 8 x 8 each (64 columns) and channels (16, 32):

    x, y            (B, 64), (B, 64)
    images          (B, 8, 8, 2)        one channel of x, one of y
    convolutions    (B, 4, 4, 16), (B, 2, 2, 32)
    flat            (B, 128), then the hidden layers, then T (B,)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from mine.critics.modules import Modules
from mine.critics.protocol import Critic

ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU, "silu": nn.SiLU}


@dataclass(frozen=True)
class Convolutional:
    """Convolutions that halve the images, then a perceptron; the fields are the config's keys.

    Attributes:
        side: rows of an image, and columns; x and y hold one image each or more, row by row.
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
        """How many numbers one pair keeps for the gradient: patches, and two for each unit."""
        found, inputs, side = 2 * sum(self.hidden), (dx + dy) // self.side**2, self.side
        for outputs in self.channels:
            side = (side + 1) // 2
            found += (9 * inputs + 2 * outputs) * side**2
            inputs = outputs
        return found

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> Critic:
        """One critic for each generator; see `mine.critics.MLP.stack`."""
        return Modules(partial(Network, self)).stack(dx, dy, generators, device)


class Network(nn.Module):
    """T(x, y) of one cell: x (B, dx), y (B, dy) -> (B,)."""

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

    It maps (B, H, H, inputs) to (B, h, h, outputs), with h = H / 2 rounded up. The columns of its
    matrix are the patch's pixels, row by row, and for each pixel its channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.product = nn.Linear(9 * inputs, outputs)

    def forward(self, images: Tensor) -> Tensor:
        padded = functional.pad(images, (0, 0, 1, 1, 1, 1))
        patches = padded.unfold(1, 3, 2).unfold(2, 3, 2)  # (B, h, h, inputs, 3, 3)
        found: Tensor = self.product(patches.permute(0, 1, 2, 4, 5, 3).flatten(3))
        return found
