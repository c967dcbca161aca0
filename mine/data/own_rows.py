"""A source for a user's own rows: split, preprocessed, and compared with permuted copies."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from mine.data import preprocessing
from mine.data.batches import DataSet
from mine.data.columns import Layout
from mine.data.dependence import Clusters
from mine.data.diagnostics import data_doubts, rare_levels
from mine.data.generators import generator
from mine.data.levels import strata_of
from mine.data.local_permutation import LocalPermutation
from mine.data.preprocessing import Transform
from mine.data.sources import Dealt, Pairs
from mine.data.split import Split

AS_THEY_ARE = None, "none"


class Table(Protocol):
    """All rows of an estimation; `mine.data.sources.Fixed` is one, too."""

    @property
    def sizes(self) -> tuple[int, int, int]: ...
    @property
    def task(self) -> Any: ...
    def all_rows(self, seed: int, key: str) -> Pairs: ...


@dataclass(frozen=True, eq=False)
class Given:
    """Rows that are there: x (n, dx) and y (n, dy)."""

    x: Tensor
    y: Tensor
    task: None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        return len(self.x), self.x.shape[1], self.y.shape[1]

    def all_rows(self, seed: int, key: str) -> Pairs:
        return self.x, self.y


@dataclass(frozen=True)
class OwnRows:
    """One set of rows, split at random. Columns are brought into units fitted on training rows.

    Attributes:
        table: all rows.
        layouts: what the columns of x and of y are.
        preprocess: one of `mine.data.preprocessing.KINDS`; None for what the method takes.
        split: how the rows are split.
        copy: 0 for the rows themselves; c > 0 for the c-th copy, whose y is permuted.
        discrete: whether X is a label or a count, and Y; a level's rows are spread over all parts.
        given: how a copy's y is permuted given other columns; None for all rows with one chance.
    """

    table: Table
    layouts: tuple[Layout, Layout]
    preprocess: str | None = None
    split: Split = field(default_factory=Split)
    copy: int = 0
    discrete: tuple[bool, bool] = (False, False)
    given: LocalPermutation | None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.table.sizes

    @property
    def task(self) -> Any:
        return self.table.task

    @property
    def shape(self) -> Hashable:
        hangs = self.split.dependence
        return "split", self.sizes, self.split.folds, self.split.share, hangs and hangs.shape

    def deal(self, seed: int, key: str, n_test: int, device: torch.device) -> Dealt:
        """See `mine.data.sources.Source`; the split says how many rows the test has."""
        data = self._copied(seed, key)
        strata = strata_of(data, self.discrete)
        parts = self.split.deal(len(data[0]), generator(seed, "split", key), strata)
        train, _, test = parts
        fitted = self._fitted(self.preprocess or "standardise", (data[0][train], data[1][train]))
        (x_train, x_val, x_test), (y_train, y_val, y_test) = (
            [transform(v[rows]).to(device) for rows in parts]
            for v, transform in zip(data, fitted, strict=True)
        )
        return Dealt(
            batches=DataSet(x_train, y_train),
            seen=(x_train, y_train),
            validation=(x_val, y_val),
            test=(x_test, y_test),
            n_train=len(x_train),
            layouts=self.layouts,
            transforms=fitted,
            clusters=self._clusters(test),
            warnings=() if self.copy else self._warnings(data, train, test, fitted),
        )

    def all_rows(self, seed: int, key: str) -> Pairs:
        """See `mine.data.sources.Source`; units that are asked for are fitted to all rows."""
        x, y = self._copied(seed, key)
        if self.preprocess in AS_THEY_ARE:
            return x, y
        kind, (of_x, of_y) = str(self.preprocess), self.layouts
        x = preprocessing.in_units(x, kind, of_x.coded)
        return x, preprocessing.in_units(y, kind, of_y.coded)

    def _copied(self, seed: int, key: str) -> Pairs:
        """All rows in float64; y is permuted in a copy."""
        x, y = (v.double() for v in self.table.all_rows(seed, key))
        if self.copy:
            of_copy = generator(seed, f"null {self.copy}", key)
            y = self.given.copied(y, of_copy) if self.given else y[self._permuted(len(y), of_copy)]
        return x, y

    def _permuted(self, n: int, generator: torch.Generator) -> Tensor:
        hangs = self.split.dependence
        return hangs.permuted(n, generator) if hangs else torch.randperm(n, generator=generator)

    def _clusters(self, test: Tensor) -> Clusters | None:
        hangs = self.split.dependence
        return hangs.clusters(test, self.split.folds) if hangs else None

    def _fitted(self, kind: str, rows: Pairs) -> tuple[Transform, Transform]:
        coded = [layout.coded for layout in self.layouts]
        of_x, of_y = (preprocessing.fit(kind, v, of) for v, of in zip(rows, coded, strict=True))
        return of_x, of_y

    def _warnings(
        self, data: Pairs, train: Tensor, test: Tensor, fitted: Sequence[Transform]
    ) -> tuple[str, ...]:
        of_x, of_y = ([k in ("none", "standardise") for k in t.kinds] for t in fitted)
        found = data_doubts(data, self.layouts, train, test, (of_x, of_y), self.split.folds)
        return (*found, *rare_levels(data, self.discrete, test))
