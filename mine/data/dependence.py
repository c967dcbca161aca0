"""Rows that hang together: by groups, or in time. What depends on each other must not be torn.

A row of a patient who is in the training rows is no test, and neither is a row a second after one
of them. So groups, or stretches of a series, are dealt whole; a permuted copy moves whole groups,
or shifts the series; marginal pairs are made of rows that do not hang together; and an error
counts groups, or blocks, in place of rows (Cameron and Miller, 2015,
https://doi.org/10.3368/jhr.50.2.317; for a series these are batch means: Flegal and Jones, 2010,
https://doi.org/10.1214/09-AOS735).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit
from torch import Tensor

Indices = tuple[Tensor, Tensor, Tensor]
"""Of training, validation and test rows."""

PARTS = 5  # of a single split: one is the validation, one the test
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


def widening(freedom: float) -> float:
    """Student's quantile with so many degrees of freedom over the normal's."""
    return float(stdtrit(max(1.0, freedom), LEVEL) / ndtri(LEVEL))
