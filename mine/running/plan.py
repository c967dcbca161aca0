"""The plan: which jobs are trained together, as one stack.

Jobs of equal shapes can share a stack, as many as its `stack_size` allows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch

from mine.critics.buffers import even_parts
from mine.running.jobs import AnyJob


def plan(
    jobs: Sequence[AnyJob], device: torch.device | str = "cpu", workers: int | None = None
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
        count = -(-len(indices) // jobs[indices[0]].stack_size(device))
        count = -(-count // side_by_side) * side_by_side
        stacks += [tuple(indices[part]) for part in even_parts(len(indices), count)]
    return stacks


def _of_equal_shape(jobs: Sequence[AnyJob]) -> list[list[int]]:
    """Indices of jobs that can share a stack; a job that trains nothing is alone."""
    groups: dict[Hashable, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault(job.shape if job.network_steps else i, []).append(i)
    return list(groups.values())
