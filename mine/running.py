"""From jobs to estimates: each stack on one thread, several stacks at a time.

Threads that share one stack would wait for each other at each of its few dozen small operations
(and, on a machine with other work, for as long as the scheduler likes), and the results would
depend on how many there are. Threads with a stack each would wait for Python's lock as often. So
on a CPU a stack has a process with one thread, and the stacks run side by side.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import torch
from torch import Tensor

from mine.bounds import Objective
from mine.critics import Critic
from mine.evaluation import Estimate, HeldOutValues, doubts, held_out_values
from mine.jobs import SPLIT, Job, plan
from mine.ksg import ksg
from mine.method import METHODS, Method
from mine.sampling import DataSet, Stream
from mine.training import Progress, Stack, Training, per_parameter, train

CURVE_POINTS = 100
KSG_TREE_DIMS = 4  # of x: beyond, KSG compares all pairs


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
class Done:
    """News of a job that has ended."""

    job: int
    outcome: Estimate | Failure


News = Began | Advance | Done


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
) -> Iterator[News]:
    """Estimates every job; yields news as they come. Every job ends with one `Done`.

    Args:
        jobs: what to estimate.
        device: "auto", "cpu" or "cuda".
        workers: stacks trained at one time on a CPU; None for one a thread that torch may use.
        stacks: the stacks to run, where not all of `plan`.
    """
    where = resolve_device(device)
    todo = list(plan(jobs, where, workers) if stacks is None else stacks)
    count = workers_for(len(todo), where, workers)
    if count > 1:
        yield from _side_by_side(jobs, todo, where, count)
        return
    for stack in todo:
        with _one_thread(where):
            yield from _run_stack(jobs, stack, where)


def workers_for(stacks: int, device: torch.device, asked: int | None = None) -> int:
    """How many stacks run at one time: one on CUDA, and where processes cannot be forked."""
    if device.type == "cuda" or not sys.platform.startswith("linux"):
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
    jobs: Sequence[Job], todo: Sequence[tuple[int, ...]], device: torch.device, count: int
) -> Iterator[News]:
    """Deals the stacks to processes, and gives up the stack of one that dies, not the others."""
    waiting = deque(todo)
    workers: dict[Connection, _Worker] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < count:
                worker = _Worker(jobs, device)
                workers[worker.connection] = worker
                worker.take(waiting.popleft())
            for connection in wait(list(workers)):
                worker = workers[cast(Connection, connection)]
                try:
                    news = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    del workers[worker.connection]
                    yield from worker.last_words()
                    continue
                if news is not None:
                    worker.note(news)
                    yield news
                elif waiting:
                    worker.take(waiting.popleft())
                else:
                    del workers[worker.connection]
                    worker.dismiss()
    finally:
        for worker in workers.values():
            worker.process.kill()
            worker.process.join()


class _Worker:
    """A process that runs the stacks it is sent, one after another, on one thread.

    It is forked, so that tasks and networks of the caller's need not be pickled; it uses none of
    the locks and threads of the process it comes from.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, jobs, device), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside idle threads
            self.process.start()
        theirs.close()
        self.open: set[int] = set()

    def take(self, stack: tuple[int, ...]) -> None:
        self.open = set(stack)
        self.connection.send(stack)

    def note(self, news: News) -> None:
        if isinstance(news, Done):
            self.open.discard(news.job)

    def dismiss(self) -> None:
        self.connection.send(None)
        self.process.join()

    def last_words(self) -> Iterator[News]:
        """A failure for each job that it had not ended."""
        self.process.join()
        reason = (
            f"its process ended with exit code {self.process.exitcode}: out of memory, perhaps"
        )
        for job in sorted(self.open):
            yield Done(job, Failure(reason))


def _work(connection: Connection, jobs: Sequence[Job], device: torch.device) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    with _one_thread(device):
        for stack in iter(connection.recv, None):
            for news in _run_stack(jobs, stack, device):
                if parent is None or not parent.is_alive():
                    return
                connection.send(news)
            connection.send(None)


def _run_stack(
    jobs: Sequence[Job], indices: tuple[int, ...], device: torch.device
) -> Iterator[News]:
    """One stack; where it raises, each half again, until the job that raises stands alone."""
    yield Began(indices)
    chosen = [jobs[i] for i in indices]
    try:
        if METHODS[chosen[0].method].objective is None:
            outcomes = [_run_ksg(chosen[0], device)]
        else:
            outcomes = yield from _train_stack(chosen, indices, device)
    except Exception as error:
        if len(indices) > 1:
            half = len(indices) // 2
            yield from _run_stack(jobs, indices[:half], device)
            yield from _run_stack(jobs, indices[half:], device)
            return
        yield Done(indices[0], Failure(f"{type(error).__name__}: {error}"))
        return
    for i, outcome in zip(indices, outcomes, strict=True):
        yield Done(i, outcome)


def _run_ksg(job: Job, device: torch.device) -> Estimate:
    if isinstance(job.data, tuple):
        x, y = job.data
    else:
        x, y = job.data.sample(job.n, job.generator("train"))
    found = ksg(x, y, k=job.k, seed=job.seed, device=device.type, workers=1)
    n = len(x)
    return Estimate(found.nats, found.stderr, math.nan, job.method, n, n, 0, tuple(found.warnings))


@dataclass(frozen=True)
class _Data:
    """What one job trains on, watches and is judged on. Rows of the last two in random order."""

    source: Stream | DataSet
    validation: tuple[Tensor, Tensor] | None
    test: tuple[Tensor, Tensor]
    n_train: int


def _prepare(job: Job, device: torch.device) -> _Data:
    if isinstance(job.data, tuple):
        return _split(job, device)
    test = job.data.sample(job.n_test, job.generator("test", device))
    if job.n:
        train_rows = job.data.sample(job.n, job.generator("train", device))
        return _Data(DataSet(*train_rows), None, test, job.n)
    drawn = job.training.steps * job.training.batch_size
    return _Data(Stream(job.data), None, test, drawn)


def _split(job: Job, device: torch.device) -> _Data:
    """Own rows dealt at random to training, validation and test, in the training rows' units."""
    x, y = cast(tuple[Tensor, Tensor], job.data)
    n = len(x)
    order = torch.randperm(n, generator=job.generator("split"))
    cuts = math.floor(n * SPLIT[0]), math.floor(n * (SPLIT[0] + SPLIT[1]))
    parts = order.tensor_split(cuts)

    def scaled(v: Tensor) -> list[Tensor]:
        v = v.double()
        rows = v[parts[0]]
        deviation = rows.std(0).where(rows.std(0) > 0, torch.ones((), dtype=v.dtype))
        return [((v[p] - rows.mean(0)) / deviation).float().to(device) for p in parts]

    (x_train, x_val, x_test), (y_train, y_val, y_test) = scaled(x), scaled(y)
    return _Data(DataSet(x_train, y_train), (x_val, y_val), (x_test, y_test), len(x_train))


def _train_stack(
    jobs: Sequence[Job], indices: tuple[int, ...], device: torch.device
) -> Generator[News, None, list[Estimate]]:
    first = jobs[0]
    method = METHODS[first.method]
    data = [_prepare(job, device) for job in jobs]
    starts = [job.generator("start") for job in jobs]
    dx, dy = first.sizes()[1:]
    critic = first.critic.stack(dx, dy, starts, device)
    stack = Stack(
        critic=critic,
        sources=[d.source for d in data],
        generators=[job.generator("batches", device) for job in jobs],
        objective=cast(Objective, method.objective),
        bound=method.bound,
        training=first.training,
        learning_rate=torch.tensor([job.training.learning_rate for job in jobs], device=device),
        ema_rate=torch.tensor([job.training.ema_rate for job in jobs], device=device),
    )
    watch = _Watch(method, critic, data, first.training, first.partners)
    curve: list[tuple[int, Tensor]] = []
    step = 0
    for progress in train(stack, first.training.validate_every if watch.active else 0):
        curve.append((progress.step, progress.train_value))
        watch.look(progress)
        yield Advance(indices, progress.step - step, tuple(progress.train_value.tolist()))
        step = progress.step
        if watch.all_done():
            break
    watch.restore()
    values, errors = method.test(_on(critic, [d.test for d in data], first.partners))
    train_values = _train_values(method, critic, data, progress, first.partners)
    return [
        _estimate(job, d, float(v), float(e), float(t), curve, k, int(s), int(at))
        for k, (job, d, v, e, t, s, at) in enumerate(
            zip(
                jobs, data, values, errors, train_values, watch.steps(step), progress.diverged_at,
                strict=True,
            )
        )
    ]  # fmt: skip


def _stacked(rows: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    xs, ys = zip(*rows, strict=True)
    return torch.stack(xs), torch.stack(ys)


def _on(critic: Critic, rows: Sequence[tuple[Tensor, Tensor]], partners: int) -> HeldOutValues:
    return held_out_values(critic, *_stacked(rows), partners)


def _train_values(
    method: Method, critic: Critic, data: Sequence[_Data], last: Progress, partners: int
) -> Tensor:
    """The bound on what was trained on: as many rows as the test's, or the last batches' mean."""
    sources = [d.source for d in data]
    if not all(isinstance(s, DataSet) for s in sources):
        return last.train_value
    n = len(data[0].test[0])
    rows = [(s.x[:n], s.y[:n]) for s in cast(list[DataSet], sources)]
    return method.test(_on(critic, rows, partners))[0]


class _Watch:
    """Keeps each cell's best critic by its validation rows, and stops it when it gets no better.

    A cell that is done is trained on with its stack, since that costs nothing, but its critic,
    its steps and so its estimate stay what they were.
    """

    def __init__(
        self,
        method: Method,
        critic: Critic,
        data: Sequence[_Data],
        training: Training,
        partners: int,
    ) -> None:
        rows = [d.validation for d in data]
        self.rows = [r for r in rows if r is not None]
        self.active = bool(self.rows)
        self.method, self.critic, self.training, self.partners = method, critic, training, partners
        self.best = torch.full((critic.k,), -torch.inf, device=critic.theta.device)
        self.misses = torch.zeros(critic.k, dtype=torch.int64, device=critic.theta.device)
        self.stopped = torch.zeros_like(self.misses)
        self.theta = critic.theta.clone()

    def look(self, progress: Progress) -> None:
        every = self.training.validate_every
        if not self.active or (progress.step % every and progress.step < self.training.steps):
            return
        value, _ = self.method.test(_on(self.critic, self.rows, self.partners))
        going = self.misses < self.training.patience
        better = going & (value > self.best)
        self.best = torch.where(better, value, self.best)
        self.misses = torch.where(better, 0, self.misses + 1)
        self.stopped = torch.where(going, progress.step, self.stopped)
        self.theta = torch.where(per_parameter(self.critic, better), self.critic.theta, self.theta)

    def all_done(self) -> bool:
        return self.active and bool((self.misses >= self.training.patience).all())

    def restore(self) -> None:
        if self.active:
            self.critic.theta.copy_(self.theta)

    def steps(self, done: int) -> list[int]:
        """Steps that each cell was trained for."""
        return self.stopped.tolist() if self.active else [done] * self.critic.k


def _estimate(
    job: Job,
    data: _Data,
    value: float,
    error: float,
    train_value: float,
    curve: Sequence[tuple[int, Tensor]],
    k: int,
    steps: int,
    diverged_at: int,
) -> Estimate:
    mine = [(s, v) for s, v in curve if s <= steps]
    every = max(1, len(mine) // CURVE_POINTS)
    kept = mine[every - 1 :: every]
    bare = Estimate(
        nats=value,
        stderr=error,
        train_nats=train_value,
        method=job.method,
        n_train=data.n_train,
        n_test=len(data.test[0]),
        steps=steps,
        curve=tuple((s, float(v[k])) for s, v in kept),
        diverged_at=diverged_at,
    )
    return replace(bare, warnings=doubts(bare, job.training.steps))


# -------------------------------------------------------------------- the cost


def forecast(
    jobs: Sequence[Job],
    stacks: Sequence[tuple[int, ...]],
    clock: Callable[[], float],
    device: str = "auto",
) -> float:
    """About how many seconds `run` will take: a little of each kind of stack, timed and scaled.

    Args:
        jobs: what is to be estimated.
        stacks: as `plan` dealt them.
        clock: gives seconds, such as `time.perf_counter`.
        device: as for `run`.
    """
    where = resolve_device(device)
    workers = workers_for(len(stacks), where)
    per_job: dict[Any, float] = {}
    total = 0.0
    for stack in stacks:
        job = jobs[stack[0]]
        kind = (job.method, job.sizes(), len(stack), job.critic, job.training)
        if kind not in per_job:
            with _one_thread(where):
                per_job[kind] = _seconds(job, len(stack), where, clock)
        total += per_job[kind] * len(stack)
    return total / workers


def _seconds(job: Job, k: int, device: torch.device, clock: Callable[[], float]) -> float:
    """Seconds of one job in a stack of k, from a small part of its work."""
    if METHODS[job.method].objective is None:
        if isinstance(job.data, tuple):
            return 0.0
        few = replace(job, n=max(200, job.n // 5))
        started = clock()
        _run_ksg(few, device)
        growth = 2.0 if job.sizes()[1] > KSG_TREE_DIMS else 1.0  # all pairs, or a tree
        return (clock() - started) * (job.n / few.n) ** growth
    spent = []
    short, longer = 2, 22
    for steps in (short, longer):
        few = replace(job, training=replace(job.training, steps=steps), n_test=100)
        started = clock()
        for _ in _train_stack([few] * k, tuple(range(k)), device):
            pass
        spent.append(clock() - started)
    return max(spent[1] - spent[0], 0.0) / (longer - short) * job.training.steps / k
