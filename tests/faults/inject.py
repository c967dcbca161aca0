"""Runs `python -m experiments` with something going wrong: `inject.py <fault> <override>...`.

A program of its own, since what is done to it (dying, filling its disk, turning back its clock)
must happen to nobody else.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

import mine.critics.mlp
import mine.data.sources
import mine.running.forecast
import mine.tasks
from experiments.suite.run import provenance
from experiments.suite.run.command import command
from experiments.suite.store import checkpoints, holder, lock

FAULTS: dict[str, Callable[[], None]] = {}
Fault = Callable[[], None]
BAD_RHO, BAD_SEED = 0.5, 2


def fault(act: Fault) -> Fault:
    FAULTS[act.__name__] = act
    return act


@fault
def none() -> None:
    """All is well."""


@fault
def limit_of_cpu_seconds() -> None:
    """Two, for each worker."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (2, resource.getrlimit(resource.RLIMIT_CPU)[1]))

    os.register_at_fork(after_in_child=limit)


@fault
def killed_inside_a_checkpoint() -> None:
    """The third checkpoint is cut in its middle, and every process is gone at once."""
    write, seen = checkpoints.write_atomic, iter(range(10**6))

    def dying(path: Path, data: bytes) -> None:
        if path.suffix == ".safetensors" and next(seen) == 2:
            path.with_name(f".{path.name}.half.tmp").write_bytes(data[: len(data) // 2])
            path.write_bytes(data[: len(data) // 2])  # as a file system that lost power has it
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, data)

    checkpoints.write_atomic = dying  # type: ignore[assignment]


def largest_file(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@fault
def no_room_for_rows() -> None:
    """Room for all that is written before the first rows."""
    largest_file(6_000)


@fault
def no_room_for_checkpoints() -> None:
    largest_file(200_000)


@fault
def no_room_for_figures() -> None:
    largest_file(12_000)


def sampling(act: Callable[[Any, int, Any, Any], Any]) -> None:
    """The task of one rho samples otherwise."""
    gaussian: Any = mine.tasks.CorrelatedGaussian
    sample = gaussian.sample

    def bad(self: Any, n: int, generator: torch.Generator) -> Any:
        drawn = sample(self, n, generator)
        return act(self, n, generator, drawn) if self.rho == BAD_RHO else drawn

    gaussian.sample = bad


@fault
def task_that_raises() -> None:
    def raising(*_: Any) -> Any:
        raise LookupError("no such file of samples")

    sampling(raising)


@fault
def task_that_hangs() -> None:
    started = time.monotonic()  # the forecast may have its sample

    def hanging(task: Any, n: int, generator: Any, drawn: Any) -> Any:
        if time.monotonic() - started > 1 and n > 1000:
            time.sleep(3600)
        return drawn

    sampling(hanging)


@fault
def task_that_gives_nan() -> None:
    sampling(lambda task, n, generator, drawn: tuple(v * torch.nan for v in drawn))


@fault
def cell_that_diverges() -> None:
    """One seed's training data are of an absurd size; its test data are as ever."""
    deal = mine.data.sources.Fresh.deal

    class Absurd:
        def __init__(self, source: Any) -> None:
            self.source = source
            self.dim_x, self.dim_y = source.dim_x, source.dim_y

        def draw(self, *arguments: Any) -> Any:
            x, y = self.source.draw(*arguments)
            return x * 1e38, y * 1e38

    def bad(source: Any, seed: int, *rest: Any) -> Any:
        dealt = deal(source, seed, *rest)
        if seed == BAD_SEED:
            object.__setattr__(dealt, "batches", Absurd(dealt.batches))
        return dealt

    mine.data.sources.Fresh.deal = bad  # type: ignore[method-assign]


def larger_stacks(act: Callable[[], None]) -> None:
    """No room for more than two networks at once."""
    stack = mine.critics.MLP.stack

    def small(self: Any, dx: int, dy: int, generators: Any, device: Any) -> Any:
        if len(generators) > 2:
            act()
        return stack(self, dx, dy, generators, device)

    mine.critics.MLP.stack = small  # type: ignore[method-assign]


@fault
def memory_of_cuda_that_runs_out() -> None:
    """By the name of CUDA's error, since there may be no such device here."""

    def refuse() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory: tried to allocate 80 GiB")

    larger_stacks(refuse)


@fault
def memory_that_runs_out() -> None:
    """By the allocator's own error."""
    larger_stacks(lambda: torch.empty(1 << 60) and None)


@fault
def memory_that_runs_out_by_the_systems_killer() -> None:
    """It takes the process of a stack; the caller, which tried a few steps before, it leaves."""

    def die() -> None:
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    larger_stacks(die)


@fault
def forecast_that_fails() -> None:
    """No stack is known to be the longest: they begin in the order of their cells."""

    def fail(*_: object) -> None:
        raise ArithmeticError("nothing is foretold")

    mine.running.forecast.forecast = fail  # type: ignore[assignment]


@fault
def clock_that_jumps_back() -> None:
    """By a day at every third reading: the heartbeat's, the status's, and the log's."""
    now, seen = time.time, iter(range(10**9))

    def jumping() -> float:
        return now() - 86_400.0 * (next(seen) // 3)

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(jumping(), tz)

    time.time = jumping  # type: ignore[assignment]
    provenance.datetime = Jumping  # type: ignore[misc]
    holder.BEAT_SECONDS = 0.1  # type: ignore[misc]


def beats(seconds: float, stale: float) -> None:
    holder.BEAT_SECONDS, holder.STALE_SECONDS = seconds, stale  # type: ignore[misc]
    lock.LOOK_SECONDS, lock.GUARD_SECONDS = 0.1, 3.0  # type: ignore[misc]


@fault
def in_a_container() -> None:
    """Its process number counts elsewhere: only its heartbeat can be seen."""
    beats(0.2, 2.0)
    holder.namespace = lambda: "pid:[a container]"  # type: ignore[assignment]


@fault
def outside() -> None:
    """Watches the one in the container."""
    beats(0.2, 2.0)


if __name__ == "__main__":
    FAULTS[sys.argv.pop(1)]()
    sys.exit(command())
