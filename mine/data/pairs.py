"""Marginal pairs: which y goes with which x when a batch of joint pairs stands in for p(x) p(y).

A pairing re-pairs the rows of a batch. For K = 1 cell, a batch of B = 4 joint pairs
(x_0, y_0), ..., (x_3, y_3) and m = 2 marginal pairs for each x, cyclic shifts (`Shifts`) give

    extend(y)       y_0 y_1 y_2 y_3 y_0 y_1         R = 6 rows
    pair(..., 4)    y_0 y_1 y_2 y_3                 the joint rows, next to x_0 ... x_3
                    y_1 y_2 y_3 y_0                 the first partner of each x
                    y_2 y_3 y_0 y_1                 the second

It works on rows of any width. A critic whose first layer is linear in x and in y computes W_y y
once for the extended rows and pairs the result (`pair`); `pair_backward` sends the gradients back.

A random permutation leaves each pair joint with probability 1/B, which caps estimates near log B
(Letizia et al., 2024, https://arxiv.org/abs/2305.20025); a derangement leaves none.

Shapes: K cells, B rows, m marginal samples per joint one, H features, R >= B rows of y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

KINDS = ("derangement", "shuffle", "independent")


class Pairing(Protocol):
    """m marginal partners for each of B rows."""

    @property
    def m(self) -> int: ...

    def of_cells(self, cells: slice) -> Pairing:
        """The pairing of some of the K cells."""
        ...

    def extend(self, y: Tensor) -> Tensor:
        """The rows of y that `pair` takes: (K, rows, d) -> (K, R, d)."""
        ...

    def pair(self, h: Tensor, batch: int) -> list[Tensor]:
        """The joint rows, then each x's partners: (K, R, H) -> 1 + m times (K, B, H)."""
        ...

    def pair_backward(self, g: Tensor, out: Tensor) -> None:
        """The transpose of `pair`: g (K, 1 + m, B, H) summed into out (K, R, H)."""
        ...


def partners(pairing: Pairing, y: Tensor, batch: int) -> Tensor:
    """The partners themselves: (K, rows, d) -> (K, m, B, d)."""
    return torch.stack(pairing.pair(pairing.extend(y), batch)[1:], 1)


@dataclass(frozen=True)
class Shifts:
    """Cyclic shifts of the batch by 1 to m: derangements, if the rows are in random order.

    The first m rows are repeated after the last, so that each shift is a slice and needs no index.
    """

    m: int

    def of_cells(self, cells: slice) -> Shifts:
        return self

    def extend(self, y: Tensor) -> Tensor:
        return torch.cat([y, y[:, : self.m]], 1)

    def pair(self, h: Tensor, batch: int) -> list[Tensor]:
        return [h[:, s : s + batch] for s in range(1 + self.m)]

    def pair_backward(self, g: Tensor, out: Tensor) -> None:
        batch = g.shape[2]
        out[:, :batch] = g[:, 0]
        out[:, batch:] = 0.0
        for s in range(1, 1 + self.m):
            out[:, s : s + batch] += g[:, s]


@dataclass(frozen=True)
class Permutations:
    """One permutation per cell and marginal sample: ``index`` (K, m, B), and its inverse."""

    index: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, index: Tensor) -> Permutations:
        return cls(index, torch.argsort(index, -1))

    def of_cells(self, cells: slice) -> Permutations:
        return Permutations(self.index[cells], self.inverse[cells])

    @property
    def m(self) -> int:
        return self.index.shape[1]

    def extend(self, y: Tensor) -> Tensor:
        return y

    def pair(self, h: Tensor, batch: int) -> list[Tensor]:
        return [h, *(_rows(h, self.index[:, j]) for j in range(self.m))]

    def pair_backward(self, g: Tensor, out: Tensor) -> None:
        out.copy_(g[:, 0])
        for j in range(self.m):
            out += _rows(g[:, 1 + j], self.inverse[:, j])


@dataclass(frozen=True)
class Independent:
    """Fresh draws: rows B, B + 1, ... of y are the partners, m B of them."""

    m: int

    def of_cells(self, cells: slice) -> Independent:
        return self

    def extend(self, y: Tensor) -> Tensor:
        return y

    def pair(self, h: Tensor, batch: int) -> list[Tensor]:
        return list(h.split(batch, 1))

    def pair_backward(self, g: Tensor, out: Tensor) -> None:
        out.copy_(g.flatten(1, 2))


def _rows(h: Tensor, index: Tensor) -> Tensor:
    """The rows that each cell's index names: (K, B, H), (K, B) -> (K, B, H)."""
    k, b, width = h.shape
    flat = index + torch.arange(k, device=h.device).unsqueeze(1) * b
    return h.reshape(k * b, width).index_select(0, flat.flatten()).view(k, -1, width)
