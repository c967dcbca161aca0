"""The plan: which jobs are trained together, as one stack.

Jobs of equal shapes can share a stack. A stack's activations stay within a budget: a share of the
cache on a CPU, of the device's memory on CUDA, where the held-out rows are counted too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch

from mine.critics.buffers import activation_bytes, even_parts
from mine.critics.convolutional import Convolutional
from mine.critics.mlp import MLP
from mine.method.held_out import CHUNK_ROWS
from mine.running.jobs import Job

MLP_BYTES = 32 << 20  # of activations on a CPU, where a few cells are worked on at a time
CACHE_BYTES = 12 << 20  # where all cells are worked on at once
CUDA_BYTES = 4 << 30
CUDA_HELD_OUT_BYTES = 24 << 30  # of held-out rows and of what is computed from them
HELD_OUT_COPIES = 6  # of the marginal values: themselves, their weights, and the error's terms
PER_CELL = "learning_rate", "ema_rate"  # fields of `Training` that may differ in a stack
USER_STACK = 16  # a user's modules, whose activations nobody can foresee


def plan(
    jobs: Sequence[Job], device: torch.device | str = "cpu", workers: int | None = None
) -> list[tuple[int, ...]]:
    """Which jobs go into which stack: for each stack the indices of its jobs, in order.

    On a CPU the jobs of one shape are dealt into enough stacks to keep all workers busy to the
    end; None workers are as many as torch may use threads. Where there are several jobs, no stack
    has a single one (`even_parts`): a stack of one takes other kernels, and a job's bits must not
    depend on the number of cores.
    """
    side_by_side = 1
    if torch.device(device).type == "cpu":
        side_by_side = workers or torch.get_num_threads()
    stacks = []
    for indices in _of_equal_shape(jobs):
        count = -(-len(indices) // stack_size(jobs[indices[0]], device))
        count = -(-count // side_by_side) * side_by_side
        stacks += [tuple(indices[part]) for part in even_parts(len(indices), count)]
    return stacks


def _of_equal_shape(jobs: Sequence[Job]) -> list[list[int]]:
    """Indices of jobs that can share a stack; a job that trains nothing is alone."""
    groups: dict[Hashable, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault(i if job.method.direct else shape(job), []).append(i)
    return list(groups.values())


def shape(job: Job) -> Hashable:
    """Equal for jobs that can be cells of one stack: all but seed, rates and the rows' values."""
    shared = tuple((k, v) for k, v in vars(job.training).items() if k not in PER_CELL)
    return job.source.shape, job.method.name, shared, job.critic, job.n_test, job.partners


def stack_size(job: Job, device: torch.device | str = "cpu") -> int:
    """How many jobs like this one make a stack."""
    if job.method.direct:
        return 1
    critic, rows = job.critic, job.training.batch_size * (1 + job.training.marginal_samples)
    if isinstance(critic, MLP):
        budget, cell = MLP_BYTES, activation_bytes(critic.hidden, rows)
    elif isinstance(critic, Convolutional):
        budget, cell = CACHE_BYTES, 4 * rows * critic.activations(*job.source.sizes[1:])
    else:
        return max(1, USER_STACK // job.folds)
    if torch.device(device).type == "cuda":
        most = min(CUDA_BYTES // cell, CUDA_HELD_OUT_BYTES // held_out_bytes(job))
    else:
        most = budget // cell
    return max(1, most // job.folds)


def held_out_bytes(job: Job) -> int:
    """What one cell's rows take, and its values on those that are held out.

    The rows are counted twice, since those of all cells are stacked. An image's patches are
    counted too, for all cells work on one chunk of rows at a time.
    """
    n, *dims = job.source.sizes
    rows = n if job.source.split else n + job.n_test
    numbers = 2 * rows * sum(dims) + HELD_OUT_COPIES * rows * job.partners
    chunk = CHUNK_ROWS * (1 + job.partners)
    if isinstance(job.critic, Convolutional):
        return 4 * (numbers + chunk * job.critic.activations(*dims))
    return 4 * (numbers + chunk * (sum(dims) + 3))
