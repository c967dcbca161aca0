"""The hidden layers of a stacked perceptron: what is known of them, and their memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mine.critics.flat import round_up, zeros


@dataclass(frozen=True)
class Network:
    """What the kernels must know of a stacked perceptron.

    Attributes:
        hidden: widths of the hidden layers.
        activation: one of `mine.critics.activations.ACTIVATIONS`.
        dx: columns of x.
        dy: columns of y.
        narrow: whether pairs are multiplied as they stand (`mine.critics.first_layer`).
        views: the parameters, each with a leading axis K; see `mine.critics.mlp.StackedMLP`.
        grads: their gradients.
    """

    hidden: tuple[int, ...]
    activation: Any
    dx: int
    dy: int
    narrow: bool
    views: list[Tensor]
    grads: list[Tensor]

    @property
    def k(self) -> int:
        return len(self.views[0])

    @property
    def device(self) -> torch.device:
        return self.views[0].device


class Activations:
    """Memory of each hidden layer before its activation, z, and after it, a.

    An activation that works in place has one memory for both.
    """

    def __init__(self, network: Network, rows: int) -> None:
        def layers() -> list[Tensor]:
            return [zeros(rows * h, network.device) for h in network.hidden]

        self.z = layers()
        self.a = layers() if network.activation.keeps_input else self.z


class Layer:
    """A hidden layer of k cells: three tensors (k, rows, H).

    Attributes:
        z: before the activation.
        a: after it.
        g: the gradient with respect to a, and then with respect to z.
        a_t: a transposed, (k, H, rows).
        flat: z, a and g as flat memories of whole registers, as activations take them.
    """

    def __init__(self, shape: tuple[int, int, int], z: Tensor, a: Tensor, g: Tensor) -> None:
        n = math.prod(shape)
        self.flat = tuple(v[: round_up(n)] for v in (z, a, g))
        self.z, self.a, self.g = (v[:n].view(shape) for v in (z, a, g))
        self.a_t = self.a.mT


@dataclass(frozen=True)
class Step:
    """The product from one hidden layer to the next, with W (k, H, H') and b (k, 1, H')."""

    below: Layer
    above: Layer
    w: Tensor
    w_t: Tensor
    b: Tensor
    grad_w: Tensor
    grad_b: Tensor
