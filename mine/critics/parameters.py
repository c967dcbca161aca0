"""The parameters of one perceptron: their shapes and their initial values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

INITS = ("fan_in", "normal")


@dataclass(frozen=True)
class Parameter:
    """One parameter of one critic.

    Attributes:
        shape: rows and columns.
        inputs: columns that come into its layer.
        biases: how many of its last rows are biases.
    """

    shape: tuple[int, int]
    inputs: int
    biases: int

    def initial(self, init: str, generator: torch.Generator) -> Tensor:
        """Initial values; `init` is one of `INITS`, see `mine.critics.mlp.MLP`."""
        if init == "normal":
            found = torch.zeros(self.shape)
            found[: self.shape[0] - self.biases].normal_(0.0, 0.02, generator=generator)
            return found
        return (torch.rand(self.shape, generator=generator) * 2 - 1) / math.sqrt(self.inputs)


def perceptron(dx: int, dy: int, hidden: tuple[int, ...]) -> list[Parameter]:
    """The parameters of a perceptron on (x, y), in order.

    The first layer's weight and bias are one parameter, (dx + dy + 1, H); every further layer has
    a weight (H, H') and a bias (1, H'); the output has H' = 1.
    """
    found = [Parameter((dx + dy + 1, hidden[0]), dx + dy, 1)]
    for inputs, outputs in pairwise((*hidden, 1)):
        found += [
            Parameter((inputs, outputs), inputs, 0),
            Parameter((1, outputs), inputs, 1),
        ]
    return found


def parameter_shapes(dx: int, dy: int, hidden: tuple[int, ...]) -> list[tuple[int, int]]:
    """The shapes of `perceptron`'s parameters."""
    return [p.shape for p in perceptron(dx, dy, hidden)]
