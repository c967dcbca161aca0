"""What a stacked perceptron computes, by plain torch and autograd in float64 on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mine.data.pairs import Pairing

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": functional.elu,
    "relu": functional.relu,
    "silu": functional.silu,
}


def perceptron(
    views: Sequence[Tensor], x: Tensor, y: Tensor, pairing: Pairing, activation: str
) -> tuple[Tensor, Tensor]:
    """T on joint pairs (K, B) and on marginal pairs (K, m B).

    Args:
        views: the parameters of `mine.critics.mlp.StackedMLP`, in its order.
        x: (K, B, dx).
        y: (K, rows, dy), as the pairing takes it.
        pairing: which y goes with which x.
        activation: a key of `ACTIVATIONS`.
    """
    act = ACTIVATIONS[activation]
    sides = pairing.pair(pairing.extend(y), x.shape[1])
    rows = torch.cat([torch.cat([x, side], -1) for side in sides], 1)
    first, *between, last, bias = views
    hidden = act(rows @ first[:, :-1] + first[:, -1:])
    for weight, shift in zip(between[::2], between[1::2], strict=True):
        hidden = act(hidden @ weight + shift)
    t = (hidden @ last + bias).squeeze(-1)
    return t[:, : x.shape[1]], t[:, x.shape[1] :]


def gradients(
    views: Sequence[Tensor], values: tuple[Tensor, Tensor], of_values: tuple[Tensor, Tensor]
) -> tuple[Tensor, ...]:
    """Of what has these gradients in the values, in the parameters."""
    return torch.autograd.grad(list(values), list(views), list(of_values))


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """The largest difference over the largest number wanted."""
    difference = (found.detach().cpu().double() - wanted.detach()).abs().max()
    return float(difference / wanted.detach().abs().max().clamp(min=1e-30))
