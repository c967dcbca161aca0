"""How long stacks will take: a little of each kind is timed and scaled."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TypeVar

import torch

from mine.method.method import Direct
from mine.running.candidates import train_stack
from mine.running.devices import resolve_device, working_on
from mine.running.jobs import Job
from mine.training.capture import WARM_STEPS

T = TypeVar("T")
Clock = Callable[[], float]
"""Gives seconds, such as `time.perf_counter`."""

KSG_TREE_DIMS = 4  # columns of x; with more, KSG compares all pairs
FORECAST_SECONDS = 10.0  # after which no further kind of stack is tried
LEAST_ROWS = 200  # that a method without training is tried on


def forecast(
    jobs: Sequence[Job],
    stacks: Sequence[tuple[int, ...]],
    clock: Clock,
    device: str = "auto",
) -> list[float]:
    """About how many seconds each stack takes.

    Where there are many kinds, `FORECAST_SECONDS` may not be enough to try all. The others are
    taken to cost as much a step (or, where nothing is trained, a job) as those of their method.

    Args:
        jobs: what is to be estimated.
        stacks: as `plan` dealt them.
        clock: gives seconds.
        device: as for `run`.
    """
    where = resolve_device(device)
    per_job: dict[Hashable, float] = {}
    rates: dict[str, list[float]] = {}
    seconds: dict[tuple[int, ...], float] = {}
    started = clock()
    for stack in _by_turns(stacks, lambda stack: jobs[stack[0]].method.name):
        job = jobs[stack[0]]
        name = job.method.name
        kind = (name, job.source.sizes, len(stack), job.critic, job.training)
        work = job.network_steps or 1
        if kind not in per_job and name in rates and clock() - started > FORECAST_SECONDS:
            per_job[kind] = statistics.fmean(rates[name]) * work
        if kind not in per_job:
            with working_on(where):
                per_job[kind] = _seconds(job, len(stack), where, clock)
            rates.setdefault(name, []).append(per_job[kind] / work)
        seconds[stack] = per_job[kind] * len(stack)
    return [seconds[stack] for stack in stacks]


def makespan(seconds: Iterable[float], workers: int) -> float:
    """How long all stacks take when each goes, in this order, to the first worker that is free."""
    busy_until = [0.0] * workers
    for spent in seconds:
        heapq.heapreplace(busy_until, busy_until[0] + spent)
    return max(busy_until)


def _by_turns(items: Sequence[T], group: Callable[[T], str]) -> Iterator[T]:
    """The first item of each group, then the second of each, and so on."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    for row in zip_longest(*groups.values(), fillvalue=None):
        yield from (item for item in row if item is not None)


def _seconds(job: Job, k: int, device: torch.device, clock: Clock) -> float:
    """Seconds of one job in a stack of k."""
    if job.method.direct:
        return _direct_seconds(job, job.method.direct, device, clock)
    return _training_seconds(job, k, device, clock)


def _direct_seconds(job: Job, direct: Direct, device: torch.device, clock: Clock) -> float:
    """From a fifth of the rows. Time grows with n, or with n^2 where all pairs are compared."""
    x, y = job.source.all_rows(job.seed, job.key)
    n, few = len(x), min(len(x), max(LEAST_ROWS, len(x) // 5))
    started = clock()
    direct(x[:few], y[:few], job.k, job.seed, str(device))
    growth = 2.0 if x.shape[1] > KSG_TREE_DIMS else 1.0
    return (clock() - started) * (n / few) ** growth


def _training_seconds(job: Job, k: int, device: torch.device, clock: Clock) -> float:
    """From the difference of two short trainings: what does not grow with the steps cancels.

    The first of three trials pays for what is done once in a process, and does not count. On CUDA
    both others capture a graph, and what is left is the cost of its replays.
    """
    spent = []
    short = 2 if device.type == "cpu" else WARM_STEPS + 2
    longer = short + max(1, min(20, job.training.steps // 10))  # cost less than the whole training
    for steps in (short, short, longer):
        few = replace(job, training=replace(job.training, steps=steps), n_test=100)
        started = clock()
        for moment in train_stack([few] * k, device):
            if moment.last:
                break  # the estimates do not grow with the steps
        spent.append(clock() - started)
    return max(spent[2] - spent[1], 0.0) / (longer - short) * job.training.steps / k
