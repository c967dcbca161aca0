r"""The one training loop: K critics ascend their objectives as one batched program.

The grid is a tensor axis. Gradients, moving averages, learning rates and failures are per cell; no
cell's numbers enter another's. The loop draws the batches, sets the learning rates and keeps the
records; its `Ascent` steps the critics.

A step of K cells, with B joint and m B marginal pairs for each:

    batch       x (K, B, dx), y (K, B, dy)
    values      critic.values: T on joint pairs (K, B) and on marginal pairs (K, m B)
    gradients   objective.descent: of minus the surrogate, in those values; the moving averages
    theta       critic.backward writes critic.grad, and the optimizer steps critic.theta

The steps come in blocks of S, whose batches are drawn at once. After a block the loop looks at all
its values, (S, K, B) and (S, K, m B): the training curve, and which cells are still finite. Within
a block nothing waits for the host, so that on CUDA a step is captured as a graph
(`mine.training.capture`); otherwise the code is the CPU's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.data.batches import unpack
from mine.training.ascent import Ascent, make_ascent
from mine.training.capture import CapturedStep
from mine.training.stack import Stack
from mine.training.state import fits, generator_states, set_generators

DECAY = 0.98  # of the training curve's running mean


@dataclass
class Progress:
    """The state after a block of steps. Tensors of shape (K,) on the stack's device.

    Attributes:
        step: steps done.
        train_value: running mean of the batches' bound, in nats (optimistic: training data).
        diverged_at: the first step whose value was not finite; -1 while there is none.
    """

    step: int
    train_value: Tensor
    diverged_at: Tensor


@dataclass
class Loop:
    """A stack in training, made by `begin`: the tensors that a step reads and writes.

    Attributes:
        stack: what is trained.
        every: where not 0, no block crosses a multiple of so many steps.
        ascent: the stack's critics and what steps them.
        t_joint: the block's values on joint pairs, (S, K, B).
        t_marginal: on marginal pairs, (S, K, m B).
        mean_value: running mean of values, not yet debiased, (K,).
        good: whether no value was non-finite so far, (K,).
        good_steps: steps before the first non-finite value, (K,).
        step: steps done so far.
        captured: the captured step, on CUDA.
    """

    stack: Stack
    every: int
    ascent: Ascent
    t_joint: Tensor
    t_marginal: Tensor
    mean_value: Tensor
    good: Tensor
    good_steps: Tensor
    step: int = 0

    def __post_init__(self) -> None:
        self.captured = CapturedStep() if self.good.is_cuda else None

    @torch.no_grad()
    def train(self) -> Iterator[Progress]:
        """Trains to the last step, a block of steps at a time."""
        while self.step < self.stack.training.steps:
            batches = self.stack.draw(self.step, self.every)
            self.run_block(batches)
            self._record(len(batches[0]))
            self.step += len(batches[0])
            yield self.progress()

    def run_block(self, batches: Sequence[Tensor]) -> None:
        """The steps of one block, at the learning rates of the schedule.

        Args:
            batches: what `Stack.draw` gave, each tensor with a leading axis of steps.
        """
        training, highest = self.stack.training, self.ascent.highest
        rates = torch.tensor([training.rate(self.step + s) for s in range(len(batches[0]))])
        if highest.is_cuda:  # from such memory the host does not wait for the copy
            rates = rates.pin_memory().to(highest.device, non_blocking=True)
        of_groups = torch.outer(rates, highest)
        for i, (*batch, now) in enumerate(zip(*batches, of_groups, strict=True)):
            self.ascent.set_rates(now)
            t_joint, t_marginal = self.run_step(batch)
            self.t_joint[i].copy_(t_joint)
            self.t_marginal[i].copy_(t_marginal)

    def run_step(self, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Does a step; on CUDA as a captured graph."""
        return self.captured(self._step, batch) if self.captured else self._step(batch)

    def progress(self) -> Progress:
        """The state after one step or more."""
        mean = self.mean_value / (1.0 - DECAY**self.step)
        return Progress(self.step, mean, torch.where(self.good, -1, self.good_steps))

    def _step(self, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """One step of every cell: no host synchronisation, no new parameter memory."""
        training = self.stack.training
        return self.ascent.ascend(*unpack(training.marginal, training.marginal_samples, batch))

    def _record(self, steps: int) -> None:
        """Takes in a block's values: the running mean, and which cells are still finite."""
        values = self.stack.bound(self.t_joint[:steps], self.t_marginal[:steps])
        good = torch.isfinite(values).cumprod(0).bool() & self.good
        self.good_steps += good.sum(0)
        self.good.copy_(good[-1])
        if values.is_cuda:
            self.mean_value.copy_(running_mean(self.mean_value, values))
            return
        for value in values:
            self.mean_value.lerp_(value, 1.0 - DECAY)

    def _named(self) -> dict[str, Tensor]:
        """All tensors that a later block depends on, except the generators' states; no copies."""
        return {
            **self.ascent.named(),
            "mean_value": self.mean_value,
            "good": self.good,
            "good_steps": self.good_steps,
        }

    def state(self) -> dict[str, Tensor]:
        """A copy of all that the rest of the training depends on: see `restore`."""
        return {
            "step": torch.tensor(self.step),
            **{name: v.clone() for name, v in self._named().items()},
            **generator_states(self.stack.generators),
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` returned for an equal stack, to the same bits.

        Raises:
            ValueError: it is not the state of such a stack.
        """
        fits(self.state(), state)
        step = int(state["step"])
        if not 0 < step <= self.stack.training.steps:
            raise ValueError(
                f"expected a step of 1 to {self.stack.training.steps}, got {step}: start anew"
            )
        set_generators(self.stack.generators, state)
        for name, tensor in self._named().items():
            tensor.copy_(state[name])
        self.step = step


def running_mean(mean: Tensor, values: Tensor) -> Tensor:
    """The running mean (K,) after the values (S, K) of a block, without a launch for each step."""
    steps = len(values)
    powers = torch.arange(steps - 1, -1, -1, device=values.device, dtype=values.dtype)
    weights = (1.0 - DECAY) * DECAY**powers
    return DECAY**steps * mean + (weights.unsqueeze(1) * values).sum(0)


def train(stack: Stack, every: int = 0) -> Iterator[Progress]:
    """Trains the stack in place and yields after every block of steps.

    A caller that stops iterating stops the training; the critic is then as it was after the last
    block.

    Args:
        stack: what to train.
        every: where not 0, no block crosses a multiple of so many steps.
    """
    return begin(stack, every).train()


@torch.no_grad()
def begin(stack: Stack, every: int = 0) -> Loop:
    """The loop that `train` runs, for callers that keep its state and restore it later."""
    critic, t = stack.critic, stack.training
    device = critic.theta.device
    shape = stack.block_steps(), critic.k, t.batch_size
    return Loop(
        stack=stack,
        every=every,
        ascent=make_ascent(
            critic, stack.objective, stack.bound, t, stack.learning_rate, stack.ema_rate
        ),
        t_joint=torch.empty(shape, device=device),
        t_marginal=torch.empty(*shape[:2], t.marginal_samples * shape[2], device=device),
        mean_value=torch.zeros(critic.k, device=device),
        good=torch.ones(critic.k, dtype=torch.bool, device=device),
        good_steps=torch.zeros(critic.k, dtype=torch.int64, device=device),
    )
