"""How one set of rows is split into training, validation and test rows.

One split takes 60 % of the rows for training, 20 % for validation and 20 % for the test. With k
folds (cross-fitting) the rows are cut into k blocks. Fold f tests on block f and splits the other
blocks into training and validation rows, 3 to 1, so over all folds every row is tested once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.data.dependence import Dependence
from mine.data.levels import Codes, spread

SPLIT = 0.6, 0.2  # training and validation shares of one split; the rest is for the test


@dataclass(frozen=True)
class Split:
    """One fold of a split of n rows.

    Attributes:
        folds: 1 for one split by `SPLIT`, else the number of blocks; at least 1.
        fold: which block is the test, from 0 to folds - 1.
        share: the share of the training rows that is used; less than 1 to learn what more rows
            are worth.
        dependence: how rows hang together, and are dealt together; None where they do not.
    """

    folds: int = 1
    fold: int = 0
    share: float = 1.0
    dependence: Dependence | None = None

    def training_rows(self, n: int) -> int:
        """The number of training rows of n rows, in the fold that has the fewest."""
        if self.dependence is not None:
            return self.dependence.training_rows(n, self.folds, self.share)
        if self.folds == 1:
            return self._used(math.floor(n * SPLIT[0]))
        return self._used(n - -(-n // self.folds) - self.validation_rows(n))

    def validation_rows(self, n: int) -> int:
        """The number of validation rows of n rows: the same in every fold."""
        rest = n - -(-n // self.folds)
        return math.floor(rest * SPLIT[1] / (SPLIT[0] + SPLIT[1]))

    def deal(
        self, n: int, generator: torch.Generator, strata: Codes | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the training, validation and test rows of n rows, in random order.

        With strata, the level of each row (n,), the parts have the same sizes, and each level is
        spread over all of them evenly. Rows that hang together come in the order of their
        `dependence`, and strata do not count.
        """
        if self.dependence is not None:
            return self.dependence.deal(n, self.folds, self.fold, self.share, generator)
        order = torch.randperm(n, generator=generator)
        if strata is not None:
            return self._stratified(order, strata)
        if self.folds == 1:
            cuts = math.floor(n * SPLIT[0]), math.floor(n * (SPLIT[0] + SPLIT[1]))
            train, validation, test = order.tensor_split(cuts)
        else:
            blocks = order.tensor_split(self.folds)
            rest = torch.cat([*blocks[self.fold + 1 :], *blocks[: self.fold]])
            count = self.validation_rows(n)
            train, validation, test = rest[count:], rest[:count], blocks[self.fold]
        return train[: self._used(len(train))], validation, test

    def _stratified(self, order: Tensor, strata: Codes) -> tuple[Tensor, Tensor, Tensor]:
        n = len(order)
        if self.folds == 1:
            cuts = math.floor(n * SPLIT[0]), math.floor(n * (SPLIT[0] + SPLIT[1]))
            count = cuts[1] - cuts[0]
            rest, test = _parted(order, strata, (cuts[1], n - cuts[1]))
        else:
            count = self.validation_rows(n)
            sizes = tuple(len(block) for block in order.tensor_split(self.folds))
            blocks = _parted(order, strata, sizes)
            rest = torch.cat([*blocks[self.fold + 1 :], *blocks[: self.fold]])
            test = blocks[self.fold]
        train, validation = _parted(rest, strata, (len(rest) - count, count))
        used = self._used(len(train))
        return _parted(train, strata, (used, len(train) - used))[0], validation, test

    def _used(self, rows: int) -> int:
        return math.floor(rows * self.share)


def _parted(rows: Tensor, strata: Codes, sizes: tuple[int, ...]) -> list[Tensor]:
    """The rows in parts of these sizes, each in their order."""
    part = torch.from_numpy(spread(strata[rows.numpy()], sizes))
    return [rows[part == i] for i in range(len(sizes))]
