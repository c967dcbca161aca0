"""The run of one stack: K jobs of one shape become K cells that are trained as one program."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor

from mine.critics.densities import ConditionalDensity
from mine.critics.protocol import Critic
from mine.critics.started import StackedStarted
from mine.data.sources import Dealt, Pairs
from mine.fitted import Fitted, taken
from mine.method.objective import Objective
from mine.running.early_stopping import EarlyStopping
from mine.running.estimates import Estimate
from mine.running.held_out_rows import Tested, probed, tested, train_values
from mine.running.jobs import Job
from mine.running.stack_training import Moment, State, thinned
from mine.running.warnings import is_void, warnings_of
from mine.training.loop import begin
from mine.training.stack import Stack
from mine.training.state import fits


class StackRun:
    """A stack in training: its rows, its critics, their early stopping and the curve so far."""

    def __init__(
        self,
        jobs: Sequence[Job],
        device: torch.device,
        dealt: Mapping[Hashable, Dealt],
        is_choice: bool,
    ) -> None:
        """
        Args:
            jobs: its cells.
            device: where it is trained.
            dealt: rows that are taken where the same ones would be dealt again.
            is_choice: whether it is one candidate of several, which counts only where its start
                is its own.
        """
        first, self.is_choice = jobs[0], is_choice
        self.jobs, self.method = jobs, first.method
        self._dealt = [
            (dealt.get(_rows_of(job)) if dealt else None)
            or job.source.deal(job.seed, job.key, job.n_test, device)
            for job in jobs
        ]
        self.critic = self._critic(device)
        critic, self.data = self._of_mapped()
        self.stack = Stack(
            critic=critic,
            sources=[dealt.batches for dealt in self.data],
            generators=[job.generator("batches", device) for job in jobs],
            objective=cast(Objective, self.method.objective),
            bound=self.method.bound,
            training=first.training,
            learning_rate=torch.tensor([j.training.learning_rate for j in jobs], device=device),
            ema_rate=torch.tensor([j.training.ema_rate for j in jobs], device=device),
        )
        self.stopping = EarlyStopping(
            self.method, critic, self.data, first.training, first.partners
        )
        every = first.training.validate_every if self.stopping.active else 0
        self.loop = begin(self.stack, every)
        self.curve: list[tuple[int, Tensor]] = []

    @property
    def dealt(self) -> dict[Hashable, Dealt]:
        """The rows of its cells. Not made before it is asked for: a task need have no hash."""
        return dict(zip(map(_rows_of, self.jobs), self._dealt, strict=True))

    @property
    def nothing_to_train(self) -> bool:
        """Whether it is a candidate none of whose cells has a start of its own."""
        critic = self.critic
        return self.is_choice and isinstance(critic, StackedStarted) and bool(critic.plain.all())

    def _critic(self, device: torch.device) -> Critic:
        first = self.jobs[0]
        dx, dy = first.source.sizes[1:]
        starts = [job.generator("start") for job in self.jobs]
        critic: Critic = self.method.critic(first.critic).stack(dx, dy, starts, device)
        if isinstance(critic, StackedStarted):
            # There are rows: see `Job`.
            critic.fit([cast(Pairs, dealt.seen) for dealt in self._dealt])
        return critic

    def _of_mapped(self) -> tuple[Critic, list[Dealt]]:
        """The critic that is trained and tested, and the rows as it takes them: a start's maps
        are gone through once, and not at each step and look."""
        critic = self.critic
        if self.nothing_to_train or not isinstance(critic, StackedStarted):
            return critic, self._dealt
        mapped = [dealt.through(partial(critic.mapped, k)) for k, dealt in enumerate(self._dealt)]
        return critic.of_mapped, mapped

    def train(self) -> Iterator[Moment]:
        """Trains on from where it is, to the last step or until all cells have stopped."""
        step = self.loop.step
        if step == 0:
            self.stopping.look(0)
        elif self.stopping.all_done():
            return
        for progress in self.loop.train():
            self.progress = progress
            self.curve.append((progress.step, progress.train_value))
            self.stopping.look(progress.step)
            last = self.stopping.all_done() or progress.step == self.stack.training.steps
            values = tuple(progress.train_value.tolist())
            yield Moment(progress.step - step, values, last, self.state)
            step = progress.step
            if last:
                break

    # ---------------------------------------------------------------- its state

    def state(self) -> State:
        if self.nothing_to_train:
            return {"loop.step": np.array(0)}
        steps = torch.tensor([step for step, _ in self.curve])
        values = torch.stack([value for _, value in self.curve])
        tensors = {"curve.steps": steps, "curve.values": values}
        tensors |= {f"watch.{name}": v for name, v in self.stopping.named().items()}
        tensors |= {f"loop.{name}": v for name, v in self.loop.state().items()}
        return {name: v.cpu().numpy().copy() for name, v in tensors.items()}

    def take_up(self, state: State) -> None:
        """Goes on from a state that `state` gave, to the same bits.

        Raises:
            ValueError: it is no state of such a stack; this object is then of no more use.
        """
        tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
        if self.nothing_to_train:
            fits({"loop.step": torch.tensor(0)}, tensors)
            return
        self.loop.restore(_of(tensors, "loop."))
        curve, stopping = _of(tensors, "curve."), _of(tensors, "watch.")
        fits(self.stopping.named(), stopping)
        n = len(curve.get("steps", ()))
        like = {
            "steps": torch.empty(n, dtype=torch.int64),
            "values": torch.empty(n, len(self.jobs)),
        }
        fits(like, curve)
        for name, tensor in self.stopping.named().items():
            tensor.copy_(stopping[name])
        self.stopping.leave_out_done()
        values = curve["values"].to(self.stack.critic.theta.device)
        self.curve = list(zip(curve["steps"].tolist(), values, strict=True))
        self.progress = self.loop.progress()

    # ------------------------------------------------------------ its estimates

    def estimates(self) -> list[Estimate]:
        """Of each cell, at its best parameters; void where there was nothing to train."""
        if self.nothing_to_train:
            return [
                self._void(job, dealt) for job, dealt in zip(self.jobs, self.data, strict=True)
            ]
        self.stopping.restore()
        critic, partners = self.stack.critic, self.jobs[0].partners
        if self.method.probe is None:
            found = tested(self.jobs, self.method, critic, self.data)
        else:
            found = probed(self.jobs, self.method.probe, critic, self.data)
        trained = train_values(self.method, critic, self.data, self.progress, partners)
        # All cells' numbers at once: on CUDA each look at a single one would wait for the device.
        of_cells = zip(
            found,
            self._curves(),
            trained.tolist(),
            self.stopping.steps(self.progress.step),
            self.progress.diverged_at.tolist(),
            self.stopping.values(),
            self._untrained(),
            strict=True,
        )
        return [self._estimate(k, *of_cell) for k, of_cell in enumerate(of_cells)]

    def _void(self, job: Job, dealt: Dealt) -> Estimate:
        """Nothing was found, and nothing is told by it."""
        n_train, n_test = len(dealt.seen[0]) if dealt.seen else 0, len(dealt.test[0])
        name = self.method.name
        return Estimate(
            0.0, 0.0, 0.0, name, n_train, n_test, 0, validation_nats=0.0, untrained=True
        )

    def _untrained(self) -> list[bool]:
        """Whether each cell's critic has learned nothing: no step was better than none, and it
        started from nothing; or, of a candidate, from nothing of its own."""
        if isinstance(self.critic, StackedStarted):
            return (self.critic.plain if self.is_choice else self.critic.blank).tolist()
        return self.stopping.untrained()

    def _curves(self) -> list[list[float]]:
        """Each cell's training values, one for each point of the curve."""
        if not self.curve:
            return [[] for _ in self.jobs]
        return torch.stack([value for _, value in self.curve]).T.tolist()

    def _estimate(
        self,
        k: int,
        found: Tested,
        curve: Sequence[float],
        train_value: float,
        steps: int,
        diverged_at: int,
        validation: float | None,
        untrained: bool,
    ) -> Estimate:
        job, dealt = self.jobs[k], self.data[k]
        drawn = job.training.steps * job.training.batch_size
        bare = Estimate(
            nats=found.value,
            stderr=found.error,
            train_nats=train_value,
            method=self.method.name,
            n_train=drawn if dealt.n_train is None else dealt.n_train,
            n_test=len(dealt.test[0]),
            steps=steps,
            curve=self._thinned_curve(curve, steps),
            # What a cell does after it has stopped is no part of it: its stack may leave it out.
            diverged_at=diverged_at if diverged_at < steps else -1,
            validation_nats=validation,
            critic=self._fitted(k, found),
            influences=found.influences,
            untrained=untrained,
        )
        found_in = warnings_of(bare, job.training.steps, self.method.ceiling(job.partners))
        if self.method.probe and not is_void(bare):
            found_in = ()  # they are about estimates of I, which this is not
        return replace(bare, warnings=(*found_in, *dealt.warnings, *found.warnings))

    def _thinned_curve(self, values: Sequence[float], steps: int) -> tuple[tuple[int, float], ...]:
        """Some of a cell's training values up to its last step."""
        points = zip(self.curve, values, strict=True)
        return thinned((step, value) for (step, _), value in points if step <= steps)

    def _fitted(self, k: int, found: Tested) -> Fitted | None:
        """Cell k's critic, where it is asked for and is a log-ratio of a user's rows."""
        job, dealt = self.jobs[k], self.data[k]
        is_ratio = not isinstance(self.method.critic(job.critic), ConditionalDensity)
        if not (job.keeps_critic and dealt.transforms and dealt.layouts and is_ratio):
            return None
        return taken(
            self.method.name,
            dealt.layouts,
            dealt.transforms,
            self.critic,
            k,
            found.offset,
            job.critic,
        )


def _rows_of(job: Job) -> Hashable:
    """Equal for jobs that are dealt the same rows."""
    return job.source, job.seed, job.key, job.n_test


def _of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names have this prefix, without it."""
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
