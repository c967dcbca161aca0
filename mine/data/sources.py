"""Where the rows of one estimation come from. Each source deals its rows itself:

- `Fresh`: every batch is fresh samples of a task, and so is the test.
- `Fixed`: n samples of a task are all there is to train on; the test is other samples.
- `mine.data.own_rows.OwnRows`: one set of rows is split into training, validation and test rows.

Other packages add sources by the same protocol, such as sets of images. All random numbers come
from generators that are named by a seed, a key and a purpose ("train", "test", "split", ...), so
estimations of one seed and key see the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from mine.data.batches import Batches, DataSet, Samples, Stream
from mine.data.columns import Layout
from mine.data.dependence import Clusters
from mine.data.generators import generator
from mine.data.preprocessing import Transform
from mine.data.split import Split

Pairs = tuple[Tensor, Tensor]
"""Rows of x (n, dx) and of y (n, dy)."""


@dataclass(frozen=True)
class Dealt:
    """What one training gets from its source. Rows of validation and test are in random order,
    except where ``clusters`` says how they hang together.

    Attributes:
        batches: what training draws its batches from.
        seen: rows that training draws from, for the training value; None for fresh samples.
        validation: rows that choose when to stop; None where training does all its steps.
        test: rows that neither trained the critic nor chose when to stop.
        n_train: how many rows training draws from; None for fresh samples, which have no end.
        layouts: what the columns of a user's x and y are; None for a task's.
        transforms: their preprocessing, fitted on the training rows; None for a task's.
        clusters: how the test rows hang together; None where they do not.
        warnings: reasons to doubt an estimate from these rows.
    """

    batches: Batches
    seen: Pairs | None
    validation: Pairs | None
    test: Pairs
    n_train: int | None
    layouts: tuple[Layout, Layout] | None = None
    transforms: tuple[Transform, Transform] | None = None
    clusters: Clusters | None = None
    warnings: tuple[str, ...] = ()

    def through(self, of: Callable[[Pairs], Pairs]) -> Dealt:
        """The same rows, mapped, where training draws from a fixed set."""
        assert self.seen is not None
        seen, test = of(self.seen), of(self.test)
        validation = None if self.validation is None else of(self.validation)
        return replace(self, batches=DataSet(*seen), seen=seen, validation=validation, test=test)


@runtime_checkable
class Source(Protocol):
    """Where the rows of one estimation come from."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(rows, dx, dy); 0 rows where there is no set of rows that a method could take whole."""
        ...

    @property
    def task(self) -> Any:
        """The distribution that the rows come from; None where nobody knows it."""
        ...

    @property
    def split(self) -> Split | None:
        """How one set of rows is split; None where the test has rows from elsewhere."""
        ...

    @property
    def shape(self) -> Hashable:
        """Equal for sources whose trainings can share a stack."""
        ...

    def deal(self, seed: int, key: str, n_test: int, device: torch.device) -> Dealt:
        """Rows for one training, on this device; n_test test rows where the source draws them."""
        ...

    def all_rows(self, seed: int, key: str) -> Pairs:
        """All rows, on the CPU, for a method that trains nothing."""
        ...


@dataclass(frozen=True)
class Fresh:
    """Fresh samples of a task for every batch."""

    task: Samples
    split: None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        return 0, self.task.dim_x, self.task.dim_y

    @property
    def shape(self) -> Hashable:
        return "task", self.sizes

    def deal(self, seed: int, key: str, n_test: int, device: torch.device) -> Dealt:
        test = finite_samples(self.task, n_test, generator(seed, "test", key, device))
        return Dealt(Stream(self.task), None, None, test, None)

    def all_rows(self, seed: int, key: str) -> Pairs:
        raise ValueError(
            "a stream of fresh samples has no last row, got n=0: give n, such as 1000"
        )


@dataclass(frozen=True)
class Fixed:
    """A set of n samples of a task, with other samples for the test."""

    task: Samples
    n: int
    split: None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a fixed set has rows, got n={self.n}: give n, such as 10000")

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.n, self.task.dim_x, self.task.dim_y

    @property
    def shape(self) -> Hashable:
        return "task", self.sizes

    def deal(self, seed: int, key: str, n_test: int, device: torch.device) -> Dealt:
        test = finite_samples(self.task, n_test, generator(seed, "test", key, device))
        train = self.task.sample(self.n, generator(seed, "train", key, device))
        return Dealt(DataSet(*train), train, None, test, self.n)

    def all_rows(self, seed: int, key: str) -> Pairs:
        return self.task.sample(self.n, generator(seed, "train", key))


def of_task(task: Samples | Source, n: int = 0) -> Source:
    """A task as a source: n samples of it, or fresh ones for n = 0; a source is one already."""
    if not isinstance(task, Source):
        return Fixed(task, n) if n else Fresh(task)
    if n:
        raise ValueError(
            f"a finite set deals itself, got n={n} of its samples: leave n at 0 for all of them"
        )
    return task


def finite_samples(task: Samples, n: int, generator: torch.Generator) -> Pairs:
    """n fresh samples.

    Raises:
        ValueError: some are not finite.
    """
    test = task.sample(n, generator)
    x_good, y_good = (torch.isfinite(v).all() for v in test)
    if not x_good & y_good:  # one look at the device
        raise ValueError(f"expected finite samples of {task}, got nan or inf: mend the task")
    return test
