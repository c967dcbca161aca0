"""What a job needs at least, told from its shape before anything is allocated: memory and work."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch

from mine.critics.buffers import activation_bytes
from mine.critics.convolutional import Convolutional
from mine.critics.mlp import MLP
from mine.critics.parameters import parameter_shapes
from mine.memory import ADVICE, GB, Memory, of_this_process
from mine.method.held_out import CHUNK_ROWS
from mine.running.jobs import AnyJob, Job

SPEED = 5e10
"""Floating-point operations a second of one core, about: within a factor of three as it comes."""
STEP_SECONDS = 2e-4  # of a step that computes next to nothing
OF_A_BYTE = 10.0  # operations that take as long as to write and read a byte of activations
FLOAT = 4  # bytes
COPIES = 4  # of the parameters: themselves, their gradient, and two moments of Adam's


class Work(NamedTuple):
    """Floating-point operations of a training.

    Attributes:
        step: of one step.
        look: of one look at held-out rows, where there are some, and of the test.
    """

    step: float
    look: float


def least_bytes(job: AnyJob) -> int:
    """What one network of the job takes, or its rows; there may be more beside.

    Nothing is known of an application's networks, nor of a user's module.
    """
    if not isinstance(job, Job):
        return 0
    n, dx, dy = job.source.sizes
    rows = FLOAT * n * (dx + dy)
    if job.method.is_direct:
        return rows
    rows += FLOAT * _held_out(job) * (dx + dy + _partners(job))
    batch = job.training.batch_size * (1 + job.training.marginal_samples)
    critic = job.critic
    if isinstance(critic, Convolutional):
        return rows + FLOAT * batch * critic.activations(dx, dy)
    if not isinstance(critic, MLP) or job.method.critic(critic) is not critic:
        return rows
    activations = activation_bytes(critic.hidden, batch) + activation_bytes(
        critic.hidden, min(CHUNK_ROWS, _held_out(job)) * (1 + _partners(job))
    )
    return rows + COPIES * FLOAT * _parameters(job) + activations


def work_of(job: Job) -> Work:
    """Of one network. A product of matrices takes two operations for each parameter and row."""
    batch = job.training.batch_size * (1 + job.training.marginal_samples)
    pairs = _held_out(job) * (1 + _partners(job))
    hidden = job.critic.hidden if isinstance(job.critic, MLP) else (1,)
    return Work(
        6.0 * batch * _parameters(job) + 3 * OF_A_BYTE * activation_bytes(hidden, batch),
        2.0 * pairs * _parameters(job) + OF_A_BYTE * activation_bytes(hidden, pairs),
    )


def seconds_of(job: AnyJob) -> float:
    """About how long a job takes on one core, within a factor of ten; 0 where nobody knows."""
    if not isinstance(job, Job):
        return 0.0
    if job.method.is_direct:
        return job.method.work(*job.source.sizes) / SPEED
    work, steps = work_of(job), job.likely_steps
    looks = 1.0 + (steps / job.training.validate_every if job.source.split else 0.0)
    trainings = job.trainings
    return trainings * (steps * (STEP_SECONDS + work.step / SPEED) + looks * work.look / SPEED)


def check_fits(jobs: Iterable[AnyJob], device: torch.device) -> None:
    """Refuses jobs that memory cannot hold, before any of them begins.

    Raises:
        ValueError: one needs more than there can ever be.
        MemoryError: one needs more than is free now.
    """
    needed = max((least_bytes(job) for job in jobs), default=0)
    memory = _of(device)
    where = "on the device" if device.type == "cuda" else "for this process"
    if needed > memory.most:
        raise ValueError(
            f"expected an estimation that fits into memory, got one of {needed / GB:.3g} GB or "
            f"more, and there are {memory.most / GB:.3g} GB {where}: {ADVICE}"
        )
    if needed > memory.free:
        raise MemoryError(
            f"expected {needed / GB:.3g} GB of free memory or more, got "
            f"{memory.free / GB:.3g} GB {where}: end other programs, {ADVICE}"
        )


def _of(device: torch.device) -> Memory:
    if device.type == "cuda":
        free, most = torch.cuda.mem_get_info(device)
        return Memory(most, free)
    return of_this_process()


def _parameters(job: Job) -> int:
    _, dx, dy = job.source.sizes
    if not isinstance(job.critic, MLP):
        return 0
    return sum(math.prod(shape) for shape in parameter_shapes(dx, dy, tuple(job.critic.hidden)))


def _held_out(job: Job) -> int:
    """The rows of a validation or a test."""
    if job.source.split:
        return job.source.split.validation_rows(job.source.sizes[0])
    return job.n_test


def _partners(job: Job) -> int:
    return min(job.partners, max(_held_out(job) - 1, 0))
