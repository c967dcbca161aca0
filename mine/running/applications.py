r"""Applications: models that are trained beside a statistics network (Sec. 5 of the paper).

An estimation asks for the mutual information of given samples. In an application the samples come
from a model in training: a generator, an encoder. It goes the same way as an estimation, from a
cell of a grid to a row, in stacks, with checkpoints, on all cores.

What an application writes is two classes; `mine.running.application_run` does the rest.

**Application**, a frozen dataclass whose fields are the config's keys. It is the same for all arms
of a comparison: the arm is a text of the job, such as "mine(beta=0.3)", which the model makes into
tensors with one entry a cell. So the arms and the seeds of an experiment are one stack, and since
no random number depends on the arm, cells of one seed are pairs.

**Model**, K cells in training: it draws batches, does a step, and records what the measures need.

    model = application.start(jobs, device)
    for each block of S steps:
        batches = model.draw(S)                  tensors (S, K, ...)
        losses = model.step(batch)               (L, K), for each of the S batches
    records[step] = model.record(last)           at the application's moments and at the end
    application.measured(job, records_of_cell)   of each cell that has not diverged

Shapes: K cells, B rows of a batch, S steps of a block, L losses.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from mine.critics.mlp import MLP
from mine.critics.protocol import CriticConfig
from mine.data.generators import generator
from mine.data.pairs import Shifts
from mine.training.settings import Training

CPU_BYTES = 32 << 20  # of activations of one stack
CUDA_BYTES = 4 << 30

Records = Mapping[int, Mapping[str, Tensor]]
"""Step -> name -> what was recorded of one cell then, without the axis K, on the CPU."""


@dataclass(frozen=True)
class Measured:
    """What came of one cell.

    Attributes:
        measures: name -> a number, a text, or (nested) lists of them, such as sampled points for
            a figure. They become the JSON object in the row's column `measures`.
        nats: a mutual information estimated on rows that trained nothing, in nats; nan for none.
        stderr: its standard error.
        n_test: the rows that it was measured on.
        n_train: the rows that training drew from; None for steps x batch_size fresh ones.
        truth: the true mutual information, where it is known.
        warnings: reasons to doubt the values.
    """

    measures: Mapping[str, Any]
    nats: float = math.nan
    stderr: float = math.nan
    n_test: int = 0
    n_train: int | None = None
    truth: float = math.nan
    warnings: tuple[str, ...] = ()


class Model(Protocol):
    """K cells in training.

    Attributes:
        generators: all whose states later steps depend on.
        block: how many steps' batches are drawn at once; it must not depend on K or the arms.
    """

    @property
    def generators(self) -> Sequence[Generator]: ...

    @property
    def block(self) -> int: ...

    def draw(self, steps: int) -> Sequence[Tensor]:
        """The batches of the next steps, each tensor with the axes (steps, K, ...).

        Each cell draws from its own generators, and every arm draws the same.
        """
        ...

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        """Does one step of all cells.

        Args:
            batch: one step's slice of what `draw` gave.
            step: steps done before this one.

        Returns:
            (L, K) on the device. Row 0 is the training value in nats, which the curve shows. A
            cell in whose column anything is not finite has diverged.
        """
        ...

    def finite(self) -> Tensor:
        """Whether all parameters of each cell are finite, (K,)."""
        ...

    def named(self) -> Mapping[str, Tensor]:
        """All tensors that later steps depend on, to be saved and written back into."""
        ...

    def record(self, last: bool) -> Mapping[str, Tensor]:
        """What the measures need of this moment, each (K, ...). It changes nothing.

        It draws from generators of its own, such as ``job.generator("look")``, made anew at each
        call, so that all moments and arms look at equal noise.

        Args:
            last: whether the training has ended.
        """
        ...


class Application(Protocol):
    """A frozen dataclass whose fields are the config's keys. It holds no arm and no seed."""

    @property
    def dim(self) -> int:
        """The columns of a row of data, for the row's column `dim`."""
        ...

    def check(self, job: ApplicationJob) -> None:
        """
        Raises:
            ValueError: the job's arm, training or critic does not go with the application.
        """
        ...

    def activations(self, job: ApplicationJob) -> int:
        """About how many numbers one cell's step keeps: what a stack's size is derived from."""
        ...

    def moments(self, steps: int) -> Sequence[int]:
        """The steps, of so many, after which the model is recorded, beside the last one; 0 is
        before the first."""
        ...

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> Model:
        """K new cells, one for each job."""
        ...

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        """What came of one cell, from its records alone: no network, on the CPU."""
        ...


def is_application(made: object) -> bool:
    """Whether what a config describes is an application; otherwise it is a task or a source."""
    return all(hasattr(made, name) for name in ("start", "measured", "moments"))


@dataclass(frozen=True)
class ApplicationJob:
    """One cell of an application, with everything resolved.

    Attributes:
        application: what is trained; equal for jobs that can share a stack.
        arm: which variant of it; its tensors are per cell.
        seed: names, with ``key``, every random number of the job.
        key: jobs of one key and seed see the same samples.
        training: of the statistics network; its steps and batch are those of all networks.
        critic: the statistics network.
        n_test: rows that measures may take.
        partners: marginal partners of each of them.
    """

    application: Application
    arm: str
    seed: int = 0
    key: str = ""
    training: Training = field(default_factory=Training)
    critic: CriticConfig = field(default_factory=MLP)
    n_test: int = 10_000
    partners: int = 10

    def __post_init__(self) -> None:
        if self.training.marginal != "derangement":
            raise ValueError(
                "an application pairs the rows of a batch by cyclic shifts, got "
                f"marginal={self.training.marginal!r}: take train.marginal=derangement"
            )
        self.application.check(self)

    @property
    def pairing(self) -> Shifts:
        """How a batch's rows make marginal pairs, `marginal_samples` for each joint one."""
        return Shifts(self.training.marginal_samples)

    @property
    def family(self) -> str:
        return type(self.application).__name__

    @property
    def shape(self) -> Hashable:
        """Equal for jobs that can be cells of one stack: all but arm, seed and key."""
        return self.application, self.training, self.critic, self.n_test, self.partners

    @property
    def network_steps(self) -> int:
        return self.training.steps

    @property
    def likely_steps(self) -> float:
        return self.training.steps

    @property
    def dim(self) -> int:
        return self.application.dim

    @property
    def truth(self) -> float:
        """Unknown before the model is trained."""
        return math.nan

    @property
    def data(self) -> Any:
        """The data set that the application names; None where it has none."""
        return getattr(self.application, "data", None)

    def stack_size(self, device: torch.device | str = "cpu") -> int:
        """How many jobs like this one make a stack."""
        budget = CUDA_BYTES if torch.device(device).type == "cuda" else CPU_BYTES
        return max(1, budget // (4 * max(1, self.application.activations(self))))

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> Generator:
        """A stream of random numbers of this name, equal for all arms of one seed."""
        return generator(self.seed, purpose, self.key, device)
