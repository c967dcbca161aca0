"""A job: one estimation, or one cell of an application, with everything that it needs."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from mine.critics.mlp import MLP
from mine.critics.protocol import CriticConfig
from mine.critics.started import Started
from mine.data.generators import generator
from mine.data.sources import Source
from mine.method.method import Candidate, Method
from mine.running.applications import ApplicationJob
from mine.running.stack_sizes import networks_at_once
from mine.training.settings import Training

PER_CELL = "learning_rate", "ema_rate"  # fields of `Training` that may differ in a stack
BEST_AFTER = 0.25  # epochs x learning rate at a training's best validation value, about


@dataclass(frozen=True)
class Job:
    """One estimation.

    Attributes:
        source: where its rows come from.
        method: the estimator.
        seed: names, with ``key``, every random number of the job.
        key: what the job's data are derived from; jobs of one key and seed see the same samples.
        training: how the critic is trained.
        critic: what the critic is.
        n_test: test samples, where the source draws them from a task.
        partners: marginal partners of each test sample.
        k: neighbours, for KSG.
        keeps_critic: whether the estimate of a user's rows brings its critic.
        keeps_influences: whether it brings what each test row adds to its error.
    """

    source: Source
    method: Method
    seed: int = 0
    key: str = ""
    training: Training = field(default_factory=Training)
    critic: CriticConfig = field(default_factory=MLP)
    n_test: int = 10_000
    partners: int = 10
    k: int = 3
    keeps_critic: bool = False
    keeps_influences: bool = False

    def __post_init__(self) -> None:
        if not self.method.is_direct:
            self._check_training()
            return
        n = self.source.sizes[0]
        if n <= self.k or self.k < 1:
            raise ValueError(
                f"{self.method.name} needs a fixed data set of more than k rows and k >= 1, got "
                f"k={self.k} and {n} rows: take another k, or n of more rows from a task; of "
                "images, take a method that trains a network, such as mine"
            )

    def _check_training(self) -> None:
        if self.method.probe and self.source.task is None:
            raise ValueError(
                f"{self.method.name} measures a critic on a task whose densities are known, got "
                "rows: take a task, or an estimator by name"
            )
        self.method.critic(self.critic)  # refuses a critic that the method cannot train
        n, split = self.source.sizes[0], self.source.split
        if not n and isinstance(self.critic, Started):
            raise ValueError(
                "expected rows that the critic's start can be fitted to, got a stream of fresh "
                "samples: give n, such as 10000, or take the critic's network alone"
            )
        n_train = split.training_rows(n) if split else n
        if n_train and self.training.batch_size > n_train:
            raise ValueError(
                f"a batch must fit into the training rows, got batch_size="
                f"{self.training.batch_size} for {n_train} training rows of {n}: "
                "lower batch_size or bring more rows"
            )

    @property
    def folds(self) -> int:
        """Critics that are trained at the same time, each tested on other rows."""
        return self.source.split.folds if self.source.split else 1

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What the method chooses from, where there are validation rows to choose by.

        A fitted start needs the built-in network, so a user's module has no such candidate.
        """
        found = self.method.candidates if self.source.split else ()
        return tuple(c for c in found if isinstance(self.critic, MLP) or not c.start)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of the training rows that each candidate is trained with."""
        return self.method.shares if self.source.split else (1.0,)

    @property
    def network_steps(self) -> int:
        """Optimizer steps of all its networks together, at most."""
        if self.method.is_direct:
            return 0
        return self.trainings * self.training.steps

    @property
    def trainings(self) -> int:
        """All networks that are trained: each candidate, the chosen one with each other share."""
        return (max(1, len(self.candidates)) + len(self.shares) - 1) * self.folds

    @property
    def likely_steps(self) -> float:
        """The steps of each of its trainings, fewer than asked for where it may stop early.

        `BEST_AFTER` gives the steps of `mine` and `auto` within 30 % on 500, 2,000 and 6,000 rows,
        as a mean over a stack of a normal and a Student-t and a stack of a spiral. Single stacks
        took from 0.6 to 1.5 times as many.
        """
        training, split = self.training, self.source.split
        if not split:
            return training.steps
        epoch = split.training_rows(self.source.sizes[0]) / training.batch_size
        best = BEST_AFTER / training.learning_rate * epoch
        return min(training.steps, best + training.patience * training.validate_every)

    @property
    def family(self) -> str:
        """The name of its method without parameters."""
        return self.method.name.partition("(")[0]

    @property
    def shape(self) -> Hashable:
        """Equal for jobs that can be cells of one stack: all but seed, rates and rows' values."""
        shared = tuple((k, v) for k, v in vars(self.training).items() if k not in PER_CELL)
        return (
            self.source.shape, self.method.name, shared, self.critic, self.n_test, self.partners
        )  # fmt: skip

    def stack_size(self, device: torch.device | str = "cpu") -> int:
        """How many jobs like this one make a stack."""
        if self.method.is_direct:
            return 1
        rows = self.training.batch_size * (1 + self.training.marginal_samples)
        test = 0 if self.source.split else self.n_test
        networks = networks_at_once(
            self.critic, self.source.sizes, rows, test, self.partners, device
        )
        return max(1, networks // self.folds)

    @property
    def dim(self) -> int:
        """The columns of x."""
        return self.source.sizes[1]

    @property
    def truth(self) -> float:
        """The true mutual information in nats; nan where it is unknown."""
        return float(getattr(self.source.task, "mi", math.nan))

    @property
    def data(self) -> Any:
        """The data set that its task names; None where it has none."""
        return getattr(self.source.task, "data", None)

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        return generator(self.seed, purpose, self.key, device)


AnyJob = Job | ApplicationJob


def fitting(training: Training, training_rows: int) -> Training:
    """The training with batches of at most half the training rows."""
    return replace(training, batch_size=min(training.batch_size, max(2, training_rows // 2)))
