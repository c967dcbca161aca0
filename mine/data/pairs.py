"""Marginal pairs: which y goes with which x when a batch of joint pairs plays p(x) p(y).

A pairing re-pairs the rows of a batch. It works on rows of any width, so that a critic whose first
layer is linear in x and in y can compute the halves once and re-pair them (`beside`), and send the
gradients back the same way (`add_back`).

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

    def part(self, cells: slice) -> Pairing:
        """That of some of the cells."""
        ...

    def around(self, y: Tensor) -> Tensor:
        """The rows of y as `beside` wants them: (K, rows, d) -> (K, R, d)."""
        ...

    def beside(self, h: Tensor, batch: int) -> list[Tensor]:
        """The joint rows, then each x's partners: (K, R, H) -> 1 + m times (K, B, H)."""
        ...

    def add_back(self, g: Tensor, out: Tensor) -> None:
        """The transpose of `beside`: (K, 1 + m, B, H) into out (K, R, H)."""
        ...


def partners(pairing: Pairing, y: Tensor, batch: int) -> Tensor:
    """The partners themselves: (K, rows, d) -> (K, m, B, d)."""
    return torch.stack(pairing.beside(pairing.around(y), batch)[1:], 1)


@dataclass(frozen=True)
class Shifts:
    """Cyclic shifts of the batch by 1 to m: derangements without an index, for rows in random
    order. The first m rows stand again after the last, so that each shift is a slice."""

    m: int

    def part(self, cells: slice) -> Shifts:
        return self

    def around(self, y: Tensor) -> Tensor:
        return torch.cat([y, y[:, : self.m]], 1)

    def beside(self, h: Tensor, batch: int) -> list[Tensor]:
        return [h[:, s : s + batch] for s in range(1 + self.m)]

    def add_back(self, g: Tensor, out: Tensor) -> None:
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

    def part(self, cells: slice) -> Permutations:
        return Permutations(self.index[cells], self.inverse[cells])

    @property
    def m(self) -> int:
        return self.index.shape[1]

    def around(self, y: Tensor) -> Tensor:
        return y

    def beside(self, h: Tensor, batch: int) -> list[Tensor]:
        return [h, *(_rows(h, self.index[:, j]) for j in range(self.m))]

    def add_back(self, g: Tensor, out: Tensor) -> None:
        out.copy_(g[:, 0])
        for j in range(self.m):
            out += _rows(g[:, 1 + j], self.inverse[:, j])


@dataclass(frozen=True)
class Independent:
    """Fresh draws: rows B, B + 1, ... of y are the partners, m times B of them."""

    m: int

    def part(self, cells: slice) -> Independent:
        return self

    def around(self, y: Tensor) -> Tensor:
        return y

    def beside(self, h: Tensor, batch: int) -> list[Tensor]:
        return list(h.split(batch, 1))

    def add_back(self, g: Tensor, out: Tensor) -> None:
        out.copy_(g.flatten(1, 2))


def _rows(h: Tensor, index: Tensor) -> Tensor:
    """Rows of each cell by its own index: (K, B, H), (K, B) -> (K, B, H)."""
    k, b, width = h.shape
    flat = index + torch.arange(k, device=h.device).unsqueeze(1) * b
    return h.reshape(k * b, width).index_select(0, flat.flatten()).view(k, -1, width)
