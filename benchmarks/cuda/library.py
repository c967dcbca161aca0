"""All that this script asks of the inside of `mine`, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from benchmarks.cases import Shape
from mine.critics.mlp import MLP
from mine.critics.modules import Modules
from mine.data.batches import DataSet, Stream
from mine.data.blocks import draw_block
from mine.data.generators import generator
from mine.data.sources import Fresh, of_task
from mine.method.donsker_varadhan import held_out_donsker_varadhan
from mine.method.held_out import held_out_values
from mine.method.names import METHODS
from mine.running.begin import train_stack
from mine.running.events import Advance, Done, Failure
from mine.running.jobs import Job
from mine.running.run import run
from mine.running.run_options import RunOptions, Stopped
from mine.tasks import CorrelatedGaussian
from mine.training.capture import CapturedStep, Step
from mine.training.loop import begin
from mine.training.optimizers import make_optimizer
from mine.training.settings import Training
from mine.training.stack import Stack

LEARNING_RATE = 1e-3
ENDLESS = 10**6  # steps: more than any measurement does
WARM_STEPS = 8  # by then a step is captured, where it can be
State = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Cells:
    """Networks that are trained side by side on a correlated Gaussian.

    Attributes:
        shape: the network's step.
        seeds: one a network.
        steps: of the training.
        rho: of the task.
        method: what they ascend.
        training: fields of `Training`, where not the ones that the shape and this class give.
        rates: a learning rate each; () for the same.
        critic: the critic's config; None for two hidden layers of the shape's width.
        rows: of a fixed data set; 0 for a stream of fresh samples.
    """

    shape: Shape
    seeds: Sequence[int]
    steps: int = ENDLESS
    rho: float = 0.5
    method: str = "mine"
    training: Mapping[str, Any] = field(default_factory=dict)
    rates: Sequence[float] = ()
    critic: Any = None
    rows: int = 0


class Session:
    """A stack of networks and the loop that trains it, whose pieces can be timed."""

    def __init__(self, cells: Cells, device: torch.device) -> None:
        self.cells, self.device = cells, device
        shape, k = cells.shape, len(cells.seeds)
        method, task = METHODS[cells.method], CorrelatedGaussian(shape.dim, cells.rho)
        training = _training(cells)
        critic = cells.critic or MLP((shape.hidden, shape.hidden))
        assert method.objective is not None
        self.stack = Stack(
            critic=critic.stack(
                shape.dim, shape.dim, [generator(s, "start") for s in cells.seeds], device
            ),
            sources=[_source(task, cells.rows, s, device) for s in cells.seeds],
            generators=[generator(s, "batches", device=device) for s in cells.seeds],
            objective=method.objective,
            bound=method.bound,
            training=training,
            learning_rate=torch.tensor(
                list(cells.rates) or [training.learning_rate] * k, device=device
            ),
            ema_rate=torch.full((k,), training.ema_rate, device=device),
        )
        self.loop = begin(self.stack)

    def train(self) -> Iterator[int]:
        """Trains a block of steps at a time, as the library does; yields the steps done."""
        for progress in self.loop.train():
            progress.train_value.tolist()  # what the library looks at after every block
            yield progress.step

    def to_the_end(self) -> Session:
        for _ in self.train():
            pass
        return self

    def draw(self) -> list[Tensor]:
        """The batches of a block, each tensor with a leading axis of steps."""
        return self.stack.draw(0, 0)

    @torch.no_grad()
    def step_through(self, batches: Sequence[Tensor]) -> int:
        """Steps through batches that are drawn already; returns how many."""
        self.loop.run_block(batches)
        return len(batches[0])

    def forbid_waiting(self) -> None:
        """From here on a step in which the host waits for the device raises."""
        self.loop.captured = GuardedStep()

    def forbid_capture(self) -> None:
        self.loop.captured = None

    @property
    def captured(self) -> bool:
        return self.loop.captured is not None and self.loop.captured.captured

    @property
    def theta(self) -> Tensor:
        return self.stack.critic.theta

    @property
    def views(self) -> list[Tensor]:
        """Of all parameters, each with a leading axis of networks."""
        return self.stack.critic.views

    @property
    def diverged_at(self) -> list[int]:
        return [int(v) for v in self.loop.progress().diverged_at]

    def held_out(self, rows: int = 500) -> Tensor:
        """The DV value of each network on one test set, drawn on the CPU, (K,)."""
        task = CorrelatedGaussian(self.cells.shape.dim, self.cells.rho)
        drawn = task.sample(rows, generator(7, "test"))
        k = len(self.cells.seeds)
        x, y = (v.to(self.device).expand(k, -1, -1) for v in drawn)
        return held_out_donsker_varadhan(held_out_values(self.stack.critic, x, y, 3))[0].cpu()


def stepped(name: str, rates: Sequence[float], device: torch.device) -> Tensor:
    """The parameters after five steps of an optimizer, each network at its rate; on the CPU."""
    starts = [generator(s, "start") for s in range(len(rates))]
    critic = MLP((40, 24)).stack(2, 3, starts, device)
    highest, group_of = torch.tensor(rates, device=device).unique(return_inverse=True)
    optimizer = make_optimizer(name, critic, highest, group_of)
    with torch.no_grad():
        for i in range(5):
            drawn = torch.randn(critic.grad.shape, generator=generator(i, "gradient"))
            critic.grad.copy_(drawn)
            optimizer.step()
    return critic.theta.cpu()


def sources(tasks: Sequence[Any], device: torch.device) -> list[Any]:
    """Streams of these tasks, and a fixed set of rows."""
    rows = tasks[0].sample(500, generator(0, "rows", device=device))
    return [*map(Stream, tasks), DataSet(*rows)]


def batches_are_own(source: Any, marginal: str, device: torch.device) -> bool:
    """Whether a cell draws between two others what it draws alone, to rounding."""
    alone, between = (
        draw_block(
            [source] * len(seeds),
            [generator(s, "batches", device=device) for s in seeds],
            steps=3,
            batch=32,
            kind=marginal,
            m=2,
        )
        for seeds in ((1,), (0, 1, 2))
    )
    pairs = zip(alone, between, strict=True)
    return all(torch.allclose(one[:, 0], many[:, 1], rtol=1e-5, atol=1e-6) for one, many in pairs)


class GuardedStep(CapturedStep):
    """A captured step that raises where the host waits for the device, except to capture."""

    def __call__(self, step: Step, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        return _while_waiting("error", lambda: super(GuardedStep, self).__call__(step, batch))

    def _capture(self, step: Step) -> None:
        _while_waiting("default", lambda: super(GuardedStep, self)._capture(step))


def _training(cells: Cells) -> Training:
    given = {
        "steps": cells.steps,
        "batch_size": cells.shape.batch,
        "marginal_samples": cells.shape.marginal_samples,
        "learning_rate": LEARNING_RATE,
    }
    return Training(**{**given, **cells.training})


def _source(task: CorrelatedGaussian, rows: int, seed: int, device: torch.device) -> Any:
    if not rows:
        return Stream(task)
    return DataSet(*task.sample(rows, generator(seed, "rows", device=device)))


def _while_waiting(mode: str, work: Callable[[], T]) -> T:
    """Does it while a wait of the host for the device is allowed ("default") or an "error"."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        return work()
    finally:
        torch.cuda.set_sync_debug_mode(before)


def users_module(width: int) -> Modules:
    """Critics from a `torch.nn.Module`, as a user brings one."""

    class Network(torch.nn.Module):
        def __init__(self, dx: int, dy: int) -> None:
            super().__init__()
            self.first, self.last = torch.nn.Linear(dx + dy, width), torch.nn.Linear(width, 1)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            hidden: Tensor = torch.relu(self.first(torch.cat([x, y], -1)))
            return self.last(hidden).squeeze(-1)

    return Modules(Network)


# ------------------------------------------------------------------- whole jobs


def gaussian_jobs(cells: Cells, n_test: int) -> list[Job]:
    """One job a seed: a network on fresh samples, tested on ``n_test`` others."""
    task, shape = CorrelatedGaussian(cells.shape.dim, cells.rho), cells.shape
    critic, training = cells.critic or MLP((shape.hidden, shape.hidden)), _training(cells)
    return [
        Job(
            Fresh(task),
            METHODS[cells.method],
            seed,
            training=training,
            critic=critic,
            n_test=n_test,
        )
        for seed in cells.seeds
    ]


def panel_job(
    task: Any, method: str, seed: int, key: str, network: MLP, n: int, n_test: int, **training: Any
) -> Job:
    """A cell of an experiment."""
    return Job(
        source=of_task(task, n),
        method=METHODS[method],
        seed=seed,
        key=key,
        training=Training(**training),
        critic=network,
        n_test=n_test,
    )


@dataclass(frozen=True)
class Ran:
    """What came of jobs: of each its estimate in nats and standard error, its training value when
    it was last heard of, and its steps.

    nan where there is none. ``reasons`` are of jobs that failed; ``stopped`` says whether the time
    was over before the end.
    """

    nats: list[float]
    stderr: list[float]
    train_nats: list[float]
    steps: list[int]
    reasons: list[str]
    stopped: bool


def run_jobs(jobs: Sequence[Job], device: torch.device, deadline: float) -> Ran:
    """Runs jobs on a device, or until the time is over (`time.perf_counter`)."""
    nan = float("nan")
    nats, stderr, train_nats = ([nan] * len(jobs) for _ in range(3))
    steps, reasons, stopped = [0] * len(jobs), [], False
    options = RunOptions(stopping=lambda: time.perf_counter() > deadline)
    try:
        for event in run(jobs, str(device), workers=1, options=options):
            if isinstance(event, Advance):
                for job, value in zip(event.jobs, event.values, strict=True):
                    train_nats[job] = value
                    steps[job] += event.steps
            elif isinstance(event, Done) and isinstance(event.outcome, Failure):
                reasons.append(event.outcome.reason)
            elif isinstance(event, Done):
                nats[event.job], stderr[event.job] = event.outcome.nats, event.outcome.stderr
    except Stopped:
        stopped = True
    return Ran(nats, stderr, train_nats, steps, sorted(set(reasons)), stopped)


def pace(jobs: Sequence[Job], device: torch.device, seconds: float) -> tuple[float, float]:
    """(seconds until a stack of these jobs is warm, seconds a step from there on)."""
    began, steps, moments = time.perf_counter(), 0, train_stack(jobs, device)
    warm, counted = 0.0, 0
    for moment in moments:
        now = time.perf_counter()
        if warm:
            counted += moment.steps
        elif (steps := steps + moment.steps) >= WARM_STEPS:
            warm = now
        if moment.last or (warm and now - warm > seconds):
            break
    moments.close()
    end = time.perf_counter()
    if not counted:  # it ended before it was warm
        return 0.0, (end - began) / max(steps, 1)
    return warm - began, (now - warm) / counted


def resumed(jobs: Sequence[Job], device: torch.device) -> dict[str, tuple[float, float]]:
    """Trains jobs at once, and once more with a stop half-way, after which a new stack goes on.

    Returns:
        What is compared of the estimates -> (at once, with the stop).
    """
    whole, states = _to_the_end(train_stack(jobs, device))
    again, _ = _to_the_end(train_stack(jobs, device, [states[len(states) // 2]]))
    return {
        f"{name} of job {i}": (float(getattr(a, name)), float(getattr(b, name)))
        for i, (a, b) in enumerate(zip(whole, again, strict=True))
        for name in ("nats", "stderr", "train_nats")
    }


def _to_the_end(training: Any) -> tuple[list[Any], list[State]]:
    """The estimates, and the state after every block."""
    states: list[State] = []
    while True:
        try:
            states.append(next(training).state())
        except StopIteration as end:
            return end.value, states
