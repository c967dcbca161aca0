"""Jobs that the tests of running share: small ones, and a task that raises."""

import dataclasses

import torch

from mine.critics.mlp import MLP
from mine.data.columns import Layout
from mine.data.own_rows import Given, OwnRows
from mine.data.sources import of_task
from mine.method.names import METHODS
from mine.running.events import Done
from mine.running.jobs import Job
from mine.running.run import run
from mine.tasks import CorrelatedGaussian
from mine.training.settings import Training

TRAINING = Training(steps=20, batch_size=16)
SMALL = MLP((8,))


def job(task=None, method="mine", n=0, **changes):
    task = task or CorrelatedGaussian(1, 0.5)
    options = {"training": TRAINING, "critic": SMALL, "n_test": 100, "key": repr(task)}
    return Job(of_task(task, n), METHODS[method], **{**options, **changes})


def rows_job(x, y, method="mine", **changes):
    layouts = Layout.numbers(x.shape[1]), Layout.numbers(y.shape[1])
    options = {"training": TRAINING, "critic": SMALL, "key": "own"}
    return Job(OwnRows(Given(x, y), layouts), METHODS[method], **{**options, **changes})


def outcomes(jobs, **options):
    found = {e.job: e.outcome for e in run(jobs, "cpu", **options) if isinstance(e, Done)}
    return [found[i] for i in range(len(jobs))]


@dataclasses.dataclass(frozen=True)
class Raises:
    """A task of a user's that raises, after so many samples."""

    after: int = 0
    dim_x: int = 1
    dim_y: int = 1
    mi: float = 0.0

    def sample(self, n, generator):
        raise OSError("no such data")


@dataclasses.dataclass
class Unhashable:
    """A task of a user's with a list, as a config gives it."""

    noise: list
    dim_x: int = 1
    dim_y: int = 1
    mi: float = 0.3

    def sample(self, n, generator):
        x, noise = torch.randn(2, n, 1, generator=generator)
        return x, x + self.noise[0] * noise
