"""Time: rows of one series hang together over the length of a block."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.data.dependence import PARTS, Clusters, Indices, widening

TIMES = 2.0  # a block's length over the autocorrelation time


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


def _batched(length: float) -> float:
    """The share of a mean's variance that batches of so many rows find in a series whose
    autocorrelation falls as a^k, with the time (1 + a) / (1 - a) = length / `TIMES`."""
    time = max(1.0, length / TIMES)
    a = (time - 1.0) / (time + 1.0)
    return 1.0 - 2.0 * a * (1.0 - a**length) / (length * (1.0 - a * a))
