"""The run of one stack of an application: K jobs of one shape become K cells of one model."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mine.running.applications import ApplicationJob, Measured, Model
from mine.running.estimates import Estimate
from mine.running.events import Applied, Failure
from mine.running.stack_training import Moment, State, thinned
from mine.training.loop import DECAY
from mine.training.state import fits, generator_states, set_generators

log = logging.getLogger(__name__)

DIVERGED = (
    "the training turned non-finite: lower the learning rates, or clip the gradient of the "
    "mutual information"
)


class ApplicationRun:
    """A stack in training: its model, its curve, and what was recorded of it.

    Attributes:
        step: steps done.
        mean: running mean of each cell's training value, not yet debiased, (K,).
        diverged_at: the first step of each cell at which anything was not finite; -1, (K,).
        curve: (step, training values (K,)).
        records: step -> name -> (K, ...), on the CPU.
    """

    def __init__(self, jobs: Sequence[ApplicationJob], device: torch.device) -> None:
        self.jobs, self.application = jobs, jobs[0].application
        self.steps = jobs[0].training.steps
        self.model: Model = self.application.start(jobs, device)
        wanted = self.application.moments(self.steps)
        self.moments = sorted({step for step in wanted if 0 <= step < self.steps})
        self.step = 0
        self.mean = torch.zeros(len(jobs), device=device)
        self.diverged_at = torch.full((len(jobs),), -1, device=device)
        self.curve: list[tuple[int, Tensor]] = []
        self.records: dict[int, dict[str, Tensor]] = {}

    # ------------------------------------------------------------- its training

    @torch.no_grad()
    def train(self) -> Iterator[Moment]:
        """Trains on from where it is to the last step."""
        if self.step == 0:
            self._record()
        while self.step < self.steps:
            before = self.step
            self._block(self._block_steps())
            self._record()
            yield Moment(
                self.step - before, tuple(self._value().tolist()), self.step == self.steps,
                self.state,
            )  # fmt: skip

    def _block_steps(self) -> int:
        """Steps of the next block, which ends at the next moment at the latest."""
        ends = [step for step in (*self.moments, self.steps) if step > self.step]
        return min(self.model.block, ends[0] - self.step)

    def _block(self, steps: int) -> None:
        batches = self.model.draw(steps)
        losses = torch.stack(
            [self.model.step([of[s] for of in batches], self.step + s) for s in range(steps)]
        )  # (S, L, K)
        good = torch.isfinite(losses).all(1)
        good[-1] &= self.model.finite()
        first_bad = good.cumprod(0).sum(0)  # S where all are good
        diverged = (first_bad < steps) & (self.diverged_at < 0)
        self.diverged_at = torch.where(diverged, self.step + first_bad, self.diverged_at)
        for values in losses[:, 0]:
            self.mean.lerp_(values, 1.0 - DECAY)
        self.step += steps
        self.curve.append((self.step, self._value()))

    def _value(self) -> Tensor:
        """The running mean of each cell's training value, (K,)."""
        return self.mean / (1.0 - DECAY**self.step)

    def _record(self) -> None:
        last = self.step == self.steps
        if last or self.step in self.moments:
            found = self.model.record(last)
            self.records[self.step] = {n: v.detach().cpu().clone() for n, v in found.items()}

    # ---------------------------------------------------------------- its state

    def state(self) -> State:
        tensors = {
            "step": torch.tensor(self.step),
            "run.mean": self.mean,
            "run.diverged_at": self.diverged_at,
            "curve.steps": torch.tensor([step for step, _ in self.curve]),
            "curve.values": torch.stack([value for _, value in self.curve]),
            **{f"model.{name}": v for name, v in self.model.named().items()},
            **generator_states(self.model.generators),
        }
        for step, found in self.records.items():
            tensors |= {f"record.{step}.{name}": v for name, v in found.items()}
        return {name: v.detach().cpu().numpy().copy() for name, v in tensors.items()}

    @torch.no_grad()
    def take_up(self, state: State) -> None:
        """Goes on from a state that `state` gave, to the same bits.

        Raises:
            ValueError: it is no state of such a stack; this object is then of no more use.
        """
        tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
        free = "curve.", "record."  # as long as the training was
        known = {n: torch.from_numpy(v) for n, v in self._empty_state().items()}
        fits(known, {n: v for n, v in tensors.items() if not n.startswith(free)})
        step = int(tensors["step"])
        if not 0 < step <= self.steps:
            raise ValueError(f"expected a step of 1 to {self.steps}, got {step}: start anew")
        self._take_records(tensors, step)
        self._take_curve(tensors)
        for name, tensor in self.model.named().items():
            tensor.copy_(tensors[f"model.{name}"])
        set_generators(self.model.generators, tensors)
        self.mean.copy_(tensors["run.mean"])
        self.diverged_at.copy_(tensors["run.diverged_at"])
        self.step = step

    def _empty_state(self) -> State:
        """The state before the first step, without curve and records."""
        curve, records = self.curve, self.records
        self.curve, self.records = [(0, self.mean)], {}
        found = self.state()
        self.curve, self.records = curve, records
        return {name: v for name, v in found.items() if not name.startswith("curve.")}

    def _take_records(self, tensors: dict[str, Tensor], step: int) -> None:
        for name, tensor in tensors.items():
            if name.startswith("record."):
                _, at, of = name.split(".", 2)
                self.records.setdefault(int(at), {})[of] = tensor
        wanted = {moment for moment in self.moments if moment <= step}
        if set(self.records) != wanted:
            raise ValueError(
                f"expected records of the steps {sorted(wanted)}, got {sorted(self.records)}: "
                "start anew"
            )

    def _take_curve(self, tensors: dict[str, Tensor]) -> None:
        steps, values = tensors.get("curve.steps"), tensors.get("curve.values")
        if steps is None or values is None or values.shape != (len(steps), len(self.jobs)):
            raise ValueError(
                "expected the curve of a stack like this one, got another: start anew"
            )
        values = values.to(self.mean.device)
        self.curve = list(zip(steps.tolist(), values, strict=True))

    # ------------------------------------------------------------- its outcomes

    def outcomes(self) -> list[Applied | Failure]:
        """Of each cell; one that has diverged has no measures.

        A cell that cannot be measured has failed alone: no other has to be trained again.
        """
        curves = torch.stack([value for _, value in self.curve]).T.tolist()
        diverged = self.diverged_at.tolist()
        return [self._outcome(k, *of) for k, of in enumerate(zip(curves, diverged, strict=True))]

    def _outcome(self, k: int, values: Sequence[float], diverged_at: int) -> Applied | Failure:
        job = self.jobs[k]
        try:
            found = self._measured(k) if diverged_at < 0 else Measured({}, warnings=(DIVERGED,))
        except Exception as error:
            log.error("a cell could not be measured", exc_info=error)
            return Failure(f"{type(error).__name__}: {error}")
        n_train = self.steps * job.training.batch_size
        estimate = Estimate(
            nats=found.nats,
            stderr=found.stderr,
            train_nats=values[-1] if diverged_at < 0 else math.nan,
            method=job.arm,
            n_train=n_train if found.n_train is None else found.n_train,
            n_test=found.n_test,
            steps=self.steps,
            warnings=found.warnings,
            curve=thinned(
                (step, value) for (step, _), value in zip(self.curve, values, strict=True)
            ),
            diverged_at=diverged_at,
        )
        return Applied(estimate, found.truth, found.measures)

    def _measured(self, k: int) -> Measured:
        of_cell = {
            step: {name: v[k] for name, v in of.items()} for step, of in self.records.items()
        }
        return self.application.measured(self.jobs[k], of_cell)
