"""Activations and their derivatives, written out on memory that is allocated once.

Each works on flat memories of whole registers (`mine.critics.flat`): z before the activation, a
after it, and g. ``forward`` makes a of z and may use g as scratch. ``backward`` finds the gradient
with respect to a in g, and turns it into the gradient with respect to z, in place.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mine.private_torch import elu_backward, silu_backward, silu_out, threshold_backward

# As tensors: a Python number is made into a tensor at each use, which costs as much as the use.
_LOG2_E, _ONE = torch.tensor(math.log2(math.e)), torch.tensor(1.0)


class Elu:
    """ELU in place (a is z's memory): its derivative is a function of its value."""

    keeps_input = False

    @staticmethod
    def forward(z: Tensor, a: Tensor, g: Tensor) -> None:
        # max(z, exp(min(z, 0)) - 1). On a CPU torch's own ELU calls expm1, which costs four times
        # as much as exp2; exp costs twice as much. On CUDA memory costs, and torch's reads z once.
        if z.is_cuda:
            torch.nn.functional.elu_(z)
            return
        torch.clamp_max(z, 0.0, out=g)
        torch.maximum(z, g.mul_(_LOG2_E).exp2_().sub_(_ONE), out=z)

    @staticmethod
    def backward(z: Tensor, a: Tensor, g: Tensor) -> None:
        elu_backward(g, 1.0, 1.0, 1.0, True, a, grad_input=g)


class Relu:
    """ReLU in place (a is z's memory)."""

    keeps_input = False

    @staticmethod
    def forward(z: Tensor, a: Tensor, g: Tensor) -> None:
        z.relu_()

    @staticmethod
    def backward(z: Tensor, a: Tensor, g: Tensor) -> None:
        threshold_backward(g, a, 0, grad_input=g)


class Silu:
    """SiLU, z sigmoid(z): its derivative needs z, so z is kept."""

    keeps_input = True

    @staticmethod
    def forward(z: Tensor, a: Tensor, g: Tensor) -> None:
        silu_out(z, out=a)

    @staticmethod
    def backward(z: Tensor, a: Tensor, g: Tensor) -> None:
        silu_backward(g, z, grad_input=g)


ACTIVATIONS: dict[str, Any] = {"elu": Elu, "relu": Relu, "silu": Silu}
