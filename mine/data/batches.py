"""Batches for training: from an endless stream of fresh samples, or from a fixed data set.

Each cell has its own generator, so a cell's batches do not depend on which cells share its stack.
Batches are drawn for a block of steps at a time: one call of the generator costs as much as the
first hundred numbers that it returns.

Shapes: S steps of a block, K cells, B rows, m marginal samples per joint one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mine.data.pairs import Independent, Pairing, Permutations, Shifts

BLOCK_BYTES = 1 << 19  # of one cell
BLOCK_STEPS = 64


class Batches(Protocol):
    """What training draws its joint pairs from."""

    @property
    def dim_x(self) -> int: ...
    @property
    def dim_y(self) -> int: ...
    def draw(self, n: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """n batches of joint pairs: (n, batch, dx), (n, batch, dy)."""
        ...


class Samples(Protocol):
    """A task, as far as sampling needs it."""

    @property
    def dim_x(self) -> int: ...
    @property
    def dim_y(self) -> int: ...
    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Stream:
    """Fresh samples for every batch."""

    task: Samples

    @property
    def dim_x(self) -> int:
        return self.task.dim_x

    @property
    def dim_y(self) -> int:
        return self.task.dim_y

    def draw(self, n: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, y = self.task.sample(n * batch, generator)
        return x.view(n, batch, -1), y.view(n, batch, -1)


@dataclass(frozen=True)
class DataSet:
    """A fixed data set: each batch is drawn without replacement. x (n, dx) and y (n, dy)."""

    x: Tensor
    y: Tensor

    @property
    def dim_x(self) -> int:
        return self.x.shape[1]

    @property
    def dim_y(self) -> int:
        return self.y.shape[1]

    def draw(self, n: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        index = batch_rows(len(self.x), n, batch, generator).to(self.x.device)
        return self.x[index].view(n, batch, -1), self.y[index].view(n, batch, -1)


def batch_rows(rows: int, n: int, batch: int, generator: torch.Generator) -> Tensor:
    """Row numbers (n batch,) of n batches: none twice in a batch, nor within an epoch."""
    per_epoch, epochs = epochs_of(rows, n, batch)
    orders = [
        torch.randperm(rows, generator=generator, device=generator.device)[: per_epoch * batch]
        for _ in range(epochs)
    ]
    return torch.cat(orders)[: n * batch]


def epochs_of(rows: int, n: int, batch: int) -> tuple[int, int]:
    """How many whole batches an epoch of these rows has, and how many epochs n batches take."""
    if batch > rows:
        raise ValueError(
            f"a batch must fit into the training rows, got batch_size={batch} for {rows} of them: "
            "lower batch_size or bring more rows"
        )
    per_epoch = rows // batch
    return per_epoch, -(-n // per_epoch)


def unpack(kind: str, m: int, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor, Pairing]:
    """x, y and the pairing of one step, from one step's slice of what `draw_block` gave."""
    x, y, *permutation = batch
    return x, y, pairing(kind, m, *permutation)


def pairing(
    kind: str, m: int, index: Tensor | None = None, inverse: Tensor | None = None
) -> Pairing:
    """The pairing of one batch, whose rows come in random order: a cyclic shift deranges them."""
    if kind == "derangement":
        return Shifts(m)
    if kind == "independent":
        return Independent(m)
    if index is None or inverse is None:
        raise ValueError(
            "a shuffle needs its index and inverse, got none: draw it with draw_block"
        )
    return Permutations(index, inverse)


def block_steps(batch: int, width: int) -> int:
    """How many steps to draw at once: enough to hide the calls, few enough to stay in the cache.

    It must not depend on K: the order in which a generator's numbers are used depends on it.
    """
    return max(1, min(BLOCK_STEPS, BLOCK_BYTES // (4 * batch * width)))
