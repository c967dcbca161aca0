"""Forward and backward of a group: the cells of a stack that go through a step together.

On a CPU a stack goes through its layers one group at a time. An operation on all K cells at once
would find that the numbers written by the operation before it have already left the cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from mine.critics.first_layer import OfHalves, OfPairs
from mine.critics.layers import Activations, Layer, Network, Step

if TYPE_CHECKING:
    from mine.data.pairs import Pairing


class Outputs(NamedTuple):
    """What all groups of a stack share, with a leading axis K; see `mine.critics.buffers`."""

    pairs: Tensor | None
    t_row: Tensor
    gt: Tensor


class Group:
    """k cells next to each other in a stack.

    All views that a step needs are made here, once: in a small network it takes as long to make a
    view as to compute with it.
    """

    def __init__(
        self,
        network: Network,
        outputs: Outputs,
        cells: slice,
        shape: tuple[int, int],
        activations: Activations | None,
        memory: Sequence[Tensor],
        halves: Sequence[Tensor],
    ) -> None:
        """Makes the views.

        Args:
            network: the whole stack.
            outputs: the whole stack's.
            cells: which cells these are.
            shape: (1 + m, B).
            activations: memory that groups share, where no gradient is wanted; None for their own.
            memory: two memories for gradients that all groups share.
            halves: memory of `OfHalves` that all groups share; none for narrow networks.
        """
        k, rows = cells.stop - cells.start, math.prod(shape)
        self.act = network.activation
        views, grads = ([v[cells] for v in vs] for vs in (network.views, network.grads))
        self.w_row, self.grad_row = (v[-2].view(k, 1, -1) for v in (views, grads))
        self.bias = network.views[-1][cells]
        self.t_row, self.gt = outputs.t_row[cells], outputs.gt[cells]
        self.gt_row = self.gt.view(k, 1, rows)
        self.ones = torch.ones(k, 1, rows, device=network.device)
        layers = _layers(network, k, rows, activations, memory)
        self.last = layers[-1]
        self.steps = [
            Step(*pair, w, w.mT, b, *gradients)
            for pair, w, b, *gradients in zip(
                pairwise(layers), views[1:-2:2], views[2:-2:2], grads[1:-2:2], grads[2:-2:2],
                strict=True,
            )
        ]  # fmt: skip
        own = views[0], grads[0], layers[0]
        self.first: OfPairs | OfHalves
        if outputs.pairs is not None:
            self.first = OfPairs(outputs.pairs[cells], *own)
        else:
            self.first = OfHalves(cells, shape, halves, network.dx, *own, self.ones)

    def forward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        """Writes T of these cells into ``t_row``."""
        self.first.forward(x, y, pairing)
        self.act.forward(*self.first.layer.flat)
        for step in self.steps:
            torch.bmm(step.below.a, step.w, out=step.above.z).add_(step.b)
            self.act.forward(*step.above.flat)
        # A row times a matrix: the matrix times a column would take twice as long.
        torch.bmm(self.w_row, self.last.a_t, out=self.t_row).add_(self.bias)

    def backward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        """Writes these cells' gradients, except that of the output's bias, from ``gt``."""
        torch.bmm(self.gt_row, self.last.a, out=self.grad_row)
        torch.mul(self.gt, self.w_row, out=self.last.g)
        for step in reversed(self.steps):
            g = step.above.g
            self.act.backward(*step.above.flat)
            torch.bmm(step.below.a_t, g, out=step.grad_w)
            if g.is_cuda:
                torch.sum(g, 1, keepdim=True, out=step.grad_b)
            else:
                torch.bmm(self.ones, g, out=step.grad_b)
            torch.bmm(g, step.w_t, out=step.below.g)
        self.act.backward(*self.first.layer.flat)
        self.first.backward(x, y, pairing)


def _layers(
    network: Network, k: int, rows: int, shared: Activations | None, memory: Sequence[Tensor]
) -> list[Layer]:
    """The hidden layers, with a place for the gradient of each.

    It is written over the next layer's activations, which are no longer needed by then. Where
    these are too small, it goes into one of the two shared memories, which layers take in turn:
    the gradients of two neighbouring layers are needed at once.
    """
    activations = shared or Activations(network, k * rows)
    z, a = activations.z, activations.a
    g = [
        above if above is not None and len(above) >= len(below) else memory[i % 2]
        for i, (below, above) in enumerate(zip_longest(a, a[1:]))
    ]
    return [Layer((k, rows, h), *of) for h, *of in zip(network.hidden, z, a, g, strict=True)]
