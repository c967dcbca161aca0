"""A job: one estimation, with everything resolved that it needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch

from mine.critics.mlp import MLP
from mine.critics.protocol import CriticConfig
from mine.data.generators import generator
from mine.data.sources import Source
from mine.method.method import Candidate, Method
from mine.training.settings import Training


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
        if not self.method.direct:
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
        return tuple(c for c in found if isinstance(self.critic, MLP) or not c.residual)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of the training rows that each candidate is trained with."""
        return self.method.shares if self.source.split else (1.0,)

    @property
    def network_steps(self) -> int:
        """Optimizer steps of all its networks together, at most."""
        if self.method.direct:
            return 0
        trainings = max(1, len(self.candidates)) * len(self.shares) * self.folds
        return trainings * self.training.steps

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        return generator(self.seed, purpose, self.key, device)


def fitting(training: Training, training_rows: int) -> Training:
    """The training with batches of at most half the training rows."""
    return replace(training, batch_size=min(training.batch_size, max(2, training_rows // 2)))
