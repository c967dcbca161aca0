"""How long stacks will take: a little of each kind is timed and scaled.

A kind of which even a little takes long is not tried: its seconds are told from its shape.
"""

from __future__ import annotations

import heapq
import statistics
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple, TypeVar

import torch

from mine.method.method import Direct
from mine.running.begin import train_stack
from mine.running.devices import resolve_device, working_on
from mine.running.jobs import AnyJob, Job
from mine.running.needs import SPEED, seconds_of, work_of
from mine.training.capture import WARM_STEPS

T = TypeVar("T")
Clock = Callable[[], float]
"""Gives seconds, such as `time.perf_counter`."""

KSG_TREE_DIMS = 4  # columns of x; with more, KSG compares all pairs
FORECAST_SECONDS = 10.0  # after which no further kind of stack is tried
LEAST_ROWS = 200  # that a method without training is tried on
SHORT_STEPS = 2
LONGER_STEPS = 20  # by which the longer trial is longer
CLEARLY, LONG_ENOUGH = 1.5, 1.0  # times the shorter trial, and seconds: no longer trial is needed
LONG = 20.0  # seconds: a kind whose trials take longer, as far as its shape tells, is not tried
FEW_TESTS, MORE_TESTS = 1 / 20, 1 / 4  # of the test rows


class Cost(NamedTuple):
    """What one job of a stack takes, in seconds.

    Attributes:
        fixed: what does not grow with the steps, such as the test.
        step: each step of all its trainings together.
    """

    fixed: float
    step: float

    def seconds(self, steps: float) -> float:
        return self.fixed + self.step * steps


def forecast(
    jobs: Sequence[AnyJob],
    stacks: Sequence[tuple[int, ...]],
    clock: Clock,
    device: str = "auto",
    limit: float = FORECAST_SECONDS,
) -> list[float]:
    """About how many seconds each stack takes.

    Where there are many kinds, `limit` may not be enough to try all. The others are taken to cost
    what those of their method cost on average, whatever its parameters.

    Args:
        jobs: what is to be estimated.
        stacks: as `plan` dealt them.
        clock: gives seconds.
        device: as for `run`.
        limit: seconds after which no further kind of stack is tried, but for one of each method.
    """
    where = resolve_device(device)
    per_job: dict[Hashable, Cost] = {}
    tried: dict[str, list[Cost]] = {}
    seconds: dict[tuple[int, ...], float] = {}
    started = clock()
    for stack in _by_turns(stacks, lambda stack: jobs[stack[0]].family):
        job = jobs[stack[0]]
        name = job.family
        kind = _kind(job, len(stack))
        if kind not in per_job and name in tried and clock() - started > limit:
            per_job[kind] = Cost(*(statistics.fmean(of) for of in zip(*tried[name], strict=True)))
        if kind not in per_job:
            with working_on(where):
                per_job[kind] = _cost(job, len(stack), where, clock)
            tried.setdefault(name, []).append(per_job[kind])
        seconds[stack] = per_job[kind].seconds(job.likely_steps) * len(stack)
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


def _kind(job: AnyJob, k: int) -> Hashable:
    """Equal for stacks that cost the same."""
    if isinstance(job, Job):
        return job.method.name, job.source.sizes, k, job.critic, job.training
    return job.shape, k


def _cost(job: AnyJob, k: int, device: torch.device, clock: Clock) -> Cost:
    """Of one job in a stack of k."""
    if isinstance(job, Job) and device.type == "cpu" and _trial_seconds(job, k) > LONG:
        return Cost(seconds_of(job), 0.0)
    if isinstance(job, Job) and job.method.direct:
        return Cost(_direct_seconds(job, job.method.direct, device, clock), 0.0)
    return _training_cost(job, k, device, clock)


def _trial_seconds(job: Job, k: int) -> float:
    """About how long trying a job in a stack of k takes, at least, on one core."""
    if job.method.is_direct:
        n, dx, dy = job.source.sizes
        return 2.0 * job.method.work(n // 5, dx, dy) / SPEED
    work = work_of(job)
    return k * (3.0 * SHORT_STEPS * work.step + work.look * (3 * FEW_TESTS + MORE_TESTS)) / SPEED


def _direct_seconds(job: Job, direct: Direct, device: torch.device, clock: Clock) -> float:
    """From a fifth of the rows. Time grows with n, or with n^2 where all pairs are compared.

    The first of two trials pays for what is done once in a process, and does not count.
    """
    x, y = job.source.all_rows(job.seed, job.key)
    n, few = len(x), min(len(x), max(LEAST_ROWS, len(x) // 5))
    direct(x[:few], y[:few], job.k, job.seed, str(device))
    started = clock()
    direct(x[:few], y[:few], job.k, job.seed, str(device))
    growth = 2.0 if x.shape[1] > KSG_TREE_DIMS else 1.0
    return (clock() - started) * (n / few) ** growth


def _training_cost(job: AnyJob, k: int, device: torch.device, clock: Clock) -> Cost:
    """From short trainings to their estimates: seconds are linear in the steps and test rows.

    The first trial pays for what is done once in a process, and does not count. On CUDA
    the others capture a graph, and what is left of their difference is the cost of its replays.
    """
    least = max(1, round(job.n_test * FEW_TESTS))
    few, more = max(least, min(job.n_test, 100)), max(least, round(job.n_test * MORE_TESTS))
    fewest = SHORT_STEPS if device.type == "cpu" else WARM_STEPS + SHORT_STEPS
    most = max(1, job.training.steps // 10)  # to cost less than the whole training
    further = min(LONGER_STEPS, most)

    def trial(steps: int, n_test: int) -> float:
        shorter = replace(job, training=replace(job.training, steps=steps), n_test=n_test)
        started = clock()
        deque(train_stack([shorter] * k, device), maxlen=0)
        return clock() - started

    trial(fewest, few)
    short = trial(fewest, few)
    took = trial(fewest + further, few)
    # Where little depends on the steps, their cost drowns in the noise of a short trial.
    while took < min(CLEARLY * short, short + LONG_ENOUGH) and further < most:
        further = min(2 * further, most)
        took = trial(fewest + further, few)
    of_steps = max(took - short, 0.0) / further
    fixed = max(0.0, short - of_steps * fewest)
    # The test rows of a split do not follow n_test.
    if more > few and not (isinstance(job, Job) and job.source.split):
        fixed += max(trial(fewest, more) - short, 0.0) / (more - few) * (job.n_test - few)
    return Cost(fixed / k, of_steps / k)
