"""Jobs, and how they are dealt into stacks.

A job is one estimation. Jobs of equal shapes become stacks; a stack's activations stay in a share
of the device's memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from mine.critics.convolutional import Convolutional
from mine.critics.mlp import MLP, CriticConfig, activation_bytes, even_parts
from mine.critics.residual import Residual
from mine.data.columns import Layout
from mine.data.preprocessing import KINDS
from mine.data.sources import Finite, Samples, generator
from mine.method.method import Candidate
from mine.method.names import METHODS
from mine.training.loop import Training

MLP_BYTES = 32 << 20  # of a stack's activations on a CPU, where a group at a time is worked on
CACHE_BYTES = 12 << 20  # where all cells are
CUDA_BYTES = 4 << 30
USER_STACK = 16  # modules of a user's own, whose activations cannot be foreseen
SPLIT = 0.6, 0.2  # training and validation shares of own data; the rest is for the test


@dataclass(frozen=True)
class Own:
    """How one's own data are dealt and prepared; a task's are not.

    Attributes:
        preprocess: one of `mine.data.preprocessing.KINDS`; None for what the method takes.
        folds: 1 for one split by `SPLIT`; else so many equal parts, each of which is the test of
            a critic of its own.
        fold: the one that a critic is tested on, from 0.
        share: of the training rows that are trained on: less than 1 tells what rows are worth.
        copy: 0 for the rows as they are; else y is permuted, by numbers that ``copy`` names.
        layouts: what the columns of x and of y are; None for numbers.
        keeps_critic: whether the estimate brings its critic.
        keeps_influences: whether it brings what each test row adds to its error.
    """

    preprocess: str | None = None
    folds: int = 1
    fold: int = 0
    share: float = 1.0
    copy: int = 0
    layouts: tuple[Layout, Layout] | None = None
    keeps_critic: bool = False
    keeps_influences: bool = False

    def __post_init__(self) -> None:
        if self.preprocess is not None and self.preprocess not in KINDS:
            raise ValueError(
                f"preprocess must be one of {list(KINDS)}, got {self.preprocess!r}: take one"
            )
        whole = type(self.folds) is int and type(self.fold) is int
        if not whole or not 0 <= self.fold < self.folds:
            raise ValueError(
                f"folds must be a whole number >= 1, got {self.folds!r}: 1 for one split, or 5"
            )

    def training_rows(self, n: int) -> int:
        """The fewest that a fold trains on, of n."""
        if self.folds == 1:
            return self._shared(math.floor(n * SPLIT[0]))
        return self._shared(n - -(-n // self.folds) - self.validation_rows(n))

    def fitting(self, training: Training, n: int) -> Training:
        """With batches of at most half the training rows, of n."""
        most = max(2, self.training_rows(n) // 2)
        return replace(training, batch_size=min(training.batch_size, most))

    def _shared(self, rows: int) -> int:
        return math.floor(rows * self.share)

    def validation_rows(self, n: int) -> int:
        """Alike in all folds: the same share of what is not tested."""
        rest = n - -(-n // self.folds)
        return math.floor(rest * SPLIT[1] / (SPLIT[0] + SPLIT[1]))

    def deal(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the training, validation and test rows, in random order."""
        order = torch.randperm(n, generator=generator)
        if self.folds == 1:
            cuts = math.floor(n * SPLIT[0]), math.floor(n * (SPLIT[0] + SPLIT[1]))
            train, validation, test = order.tensor_split(cuts)
        else:
            blocks = order.tensor_split(self.folds)
            rest = torch.cat([*blocks[self.fold + 1 :], *blocks[: self.fold]])
            count = self.validation_rows(n)
            train, validation, test = rest[count:], rest[:count], blocks[self.fold]
        return train[: self._shared(len(train))], validation, test


@dataclass(frozen=True)
class Job:
    """One estimation.

    Attributes:
        data: a task, which gives fresh samples; a finite set, which deals itself; or (x, y) of
            own data, shapes (n, dx), (n, dy).
        method: a `Method`; a name among `methods()` is resolved here.
        seed: with ``key``, names every random number of the job.
        key: what the job's data are derived from; jobs of one key and seed see the same samples.
        training: how the critic is trained.
        critic: what the critic is.
        n: rows of a fixed data set drawn from a task; 0 for a stream of fresh samples.
        split: whether a task's rows are all there is, dealt as own data are; else the test has
            others.
        n_test: test samples drawn from a task, where its rows are not split.
        partners: marginal partners of each test sample.
        k: neighbours, for KSG.
        own: how own data are dealt and prepared.
    """

    data: Samples | Finite | tuple[Tensor, Tensor]
    method: Any = "mine"
    seed: int = 0
    key: str = ""
    training: Training = field(default_factory=Training)
    critic: CriticConfig = field(default_factory=MLP)
    n: int = 0
    split: bool = False
    n_test: int = 10_000
    partners: int = 10
    k: int = 3
    own: Own = field(default_factory=Own)

    def __post_init__(self) -> None:
        if isinstance(self.method, str):
            object.__setattr__(self, "method", METHODS.resolve(self.method))
        if self.split and not self.n:
            raise ValueError("a stream has no rows to split, got n=0: give n, such as 10000")
        if isinstance(self.data, Finite) and (self.n or self.method.is_direct):
            raise ValueError(
                f"a finite set deals itself to networks, got n={self.n} and method="
                f"{self.method.name!r}: set n=0 and take a method that trains one, such as mine"
            )
        rows = self.sizes()[0]
        if self.method.is_direct:
            if rows <= self.k or self.k < 1:
                raise ValueError(
                    f"{self.method.name} needs a fixed data set of more than k rows and k >= 1, "
                    f"got k={self.k} and {rows} rows: take another k, or n of more rows from a "
                    "task"
                )
            return
        if self.method.probe and isinstance(self.data, tuple):
            raise ValueError(
                f"{self.method.name} measures a critic on a task whose densities are known, got "
                "rows: take a task, or an estimator by name"
            )
        self.method.critic(self.critic)  # refuses one that the method cannot train
        n_train = self.own.training_rows(rows) if self.is_split else rows
        if n_train and self.training.batch_size > n_train:
            raise ValueError(
                f"a batch must fit into the training rows, got batch_size="
                f"{self.training.batch_size} for {n_train} training rows of {rows}: "
                "lower batch_size or bring more rows"
            )

    @property
    def is_split(self) -> bool:
        """Whether training, validation and test share one set of rows."""
        return self.split or isinstance(self.data, tuple)

    @property
    def folds(self) -> int:
        """Critics that are trained at one time, each tested on a part of the rows."""
        return self.own.folds if self.is_split else 1

    def rounds(self) -> list[list[Job]]:
        """What is trained for this job: the folds of each of the method's candidates; of a method
        that looks at what rows are worth, with each share of the training rows."""
        of_rows = replace(self, own=replace(self.own, keeps_influences=True))
        job = of_rows if len(self.shares) > 1 else self
        return [
            [replace(part, own=replace(part.own, fold=fold)) for fold in range(self.folds)]
            for way in [trained_as(job, one) for one in self.candidates()] or [job]
            for part in [way._on(share) for share in self.shares]
        ]

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the training rows, that each candidate is trained with."""
        return self.method.shares if self.is_split else (1.0,)

    def _on(self, share: float) -> Job:
        """The job that trains on a share of the training rows only, in batches that fit."""
        if share == 1.0:
            return self
        own = replace(self.own, share=share)
        return replace(self, own=own, training=own.fitting(self.training, self.sizes()[0]))

    def candidates(self) -> list[Candidate]:
        """What the method chooses from; a network of one's own starts where it starts."""
        there = self.method.candidates if self.is_split else ()
        return [c for c in there if isinstance(self.critic, MLP) or not c.residual]

    def network_steps(self) -> int:
        """Optimizer steps of all its networks together, at most."""
        if self.method.is_direct:
            return 0
        return sum(job.training.steps for parts in self.rounds() for job in parts)

    def sizes(self) -> tuple[int, int, int]:
        """(rows, dx, dy); 0 rows for a stream."""
        if isinstance(self.data, tuple):
            return len(self.data[0]), self.data[0].shape[1], self.data[1].shape[1]
        return self.n, self.data.dim_x, self.data.dim_y

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        return generator(self.seed, purpose, self.key, device)


def trained_as(job: Job, candidate: Candidate) -> Job:
    """The job by one candidate."""
    critic = job.critic
    if candidate.residual and isinstance(critic, MLP):
        critic = Residual(critic)
    own = replace(job.own, preprocess=job.own.preprocess or candidate.preprocess)
    return replace(job, method=candidate.method, critic=critic, own=own)


def plan(
    jobs: Sequence[Job], device: torch.device | str = "cpu", workers: int | None = None
) -> list[tuple[int, ...]]:
    """Which jobs go into which stack: indices of jobs, in order; one stack, one shape.

    On a CPU the jobs of one shape make as many stacks as keep all workers busy to the end (one a
    thread that torch may use), but no stack of one out of several (`even_parts`): a
    job's bits shall not depend on the machine's cores.
    """
    side_by_side = 1
    if torch.device(device).type == "cpu":
        side_by_side = workers or torch.get_num_threads()
    alike: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        alike.setdefault(_shape(job, i), []).append(i)
    stacks = []
    for indices in alike.values():
        n = len(indices)
        count = -(-n // stack_size(jobs[indices[0]], device))
        count = -(-count // side_by_side) * side_by_side
        stacks += [tuple(indices[part]) for part in even_parts(n, count)]
    return stacks


def _shape(job: Job, index: int) -> Any:
    if job.method.is_direct:
        return index
    shared = replace(job.training, learning_rate=1.0, ema_rate=1.0)
    shape = job.is_split, isinstance(job.data, Finite), job.sizes(), job.folds, job.own.share
    return shape, job.method, shared, job.critic, job.n_test, job.partners


def stack_size(job: Job, device: torch.device | str = "cpu") -> int:
    """How many jobs like this one make a stack."""
    if job.method.is_direct:
        return 1
    critic, rows = job.critic, job.training.batch_size * (1 + job.training.marginal_samples)
    if isinstance(critic, MLP):
        budget, cell = MLP_BYTES, activation_bytes(critic.hidden, rows)
    elif isinstance(critic, Convolutional):
        budget, cell = CACHE_BYTES, 4 * rows * critic.activations(*job.sizes()[1:])
    else:
        return max(1, USER_STACK // job.folds)
    if torch.device(device).type == "cuda":
        budget = CUDA_BYTES
    return max(1, budget // (cell * job.folds))


def network_steps(jobs: Iterable[Job]) -> int:
    """Optimizer steps of all jobs together, what a progress bar counts to."""
    return sum(job.network_steps() for job in jobs)
