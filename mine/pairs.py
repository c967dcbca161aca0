"""Marginal pairs: which y goes with which x when a batch of joint pairs plays p(x) p(y).

A pairing re-pairs the rows of a batch. It works on rows of any width, so that a critic whose first
layer is linear in x and in y can compute the halves once and re-pair them (`add`), and send the
gradients back the same way (`add_back`).

A random permutation leaves each pair joint with probability 1/B, which caps estimates near log B
(Letizia et al., 2024, https://arxiv.org/abs/2305.11025); a derangement leaves none.

Shapes: K cells, B rows, m marginal samples per joint one, H features.
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

    def take(self, y: Tensor, batch: int) -> Tensor:
        """The partners themselves: (K, rows, d) -> (K, m, B, d)."""
        ...

    def add(self, hx: Tensor, hy: Tensor, out: Tensor) -> None:
        """out[:, j] = hx + partner_j(hy): (K, B, H) + (K, rows, H) -> (K, m, B, H)."""
        ...

    def add_back(self, g: Tensor, out: Tensor) -> None:
        """The transpose of taking partners: adds (K, m, B, H) into out (K, rows, H)."""
        ...


@dataclass(frozen=True)
class Shifts:
    """Cyclic shifts of the batch: derangements without an index, for rows in random order."""

    shifts: tuple[int, ...]

    @property
    def m(self) -> int:
        return len(self.shifts)

    def take(self, y: Tensor, batch: int) -> Tensor:
        return torch.stack([torch.roll(y, -s, 1) for s in self.shifts], 1)

    def add(self, hx: Tensor, hy: Tensor, out: Tensor) -> None:
        for j, s in enumerate(self.shifts):
            cut = hx.shape[1] - s
            torch.add(hx[:, :cut], hy[:, s:], out=out[:, j, :cut])
            torch.add(hx[:, cut:], hy[:, :s], out=out[:, j, cut:])

    def add_back(self, g: Tensor, out: Tensor) -> None:
        for j, s in enumerate(self.shifts):
            cut = out.shape[1] - s
            out[:, s:] += g[:, j, :cut]
            out[:, :s] += g[:, j, cut:]


@dataclass(frozen=True)
class Permutations:
    """One permutation per cell and marginal sample: ``index`` (K, m, B), and its inverse."""

    index: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, index: Tensor) -> Permutations:
        return cls(index, torch.argsort(index, -1))

    @property
    def m(self) -> int:
        return self.index.shape[1]

    def take(self, y: Tensor, batch: int) -> Tensor:
        return torch.stack([_rows(y, self.index[:, j]) for j in range(self.m)], 1)

    def add(self, hx: Tensor, hy: Tensor, out: Tensor) -> None:
        for j in range(self.m):
            torch.add(hx, _rows(hy, self.index[:, j]), out=out[:, j])

    def add_back(self, g: Tensor, out: Tensor) -> None:
        for j in range(self.m):
            out += _rows(g[:, j], self.inverse[:, j])


@dataclass(frozen=True)
class Independent:
    """Fresh draws: rows B, B + 1, ... of y are the partners, m times B of them."""

    m: int

    def take(self, y: Tensor, batch: int) -> Tensor:
        return y[:, batch:].unflatten(1, (self.m, batch))

    def add(self, hx: Tensor, hy: Tensor, out: Tensor) -> None:
        torch.add(hx.unsqueeze(1), self.take(hy, hx.shape[1]), out=out)

    def add_back(self, g: Tensor, out: Tensor) -> None:
        out[:, g.shape[2] :] += g.flatten(1, 2)


def _rows(h: Tensor, index: Tensor) -> Tensor:
    """Rows of each cell by its own index: (K, B, H), (K, B) -> (K, B, H)."""
    k, b, width = h.shape
    flat = index + torch.arange(k, device=h.device).unsqueeze(1) * b
    return h.reshape(k * b, width).index_select(0, flat.flatten()).view(k, -1, width)
