"""A stacked perceptron as a plain function of its parameters and its pairs, for autograd.

The kernels of `mine.critics.groups` write the gradient in the parameters, and none in x and y.
Where another model is trained through T, its gradient comes from here.

A cell's bits do not depend on its neighbours where the numbers of a layer, rows times width, fill
whole registers (`mine.critics.flat`), as with a batch of 64 and widths of 64. Elsewhere the last
cell's activations may be rounded differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from mine.data.pairs import Pairing


def perceptron_values(
    parameters: Sequence[Tensor],
    activation: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    pairing: Pairing,
) -> tuple[Tensor, Tensor]:
    """T on joint pairs and on marginal pairs, with an autograd graph in all that has one.

    The first layer is linear in x and in y: each is multiplied once, and the products are paired.

    Args:
        parameters: as in `mine.critics.mlp.StackedMLP`, each with a leading axis K.
        activation: of the hidden layers.
        x: (K, B, dx).
        y: (K, rows, dy).
        pairing: which y the marginal pairs take, m of them for each x.

    Returns:
        (K, B) and (K, m B).
    """
    first, *further = parameters
    of_x, of_y, bias = first.split([x.shape[-1], y.shape[-1], 1], 1)
    hx = torch.baddbmm(bias, x, of_x)
    hy = torch.bmm(pairing.extend(y), of_y)
    h = torch.cat([hx + rows for rows in pairing.pair(hy, x.shape[1])], 1)
    for w, b in zip(further[::2], further[1::2], strict=True):
        h = torch.baddbmm(b, activation(h), w)
    t_joint, t_marginal = h.squeeze(-1).tensor_split((x.shape[1],), 1)
    return t_joint, t_marginal
