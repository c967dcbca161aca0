"""The first layer of a group of k cells, in two ways.

Both write z = W_x x + W_y y + b for the (1 + m) B pairs of each cell, (k, (1 + m) B, H). `OfPairs`
multiplies the pairs as they stand, a column of ones for the bias among them. `OfHalves` multiplies
x and y once for a batch and adds the products pair by pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mine.critics.layers import Layer

if TYPE_CHECKING:
    from mine.data.pairs import Pairing


class OfPairs:
    """For narrow x and y: one product of the pairs (k, (1 + m) B, dx + dy + 1) with W."""

    def __init__(self, pairs: Tensor, w: Tensor, grad: Tensor, layer: Layer) -> None:
        self.pairs, self.pairs_t, self.w, self.grad, self.layer = pairs, pairs.mT, w, grad, layer

    def forward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        torch.bmm(self.pairs, self.w, out=self.layer.z)

    def backward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        torch.bmm(self.pairs_t, self.layer.g, out=self.grad)


class OfHalves:
    """For wide x and y: the products of x and of y, added pair by pair.

    Attributes:
        cells: which of the stack's cells these k are.
        shape: (1 + m, B).
        hx: W_x x + b, (k, B, H); then its gradient.
        hy: W_y y for the rows that the pairing wants, (k, R, H); then its gradient.
        ones: (k, 1, (1 + m) B).
    """

    def __init__(
        self,
        cells: slice,
        shape: tuple[int, int],
        halves: Sequence[Tensor],
        dx: int,
        w: Tensor,
        grad: Tensor,
        layer: Layer,
        ones: Tensor,
    ) -> None:
        self.cells, self.shape, self.dx = cells, shape, dx
        self.hx, self.hy = (h[: len(w)] for h in halves)
        self.w, self.grad, self.layer, self.ones = w, grad, layer, ones
        self.paired = layer.z.unflatten(1, shape).unbind(1)

    def forward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        x, y, pairing = x[self.cells], y[self.cells], pairing.of_cells(self.cells)
        torch.bmm(x, self.w[:, : self.dx], out=self.hx).add_(self.w[:, -1:])
        torch.bmm(y, self.w[:, self.dx : -1], out=self.hy)
        for z, rows in zip(self.paired, pairing.pair(self.hy, x.shape[1]), strict=True):
            torch.add(self.hx, rows, out=z)

    def backward(self, x: Tensor, y: Tensor, pairing: Pairing) -> None:
        x, y, pairing = x[self.cells], y[self.cells], pairing.of_cells(self.cells)
        g = self.layer.g.unflatten(1, self.shape)
        torch.add(g[:, 0], g[:, 1], out=self.hx)
        for j in range(2, self.shape[0]):
            self.hx += g[:, j]
        pairing.pair_backward(g, self.hy)
        self.grad[:, : self.dx] = torch.bmm(x.mT, self.hx)
        self.grad[:, self.dx : -1] = torch.bmm(y.mT, self.hy)
        self.grad[:, -1:] = torch.bmm(self.ones[:, :, : x.shape[1]], self.hx)
