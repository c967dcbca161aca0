"""Rows that hang together: by groups, or in time. What depends on each other must not be torn.

A row of a patient who is in the training rows is no test, and neither is a row a second after one
of them. So groups, or stretches of a series, are dealt whole; a permuted copy moves whole groups,
or shifts the series; marginal pairs are made of rows that do not hang together; and an error
counts groups, or blocks, in place of rows (Cameron and Miller, 2015,
https://doi.org/10.3368/jhr.50.2.317; for a series these are batch means: Flegal and Jones, 2010,
https://doi.org/10.1214/09-AOS735).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit
from torch import Tensor

Indices = tuple[Tensor, Tensor, Tensor]
"""Of training, validation and test rows."""

PARTS = 5  # of a single split: one is the validation, one the test
TIMES = 2.0  # a block's length over the autocorrelation time
LEVEL = 0.975


@dataclass(frozen=True, eq=False)
class Clusters:
    """How some rows hang together, for an error of what they give.

    Attributes:
        index: the cluster of each row, (n,), whole numbers from 0.
        distance: rows at least so many places apart, cyclically, do not hang together.
        inflation: what the variance of the clusters' sums is multiplied by.
        widening: what the error is multiplied by for an interval of 95 % by the normal's quantile
            to be Student's, which few clusters ask for.
        timed: whether the rows are in the order of time, and clusters are blocks of them.
    """

    index: Tensor
    distance: int
    inflation: float
    widening: float
    timed: bool = False

    @property
    def count(self) -> int:
        return int(self.index.max()) + 1

    @property
    def factor(self) -> float:
        """What the sum of the squares of the clusters' sums is multiplied by."""
        return self.inflation * self.count / max(1, self.count - 1)

    def sums(self, v: Tensor) -> Tensor:
        """The sum over each cluster, of the last axis: (..., n) -> (..., count)."""
        index = self.index.to(v.device).expand_as(v)
        return v.new_zeros(*v.shape[:-1], self.count).scatter_add_(-1, index, v)


class Dependence(Protocol):
    """How rows hang together."""

    @property
    def shape(self) -> Hashable:
        """Equal where all parts of a split have as many rows and distances."""
        ...

    def check(self, n: int, folds: int) -> None:
        """
        Raises:
            ValueError: so many folds leave a part with a single group, or with less than two
                blocks, whose error nobody can tell.
        """
        ...

    def training_rows(self, n: int, folds: int, share: float) -> int:
        """The number of training rows of n rows, in the fold that has the fewest."""
        ...

    def deal(
        self, n: int, folds: int, fold: int, share: float, generator: torch.Generator
    ) -> Indices:
        """Rows of a part stand together as they hang together; validation rows are as many in
        every fold."""
        ...

    def permuted(self, n: int, generator: torch.Generator) -> Tensor:
        """The y of each row in a copy where x and y are independent, and hang together alone."""
        ...

    def clusters(self, rows: Tensor, folds: int) -> Clusters:
        """Of the test rows, in the order that `deal` gave."""
        ...

    def of_all(self, n: int) -> Clusters:
        """Of all n rows."""
        ...

    def together(self, rows: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
        """Whether each of these rows hangs together with each of all rows: (len(rows), n)."""
        ...


@dataclass(frozen=True, eq=False)
class Grouped:
    """Rows of one group hang together, those of two groups do not.

    Attributes:
        ids: the group of each row, (n,), whole numbers from 0.
    """

    ids: Tensor

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(torch.bincount(self.ids).tolist())

    @cached_property
    def _rows(self) -> tuple[Tensor, ...]:
        return self.ids.argsort(stable=True).split(self.sizes)

    @cached_property
    def effective(self) -> float:
        """The number of equal groups that tell as much: n^2 / sum of the squared sizes."""
        return len(self.ids) ** 2 / sum(size**2 for size in self.sizes)

    @property
    def shape(self) -> Hashable:
        return "groups", tuple(sorted(self.sizes))

    def check(self, n: int, folds: int) -> None:
        order = range(len(self.sizes))
        least = min(len(part) for fold in range(folds) for part in self._parts(order, folds, fold))
        if least < 2:
            raise ValueError(
                f"expected two groups or more in each part of each fold, got {least} of "
                f"{len(self.sizes)} groups with folds={folds}: take fewer folds, bring more "
                "groups, or leave out rows of the largest"
            )

    def training_rows(self, n: int, folds: int, share: float) -> int:
        return min(math.floor(rows * share) for rows, _ in self._counts(folds))

    def _counts(self, folds: int) -> list[tuple[int, int]]:
        """The numbers of training and validation rows of each fold, whatever the order."""
        if folds not in self._counted:
            order = range(len(self.sizes))
            parts = [self._parts(order, folds, fold) for fold in range(folds)]
            self._counted[folds] = [(self._size(t), self._size(v)) for t, v, _ in parts]
        return self._counted[folds]

    @cached_property
    def _counted(self) -> dict[int, list[tuple[int, int]]]:
        return {}

    def _size(self, groups: Sequence[int]) -> int:
        return sum(self.sizes[g] for g in groups)

    def _parts(
        self, order: Sequence[int], folds: int, fold: int
    ) -> tuple[list[int], list[int], list[int]]:
        """Groups for training, validation and test: their sizes do not depend on the order."""
        of_all = self._evenly(order, PARTS if folds == 1 else folds)
        test = of_all.pop(fold)
        rest = [g for part in of_all for g in part]
        validation, *train = reversed(self._evenly(rest, PARTS - 1))
        return [g for part in train for g in part], validation, test

    def _evenly(self, order: Sequence[int], parts: int) -> list[list[int]]:
        """Parts of nearly equally many rows: the largest group first, to the smallest part."""
        found: list[list[int]] = [[] for _ in range(parts)]
        loads = [(0, part) for part in range(parts)]
        for group in sorted(order, key=lambda g: -self.sizes[g]):
            load, part = heapq.heappop(loads)
            found[part].append(group)
            heapq.heappush(loads, (load + self.sizes[group], part))
        return found

    def deal(
        self, n: int, folds: int, fold: int, share: float, generator: torch.Generator
    ) -> Indices:
        order = torch.randperm(len(self.sizes), generator=generator).tolist()
        place = {group: i for i, group in enumerate(order)}
        parts = (sorted(of, key=place.__getitem__) for of in self._parts(order, folds, fold))
        train, validation, test = (torch.cat([self._rows[g] for g in part]) for part in parts)
        used = math.floor(len(train) * share)
        return train[:used], validation[: min(v for _, v in self._counts(folds))], test

    def permuted(self, n: int, generator: torch.Generator) -> Tensor:
        """Groups change places. The rows of a group go to those of another one after the other,
        from the first again where that has more."""
        found = torch.empty(n, dtype=torch.int64)
        for rows, other in zip(
            self._rows, torch.randperm(len(self.sizes), generator=generator).tolist(), strict=True
        ):
            taken = self._rows[other]
            found[rows] = taken[torch.arange(len(rows)) % len(taken)]
        return found

    def clusters(self, rows: Tensor, folds: int) -> Clusters:
        _, index = self.ids[rows].unique(return_inverse=True)
        tested = self.effective / PARTS if folds == 1 else self.effective
        return Clusters(index, max(self.sizes), 1.0, widening(tested - folds))

    def of_all(self, n: int) -> Clusters:
        return Clusters(self.ids, max(self.sizes), 1.0, widening(self.effective - 1))

    def together(self, rows: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
        ids = self.ids.numpy()
        return np.asarray(ids[rows][:, None] == ids[None])


@dataclass(frozen=True)
class Timed:
    """Rows are in the order of time, and those fewer than a block's length apart hang together.

    Attributes:
        length: of a block, in rows.
    """

    length: int

    @property
    def shape(self) -> Hashable:
        return "time", self.length

    def check(self, n: int, folds: int) -> None:
        if n // (PARTS if folds == 1 else folds) < 2 * self.length:
            raise ValueError(
                f"expected two blocks of {self.length} rows or more in each fold, got "
                f"folds={folds} for {n} rows: take fewer folds, or bring more rows"
            )

    def training_rows(self, n: int, folds: int, share: float) -> int:
        rest, validation = self._rest(n, folds)
        return math.floor((rest - validation) * share)

    def _rest(self, n: int, folds: int) -> tuple[int, int]:
        """Rows for training and validation in the fold that has the fewest; for validation."""
        rest = n - -(-n // (PARTS if folds == 1 else folds)) - 3 * self.length
        return rest, rest // (PARTS - 1)

    def deal(
        self, n: int, folds: int, fold: int, share: float, generator: torch.Generator
    ) -> Indices:
        """Three stretches, a block's length between any two: a test; the validation after it, as
        if the series were a circle; and the rest, which trains. One split tests on the end."""
        test = torch.arange(n).tensor_split(PARTS if folds == 1 else folds)[fold - (folds == 1)]
        begin = int(test[-1]) + 1 + self.length
        _, count = self._rest(n, folds)
        validation = (begin + torch.arange(count)) % n
        train = torch.arange(begin + count + self.length, int(test[0]) + n - self.length) % n
        return train[: math.floor(len(train) * share)], validation, test

    def permuted(self, n: int, generator: torch.Generator) -> Tensor:
        """A circular shift by a block's length or more, either way."""
        span = max(1, n - 2 * self.length + 1)
        shift = self.length + int(torch.randint(span, (), generator=generator))
        return (torch.arange(n) + shift) % n

    def clusters(self, rows: Tensor, folds: int) -> Clusters:
        n = len(rows)
        blocks = max(2, n // self.length)
        freedom = (blocks - 1) * folds
        index = torch.arange(n) * blocks // n
        inflation = 1.0 / _batched(n / blocks)
        return Clusters(index, self.length, inflation, widening(freedom), timed=True)

    def of_all(self, n: int) -> Clusters:
        return self.clusters(torch.arange(n), 1)

    def together(self, rows: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
        return np.asarray(np.abs(rows[:, None] - np.arange(n)[None]) < self.length)


def widening(freedom: float) -> float:
    """Student's quantile with so many degrees of freedom over the normal's."""
    return float(stdtrit(max(1.0, freedom), LEVEL) / ndtri(LEVEL))


def _batched(length: float) -> float:
    """The share of a mean's variance that batches of so many rows find in a series whose
    autocorrelation falls as a^k, with the time (1 + a) / (1 - a) = length / `TIMES`."""
    time = max(1.0, length / TIMES)
    a = (time - 1.0) / (time + 1.0)
    return 1.0 - 2.0 * a * (1.0 - a**length) / (length * (1.0 - a * a))
