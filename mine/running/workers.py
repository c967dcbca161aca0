"""From jobs to estimates: each stack on one thread, several stacks at a time.

Threads that share one stack would wait for each other at each of its few dozen small operations
(and, on a machine with other work, for as long as the scheduler likes), and the results would
depend on how many there are. Threads with a stack each would wait for Python's lock as often. So
on a CPU a stack has a process with one thread, and the stacks run side by side.

A stack that raises, or whose process dies, is halved until the job to blame stands alone: its
neighbours end as they would have. Whoever runs for long brings `Care`: where states are kept, when
to stop, how long to wait.
"""

from __future__ import annotations

import heapq
import logging
import math
import multiprocessing
import os
import signal
import statistics
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar, cast

import torch

from mine.running.estimates import Estimate
from mine.running.jobs import Job, plan
from mine.running.stacks import State, direct_estimate, train_stack

log = logging.getLogger(__name__)
T = TypeVar("T")

KSG_TREE_DIMS = 4  # of x: beyond, KSG compares all pairs
FORECAST_SECONDS = 10.0  # after which no further kind of stack is tried
_POLL_SECONDS = 0.2  # between two looks at whether to stop
_STOP_SECONDS = 60.0  # for a process to end its block and save its state


@dataclass(frozen=True)
class Failure:
    """A job that raised: its reason stands where its estimate would."""

    reason: str


@dataclass(frozen=True)
class Began:
    """News of a stack that starts: its jobs' indices."""

    jobs: tuple[int, ...]


@dataclass(frozen=True)
class Advance:
    """News of a stack in training: its jobs' indices, and the steps done since the last news."""

    jobs: tuple[int, ...]
    steps: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Halved:
    """News of a stack that could not go on whole, and why; its halves begin anew."""

    jobs: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Done:
    """News of a job that has ended."""

    job: int
    outcome: Estimate | Failure


News = Began | Advance | Halved | Done


class Keeper(Protocol):
    """Where the states of stacks in training are kept, between two lives of a program."""

    def load(self, stack: tuple[int, ...]) -> Iterator[State]:
        """The states kept of this stack, the newest first."""
        ...

    def due(self, stack: tuple[int, ...]) -> bool:
        """Whether it is time to save."""
        ...

    def save(self, stack: tuple[int, ...], state: State) -> None: ...


class Stopped(Exception):
    """Raised by `run` where `Care.stopping` asked for it; all that is open was saved."""


@dataclass(frozen=True)
class Care:
    """How a long run is looked after. The default keeps nothing and waits for ever.

    Attributes:
        keeper: where states are kept.
        stopping: asked after each block of steps; true ends the run by `Stopped`.
        time_limit: seconds without news after which a stack's process is given up (not on CUDA).
        clock: gives seconds, such as `time.monotonic`; needed by a time limit.
    """

    keeper: Keeper | None = None
    stopping: Callable[[], bool] = lambda: False
    time_limit: float = math.inf
    clock: Callable[[], float] = lambda: 0.0


def resolve_device(device: str) -> torch.device:
    """ "auto" takes CUDA where there is one."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        found = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}") from None
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r} is not there: torch finds {torch.cuda.device_count()} of CUDA; "
            "use device=auto or device=cpu"
        )
    return found


def run(
    jobs: Sequence[Job],
    device: str = "auto",
    workers: int | None = None,
    stacks: Sequence[tuple[int, ...]] | None = None,
    care: Care | None = None,
) -> Iterator[News]:
    """Estimates every job; yields news as they come. Every job ends with one `Done`.

    Args:
        jobs: what to estimate.
        device: "auto", "cpu" or "cuda".
        workers: stacks trained at one time on a CPU; None for one a thread that torch may use.
        stacks: the stacks to run, where not all of `plan`.
        care: how the run is looked after.

    Raises:
        Stopped: `care.stopping` asked for it.
    """
    care = care or Care()
    where = resolve_device(device)
    todo = list(plan(jobs, where, workers) if stacks is None else stacks)
    count = workers_for(len(todo), where, workers)
    forked = _can_fork(where) and (count > 1 or care.time_limit < math.inf)
    if todo and forked:
        yield from _side_by_side(jobs, todo, where, count, care)
        return
    for stack in todo:
        with _one_thread(where):
            yield from _run_stack(jobs, stack, where, care)


def _can_fork(device: torch.device) -> bool:
    return device.type == "cpu" and sys.platform.startswith("linux")


def workers_for(stacks: int, device: torch.device, asked: int | None = None) -> int:
    """How many stacks run at one time: one on CUDA, and where processes cannot be forked."""
    if not _can_fork(device):
        return 1
    return max(1, min(asked or torch.get_num_threads(), stacks))


class _one_thread:
    """Sets torch to one thread for a while, on a CPU, and lets numbers below 1e-38 be 0.

    Weights exp(T - c) of far marginal pairs are such numbers, and a processor takes a hundred
    times as long over each.
    """

    def __init__(self, device: torch.device) -> None:
        self.threads = torch.get_num_threads() if device.type == "cpu" else 0

    def __enter__(self) -> None:
        if self.threads:
            torch.set_num_threads(1)
            torch.set_flush_denormal(True)

    def __exit__(self, *_: object) -> None:
        if self.threads:
            torch.set_num_threads(self.threads)
            torch.set_flush_denormal(False)


def _side_by_side(
    jobs: Sequence[Job],
    todo: Sequence[tuple[int, ...]],
    device: torch.device,
    count: int,
    care: Care,
) -> Iterator[News]:
    """Deals the stacks to processes, and gives up the stack of one that dies, not the others."""
    waiting = deque(todo)
    workers: dict[Connection, _Worker] = {}
    try:
        while waiting or workers:
            if care.stopping():
                break
            while waiting and len(workers) < count:
                worker = _Worker(jobs, device, care, list(workers))
                workers[worker.connection] = worker
                worker.take(waiting.popleft(), care.clock())
            for connection in wait(list(workers), timeout=_POLL_SECONDS):
                worker = workers[cast(Connection, connection)]
                news: News | None
                try:
                    news = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    del workers[worker.connection]
                    for news in worker.last_words():
                        if isinstance(news, Halved):
                            waiting.extendleft(reversed(_halves(news.jobs)))
                        yield news
                    continue
                if news is not None:
                    worker.note(news, care.clock())
                    yield news
                elif waiting:
                    worker.take(waiting.popleft(), care.clock())
                else:
                    del workers[worker.connection]
                    worker.dismiss()
            for worker in workers.values():
                worker.give_up(care)
        if waiting or workers:
            yield from _stop(workers.values())
            raise Stopped
    finally:
        for worker in workers.values():
            worker.process.kill()
            worker.process.join()


def _stop(workers: Iterable[_Worker]) -> Iterator[News]:
    """Asks all for an end, and takes what they still have to say."""
    for worker in workers:
        with suppress(OSError):
            worker.connection.send(None)
    for worker in workers:
        with suppress(EOFError, ConnectionResetError):
            while worker.connection.poll(_STOP_SECONDS):
                news = worker.connection.recv()
                if news is not None:
                    yield news


def _halves(stack: tuple[int, ...]) -> list[tuple[int, ...]]:
    half = len(stack) // 2
    return [stack[:half], stack[half:]]


class _Worker:
    """A process that runs the stacks it is sent, one after another, on one thread.

    It is forked, so that tasks and networks of the caller's need not be pickled; it uses none of
    the locks and threads of the process it comes from.
    """

    def __init__(
        self, jobs: Sequence[Job], device: torch.device, care: Care, others: Sequence[Connection]
    ) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        ours = [self.connection, *others]
        self.process = context.Process(
            target=_work, args=(theirs, ours, os.getpid(), jobs, device, care), daemon=True
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside idle threads
            self.process.start()
        theirs.close()
        self.open: set[int] = set()
        self.heard = 0.0
        self.given_up = ""

    def take(self, stack: tuple[int, ...], now: float) -> None:
        self.open = set(stack)
        self.heard = now
        self.connection.send(stack)

    def note(self, news: News, now: float) -> None:
        self.heard = now
        if isinstance(news, Done):
            self.open.discard(news.job)

    def give_up(self, care: Care) -> None:
        """Kills the process where nothing was heard of it for too long."""
        if self.open and not self.given_up and care.clock() - self.heard > care.time_limit:
            self.given_up = f"no news for more than its time limit of {care.time_limit:g} s"
            self.process.kill()

    def dismiss(self) -> None:
        self.connection.send(None)
        self.process.join()

    def last_words(self) -> Iterator[News]:
        """Of a process that died: its stack halved, or the failure of its one open job."""
        self.process.join()
        code = self.process.exitcode
        reason = (
            self.given_up or f"its process ended with exit code {code}: out of memory, perhaps"
        )
        if len(self.open) > 1:
            yield Halved(tuple(sorted(self.open)), reason)
        for job in self.open if len(self.open) == 1 else ():
            yield Done(job, Failure(reason))


def _work(
    connection: Connection,
    callers: Sequence[Connection],
    caller: int,
    jobs: Sequence[Job],
    device: torch.device,
    care: Care,
) -> None:
    """Runs stacks until told to end, or until the caller is no more, however it died."""
    for end in callers:  # copies of the caller's: while one is open, its death closes nothing
        end.close()
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"):  # the caller's to answer
        signal.signal(getattr(signal, name), signal.SIG_IGN)

    def stopping() -> bool:  # a word from the caller amid a stack can only mean an end
        return os.getppid() != caller or connection.poll()

    mine = replace(care, stopping=stopping)
    with _one_thread(device), suppress(Stopped, BrokenPipeError, ConnectionResetError, EOFError):
        for stack in iter(connection.recv, None):
            for news in _run_stack(jobs, stack, device, mine):
                connection.send(news)
            connection.send(None)


def _run_stack(
    jobs: Sequence[Job], indices: tuple[int, ...], device: torch.device, care: Care
) -> Iterator[News]:
    """One stack; where it raises, each half again, until the job that raises stands alone."""
    yield Began(indices)
    chosen = [jobs[i] for i in indices]
    try:
        if chosen[0].method.is_direct:
            outcomes = [direct_estimate(chosen[0], device)]
        else:
            outcomes = yield from _train(chosen, indices, device, care)
    except Stopped:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if len(indices) == 1:
            log.error("a job raised", exc_info=error)
    else:
        for i, outcome in zip(indices, outcomes, strict=True):
            yield Done(i, outcome)
        return
    # Out here nothing holds the error, whose traceback holds all tensors of the stack.
    if len(indices) == 1:
        yield Done(indices[0], Failure(reason))
        return
    yield Halved(indices, reason)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    for half in _halves(indices):
        yield from _run_stack(jobs, half, device, care)


def _train(
    jobs: Sequence[Job], indices: tuple[int, ...], device: torch.device, care: Care
) -> Generator[News, None, list[Estimate]]:
    """Trains a stack from where it was left, and keeps its state from time to time."""
    keeper = care.keeper
    training = train_stack(jobs, device, keeper.load(indices) if keeper else ())
    while True:
        try:
            moment = next(training)
        except StopIteration as end:
            estimates: list[Estimate] = end.value
            return estimates
        yield Advance(indices, moment.steps, moment.values)
        stopping = care.stopping()
        if keeper and not moment.last and (stopping or keeper.due(indices)):
            keeper.save(indices, moment.state())
        if stopping and not moment.last:
            raise Stopped


# -------------------------------------------------------------------- the cost


def forecast(
    jobs: Sequence[Job],
    stacks: Sequence[tuple[int, ...]],
    clock: Callable[[], float],
    device: str = "auto",
) -> list[float]:
    """About how many seconds each stack takes: a little of each kind of them, timed and scaled.

    Where kinds are many, those that `FORECAST_SECONDS` leaves no time for are taken to cost what
    the others of their method do, a step (or, where nothing is trained, a job).

    Args:
        jobs: what is to be estimated.
        stacks: as `plan` dealt them.
        clock: gives seconds, such as `time.perf_counter`.
        device: as for `run`.
    """
    where = resolve_device(device)
    per_job: dict[Any, float] = {}
    rates: dict[str, list[float]] = {}
    seconds: dict[tuple[int, ...], float] = {}
    started = clock()
    for stack in _by_turns(stacks, lambda stack: jobs[stack[0]].method):
        job = jobs[stack[0]]
        kind = (job.method, job.sizes(), len(stack), job.critic, job.training)
        work = job.network_steps() or 1
        if kind not in per_job and job.method in rates and clock() - started > FORECAST_SECONDS:
            per_job[kind] = statistics.fmean(rates[job.method]) * work
        if kind not in per_job:
            with _one_thread(where):
                per_job[kind] = _seconds(job, len(stack), where, clock)
            rates.setdefault(job.method, []).append(per_job[kind] / work)
        seconds[stack] = per_job[kind] * len(stack)
    return [seconds[stack] for stack in stacks]


def makespan(seconds: Iterable[float], workers: int) -> float:
    """How long stacks of so many seconds each take, dealt in this order to whoever waits."""
    busy_until = [0.0] * workers
    for spent in seconds:
        heapq.heapreplace(busy_until, busy_until[0] + spent)
    return max(busy_until)


def _by_turns(items: Sequence[T], group: Callable[[T], str]) -> Iterator[T]:
    """One of each group after the other, as long as there are some."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    for row in zip_longest(*groups.values(), fillvalue=None):
        yield from (item for item in row if item is not None)


def _seconds(job: Job, k: int, device: torch.device, clock: Callable[[], float]) -> float:
    """Seconds of one job in a stack of k, from a small part of its work."""
    if job.method.is_direct:
        if isinstance(job.data, tuple):
            return 0.0
        few = replace(job, n=max(200, job.n // 5))
        started = clock()
        direct_estimate(few, device)
        growth = 2.0 if job.sizes()[1] > KSG_TREE_DIMS else 1.0  # all pairs, or a tree
        return (clock() - started) * (job.n / few.n) ** growth
    spent = []
    short = 2
    longer = short + max(1, min(20, job.training.steps // 10))  # no dearer than what it foretells
    for steps in (short, short, longer):  # the first of all pays for what is done but once
        few = replace(job, training=replace(job.training, steps=steps), n_test=100)
        started = clock()
        for moment in train_stack([few] * k, device):
            if moment.last:
                break  # what comes next does not grow with the steps
        spent.append(clock() - started)
    return max(spent[2] - spent[1], 0.0) / (longer - short) * job.training.steps / k
