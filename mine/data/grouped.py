"""Groups: rows of one subject, school or batch hang together, those of two do not."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.data.dependence import PARTS, Clusters, Indices, widening


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
