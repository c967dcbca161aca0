"""From a stack of jobs to their estimates: data, training, early stopping, test values.

A stack can be left after any block of steps and taken up again, in another process, to the same
bits: its state is plain arrays.
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from mine.critics.densities import ConditionalDensity
from mine.critics.mlp import Critic
from mine.critics.residual import StackedResidual
from mine.data import preprocessing
from mine.data.columns import Layout
from mine.data.diagnostics import data_doubts
from mine.data.preprocessing import Transform
from mine.data.sources import DataSet, Finite, Samples, Source, Stream, generator
from mine.method.held_out import HeldOutValues, Influence, InfluenceArrays, held_out_values
from mine.method.method import Direct, Method, Probe
from mine.method.objective import Objective
from mine.running.estimates import Estimate, doubts, extrapolated
from mine.running.jobs import Job
from mine.saved import Fitted, joined, taken
from mine.training.loop import Progress, Stack, Training, begin, fits, per_parameter

log = logging.getLogger(__name__)

CURVE_POINTS = 100
T = TypeVar("T")
State = dict[str, np.ndarray]


def direct_estimate(job: Job, device: torch.device) -> Estimate:
    """The estimate of a job whose method trains nothing."""
    if isinstance(job.data, tuple):
        x, y = _copied(job)
        if job.own.preprocess not in (None, "none", "standardise"):  # it has units of its own
            x, y = (
                preprocessing.fit(job.own.preprocess, v, of.coded)(v).double()
                for v, of in zip((x, y), _layouts(job), strict=True)
            )
    else:
        x, y = cast(Samples, job.data).sample(job.n, job.generator("train"))
    direct = cast(Direct, job.method.direct)
    found = direct(x, y, job.k, job.seed, device.type)
    n = len(x)
    name, warnings = job.method.name, tuple(found.warnings)
    return Estimate(found.nats, found.stderr, math.nan, name, n, n, 0, warnings)


@dataclass(frozen=True)
class _Data:
    """What one job trains on, watches and is judged on. Rows of the last two in random order.

    ``seen`` are rows that are trained on, for the training value; None for a stream of fresh ones.
    """

    source: Source
    seen: tuple[Tensor, Tensor] | None
    validation: tuple[Tensor, Tensor] | None
    test: tuple[Tensor, Tensor]
    n_train: int
    transforms: tuple[Transform, Transform] | None = None
    doubts: tuple[str, ...] = ()


def _prepare(job: Job, device: torch.device) -> _Data:
    task = job.data
    if job.is_split or isinstance(task, tuple):
        return _split(job, device)
    if isinstance(task, Finite):  # a seed's jobs see one split, whatever their task
        split = generator(job.seed, "split")
        dealt = task.deal(job.n_test, split, job.generator("order", device))
        return _Data(dealt.source, dealt.seen, dealt.validation, dealt.test, dealt.n_train)
    test = task.sample(job.n_test, job.generator("test", device))
    if not all(bool(torch.isfinite(v).all()) for v in test):
        raise ValueError(f"expected finite samples of {job.data}, got nan or inf: mend the task")
    if job.n:
        train_rows = task.sample(job.n, job.generator("train", device))
        return _Data(DataSet(*train_rows), train_rows, None, test, job.n)
    drawn = job.training.steps * job.training.batch_size
    return _Data(Stream(task), None, None, test, drawn)


def _split(job: Job, device: torch.device) -> _Data:
    """Own rows dealt at random to training, validation and test, in the training rows' units."""
    data = _copied(job)
    parts = job.own.deal(len(data[0]), job.generator("split"))
    layouts = _layouts(job)
    fitted = [
        preprocessing.fit(job.own.preprocess or "standardise", v[parts[0]], of.coded)
        for v, of in zip(data, layouts, strict=True)
    ]
    (x_train, x_val, x_test), (y_train, y_val, y_test) = (
        [transform(v[rows]).to(device) for rows in parts]
        for v, transform in zip(data, fitted, strict=True)
    )
    found: tuple[str, ...] = ()
    if not job.own.copy:
        of_x, of_y = ([k in ("none", "standardise") for k in t.kinds] for t in fitted)
        found = data_doubts(data, layouts, parts[0], parts[2], (of_x, of_y), job.folds)
    return _Data(
        source=DataSet(x_train, y_train),
        seen=(x_train, y_train),
        validation=(x_val, y_val),
        test=(x_test, y_test),
        n_train=len(x_train),
        transforms=(fitted[0], fitted[1]),
        doubts=found,
    )


def _copied(job: Job) -> tuple[Tensor, Tensor]:
    """The job's own rows in float64; y permuted, where the job is a copy."""
    rows = job.data
    if not isinstance(rows, tuple):
        rows = cast(Samples, rows).sample(job.n, job.generator("train"))
    x, y = (v.double() for v in rows)
    if job.own.copy:
        y = y[torch.randperm(len(y), generator=job.generator(f"null {job.own.copy}"))]
    return x, y


def _layouts(job: Job) -> tuple[Layout, Layout]:
    _, dx, dy = job.sizes()
    return job.own.layouts or (Layout.numbers(dx), Layout.numbers(dy))


@dataclass(frozen=True)
class Moment:
    """A stack in training, after a block of steps.

    Attributes:
        steps: each job's network-steps since the last moment (or since training began, or was
            taken up again).
        values: running mean of each job's training value, in nats.
        last: whether the estimates come next.
        state: gives all that the rest of the training depends on, copied.
    """

    steps: int
    values: tuple[float, ...]
    last: bool
    state: Callable[[], State]


def train_stack(
    jobs: Sequence[Job], device: torch.device, kept: Iterable[State] = ()
) -> Generator[Moment, None, list[Estimate]]:
    """Trains jobs of one shape as one stack; returns their estimates.

    The folds of all jobs are cells of the stack; the candidates of a method that has some are
    trained one after the other.

    Args:
        jobs: of one shape, see `mine.running.jobs.plan`.
        device: where.
        kept: states of this stack, the best first: it goes on from the first that fits, to the
            same bits as if it had never stopped.
    """
    for state in kept:
        rounds = _Rounds(jobs, device)
        try:
            rounds.take_up(state)
        except ValueError as error:
            log.warning("a stack's state cannot be used: %s", error)
        else:
            break
    else:
        rounds = _Rounds(jobs, device)
    yield from rounds.train()
    return rounds.estimates()


class _Rounds:
    """The candidates of a stack of jobs, with each share of their rows: a `_Sitting` each, of all
    folds."""

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        self.jobs, self.folds = jobs, jobs[0].folds
        of_jobs = [job.rounds() for job in jobs]
        self.rounds = [list(chain.from_iterable(of)) for of in zip(*of_jobs, strict=True)]
        self.device = device
        self.ended: list[State] = []  # of the candidates before
        self.found: list[list[Estimate]] = []
        self.sitting = _Sitting(self.rounds[0], device)

    def train(self) -> Iterator[Moment]:
        while True:
            last = len(self.found) == len(self.rounds) - 1
            for moment in self.sitting.train():
                yield replace(
                    moment,
                    steps=moment.steps * self.folds,
                    values=tuple(statistics.fmean(part) for part in self._parts(moment.values)),
                    last=moment.last and last,
                    state=self.state,
                )
            if last:
                self.found.append(self.sitting.estimates())
                return
            self._end(self.sitting.state())

    def _end(self, state: State) -> None:
        """Goes on to the next candidate."""
        self.ended.append(state)
        self.found.append(self.sitting.estimates())
        self.sitting = _Sitting(self.rounds[len(self.found)], self.device)

    def estimates(self) -> list[Estimate]:
        """Each job's: its candidate with the highest validation value, all its folds together."""
        of_rounds = [[pooled(parts) for parts in self._parts(found)] for found in self.found]
        return [
            self._chosen(job, found) for job, *found in zip(self.jobs, *of_rounds, strict=True)
        ]

    def _chosen(self, job: Job, found: Sequence[Estimate]) -> Estimate:
        """One job's, of its rounds: each candidate with each share of the rows."""
        of_shares = len(job.shares)
        ways = [extrapolated(*found[i : i + of_shares]) for i in range(0, len(found), of_shares)]
        if not job.own.keeps_influences:
            ways = [replace(e, influences=()) for e in ways]
        names = [str(candidate) for candidate in job.candidates()]
        if not names:
            return ways[0]
        named = zip(names, ways, strict=True)
        return max(
            (replace(e, method=job.method.name, chosen=name) for name, e in named),
            key=_by_validation,
        )

    def _parts(self, of_all: Sequence[T]) -> list[Sequence[T]]:
        return [of_all[i : i + self.folds] for i in range(0, len(of_all), self.folds)]

    def state(self) -> State:
        states = [*self.ended, self.sitting.state()]
        found = {f"{i}.{name}": v for i, of in enumerate(states) for name, v in of.items()}
        return found | {"step": np.array(sum(int(of["loop.step"]) for of in states))}

    def take_up(self, state: State) -> None:
        """Goes on from a state that `state` gave, to the same bits.

        Raises:
            ValueError: it is not one of such a stack; this one is then of no more use.
        """
        count = len({name.partition(".")[0] for name in state} - {"step"})
        if not 0 < count <= len(self.rounds):
            raise ValueError(
                f"expected the state of a stack like this one, got one of {count} candidates: "
                "start anew"
            )
        for i in range(count):
            prefix = f"{i}."
            of = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
            self.sitting.take_up(of)
            if i < count - 1:
                self._end(of)


def _by_validation(e: Estimate) -> float:
    value = e.validation_nats
    return value if value is not None and math.isfinite(value) else -math.inf


def pooled(parts: Sequence[Estimate]) -> Estimate:
    """The estimate of all folds: see `mine.estimate`. Curve and steps are the first fold's."""
    if len(parts) == 1:
        return parts[0]
    n = sum(e.n_test for e in parts)
    shares = [e.n_test / n for e in parts]
    said: dict[str, str] = {}
    for warning in (w for e in parts for w in e.warnings):
        said.setdefault(warning.partition(":")[0], warning)

    def mean(values: Iterable[float]) -> float:
        return sum(s * v for s, v in zip(shares, values, strict=True))

    return replace(
        parts[0],
        nats=mean(e.nats for e in parts),
        stderr=math.hypot(*(s * e.stderr for s, e in zip(shares, parts, strict=True))),
        train_nats=mean(e.train_nats for e in parts),
        validation_nats=mean(cast(float, e.validation_nats) for e in parts),
        n_train=min(e.n_train for e in parts),
        n_test=n,
        warnings=tuple(said.values()),
        diverged_at=max(e.diverged_at for e in parts),
        critic=joined([e.critic for e in parts]),
        influences=tuple(i for e in parts for i in e.influences),
    )


class _Sitting:
    """A stack, what watches over it, and its curve so far."""

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        first = jobs[0]
        self.jobs, self.method = jobs, first.method
        self.data = [_prepare(job, device) for job in jobs]
        dx, dy = first.sizes()[1:]
        starts = [job.generator("start") for job in jobs]
        critic: Critic = self.method.critic(first.critic).stack(dx, dy, starts, device)
        if isinstance(critic, StackedResidual):
            critic.fit([d.seen for d in self.data if d.seen is not None])
        self.stack = Stack(
            critic=critic,
            sources=[d.source for d in self.data],
            generators=[job.generator("batches", device) for job in jobs],
            objective=cast(Objective, self.method.objective),
            bound=self.method.bound,
            training=first.training,
            learning_rate=torch.tensor([j.training.learning_rate for j in jobs], device=device),
            ema_rate=torch.tensor([j.training.ema_rate for j in jobs], device=device),
        )
        self.watch = _Watch(
            self.method, self.stack.critic, self.data, first.training, first.partners
        )
        every = first.training.validate_every if self.watch.active else 0
        self.loop = begin(self.stack, every)
        self.curve: list[tuple[int, Tensor]] = []

    def train(self) -> Iterator[Moment]:
        step = self.loop.step
        if step == 0:
            self.watch.look(0)
        elif self.watch.all_done():
            return
        for progress in self.loop.train():
            self.progress = progress
            self.curve.append((progress.step, progress.train_value))
            self.watch.look(progress.step)
            last = self.watch.all_done() or progress.step == self.stack.training.steps
            values = tuple(progress.train_value.tolist())
            yield Moment(progress.step - step, values, last, self.state)
            step = progress.step
            if last:
                break

    def state(self) -> State:
        steps = torch.tensor([step for step, _ in self.curve])
        values = torch.stack([value for _, value in self.curve])
        tensors = {"curve.steps": steps, "curve.values": values}
        tensors |= {f"watch.{name}": v for name, v in self.watch.named().items()}
        tensors |= {f"loop.{name}": v for name, v in self.loop.state().items()}
        return {name: v.cpu().numpy().copy() for name, v in tensors.items()}

    def take_up(self, state: State) -> None:
        """Goes on from a state that `state` gave, to the same bits.

        Raises:
            ValueError: it is not one of such a stack; this one is then of no more use.
        """
        tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

        self.loop.restore(part("loop."))
        curve, watch = part("curve."), part("watch.")
        fits(self.watch.named(), watch)
        n = len(curve.get("steps", ()))
        like = {
            "steps": torch.empty(n, dtype=torch.int64),
            "values": torch.empty(n, len(self.jobs)),
        }
        fits(like, curve)
        for name, tensor in self.watch.named().items():
            tensor.copy_(watch[name])
        values = curve["values"].to(self.stack.critic.theta.device)
        self.curve = list(zip(curve["steps"].tolist(), values, strict=True))
        self.progress = self.loop.progress()

    def estimates(self) -> list[Estimate]:
        self.watch.restore()
        critic, partners = self.stack.critic, self.jobs[0].partners
        tested = self._tested(partners) if self.method.probe is None else self._probed()
        train_values = _train_values(self.method, critic, self.data, self.progress, partners)
        found = [
            _estimate(job, d, t.value, t.error, float(train), self.curve, k, int(s), int(at))
            for k, (job, d, t, train, s, at) in enumerate(
                zip(
                    self.jobs, self.data, tested, train_values,
                    self.watch.steps(self.progress.step), self.progress.diverged_at,
                    strict=True,
                )
            )
        ]  # fmt: skip
        return [
            replace(
                e,
                validation_nats=float(best) if self.watch.active else None,
                critic=self._kept(k, tested[k]),
                influences=tested[k].influences,
            )
            for k, (e, best) in enumerate(zip(found, self.watch.best, strict=True))
        ]

    def _tested(self, partners: int) -> list[_Tested]:
        """Each cell on its test rows; folds may differ by a row, and are looked at by length."""
        tests = [d.test for d in self.data]
        found: dict[int, _Tested] = {}
        for n in sorted({len(x) for x, _ in tests}):
            alike = [k for k, (x, _) in enumerate(tests) if len(x) == n]
            held_out = _on(self.stack.critic, [_resized(rows, n) for rows in tests], partners)
            values, errors = self.method.test(held_out)
            offsets = held_out.joint.mean(-1) - values
            influences = None
            if any(self.jobs[k].own.keeps_influences for k in alike):
                influences = _influences(self.method, held_out)
            for k in alike:
                of_k = () if influences is None else (influences.arrays(k),)
                found[k] = _Tested(float(values[k]), float(errors[k]), float(offsets[k]), of_k)
        return [found[k] for k in range(len(tests))]

    def _probed(self) -> list[_Tested]:
        """Each cell's critic on its task, where the value is none of held-out critic values."""
        probe, critic = cast(Probe, self.method.probe), self.stack.critic
        generators = [job.generator("probe", critic.theta.device) for job in self.jobs]
        tasks = [job.data for job in self.jobs]
        rows = _stacked([d.test for d in self.data])
        found = zip(*probe(critic, tasks, rows, generators), strict=True)
        return [_Tested(float(value), float(error), math.nan, ()) for value, error in found]

    def _kept(self, k: int, tested: _Tested) -> Fitted | None:
        job, transforms = self.jobs[k], self.data[k].transforms
        a_ratio = not isinstance(self.method.critic(job.critic), ConditionalDensity)
        if not (job.own.keeps_critic and transforms and a_ratio):
            return None
        return taken(
            job.method.name,
            _layouts(job),
            transforms,
            self.stack.critic,
            k,
            tested.offset,
            job.critic,
        )


@dataclass(frozen=True)
class _Tested:
    """One cell's value and error on its test rows, and mean T on the joint ones less the value."""

    value: float
    error: float
    offset: float
    influences: tuple[InfluenceArrays, ...]


def _influences(method: Method, held_out: HeldOutValues) -> Influence:
    """What stands behind the standard errors."""
    kept: list[Influence] = []

    def keep(influence: Influence) -> Tensor:
        kept.append(influence)
        return influence.stderr()

    method.test(replace(held_out, spread=keep))
    return kept[-1]


def _resized(rows: tuple[Tensor, Tensor], n: int) -> tuple[Tensor, Tensor]:
    """n of the rows, the first ones again where there are fewer."""
    x, y = rows
    if len(x) == n:
        return rows
    index = torch.arange(n, device=x.device) % len(x)
    return x[index], y[index]


def _stacked(rows: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    xs, ys = zip(*rows, strict=True)
    return torch.stack(xs), torch.stack(ys)


def _on(critic: Critic, rows: Sequence[tuple[Tensor, Tensor]], partners: int) -> HeldOutValues:
    return held_out_values(critic, *_stacked(rows), partners)


def _train_values(
    method: Method, critic: Critic, data: Sequence[_Data], last: Progress, partners: int
) -> Tensor:
    """The bound on what was trained on: as many rows as the test's, or the last batches' mean."""
    seen = [d.seen for d in data if d.seen is not None]
    if len(seen) < len(data):
        return last.train_value
    n = min(len(data[0].test[0]), *(len(x) for x, _ in seen))
    rows = [(x[:n], y[:n]) for x, y in seen]
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

    def look(self, step: int) -> None:
        if not self.active or (step % self.training.validate_every and step < self.training.steps):
            return
        held_out = _on(self.critic, self.rows, self.partners)
        value = self.method.criterion(held_out.joint, held_out.flat)
        going = self.misses < self.training.patience
        better = going & (value > self.best)
        self.best.copy_(torch.where(better, value, self.best))
        self.misses.copy_(torch.where(better, 0, self.misses + 1))
        self.stopped.copy_(torch.where(going, step, self.stopped))
        of_better = per_parameter(self.critic, better)
        self.theta.copy_(torch.where(of_better, self.critic.theta, self.theta))

    def named(self) -> dict[str, Tensor]:
        """All that it remembers, where it stands."""
        if not self.active:
            return {}
        names = ("best", "misses", "stopped", "theta")
        return {name: getattr(self, name) for name in names}

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
        method=job.method.name,
        n_train=data.n_train,
        n_test=len(data.test[0]),
        steps=steps,
        curve=tuple((s, float(v[k])) for s, v in kept),
        diverged_at=diverged_at,
    )
    method = job.method
    about = doubts(bare, job.training.steps, method.ceiling(job.partners))
    if method.probe and diverged_at < 0 and math.isfinite(value):
        about = ()  # which are about estimates
    return replace(bare, warnings=(*about, *data.doubts))
