"""The contenders: each trains K networks for a number of steps, from new networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from benchmarks import baselines
from benchmarks.cases import Shape
from mine.critics.mlp import MLP
from mine.data.sources import Fresh
from mine.method.names import METHODS
from mine.running.events import Done, Failure
from mine.running.jobs import Job
from mine.running.run import run
from mine.training.settings import Training

STACKED, CAREFUL, NOTEBOOK = "stacked", "careful", "notebook"


@dataclass(frozen=True)
class Contender:
    """A way to train K networks.

    Attributes:
        name: `STACKED`, `CAREFUL` or `NOTEBOOK`.
        shape: the networks' step.
        k: networks that one call of `train` trains.
        threads: torch's threads; the stacked core runs as many stacks at once.
    """

    name: str
    shape: Shape
    k: int
    threads: int

    def train(self, steps: int) -> None:
        """Trains each network for so many steps."""
        torch.set_num_threads(self.threads)
        _TRAIN[self.name](self.shape, self.k, steps)

    def __str__(self) -> str:
        return f"{self.name} {self.shape} K={self.k}, {self.threads} threads"


def contenders(cases: Mapping[Shape, tuple[int, ...]], threads: int) -> Iterator[Contender]:
    """All contenders, in the order of a round."""
    for shape, stacked in cases.items():
        for name in (CAREFUL, NOTEBOOK):
            for n in sorted({1, threads}):
                yield Contender(name, shape, 1, n)
        for k in stacked:
            yield Contender(STACKED, shape, k, threads)


def stack(shape: Shape, k: int, steps: int) -> None:
    """The stacked core as users run it: jobs in, estimates out, several stacks at once."""
    training = Training(
        steps=steps,
        batch_size=shape.batch,
        marginal_samples=shape.marginal_samples,
        learning_rate=baselines.LEARNING_RATE,
        ema_rate=baselines.EMA_RATE,
    )
    critic = MLP(hidden=(shape.hidden, shape.hidden), activation="elu")
    jobs = [
        Job(
            Fresh(baselines.task(shape)),
            METHODS.resolve("mine"),
            seed=i,
            training=training,
            critic=critic,
            n_test=shape.batch,
        )
        for i in range(k)
    ]
    for event in run(jobs, device="cpu"):
        if isinstance(event, Done) and isinstance(event.outcome, Failure):
            raise RuntimeError(f"a network could not be trained: {event.outcome.reason}")


def _careful(shape: Shape, k: int, steps: int) -> None:
    baselines.careful(shape, steps)


def _notebook(shape: Shape, k: int, steps: int) -> None:
    baselines.notebook(shape, steps)


_TRAIN: Mapping[str, Callable[[Shape, int, int], None]] = {
    STACKED: stack,
    CAREFUL: _careful,
    NOTEBOOK: _notebook,
}
