r"""The one training loop: K critics ascend their objectives as one batched program.

The grid is a tensor axis. Gradients, moving averages, learning rates and failures are per cell;
no cell's numbers enter another's. Nothing else in the project steps an optimizer.

On CUDA nothing inside a step waits for the host, and a step is captured as a CUDA graph once the
first ones have warmed it up; the code is the same as the CPU's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mine import pairs
from mine.bounds import Objective, State
from mine.critics import Critic
from mine.sampling import Source, block_steps, draw_block, unpack

log = logging.getLogger(__name__)

SCHEDULES = ("cosine", "constant")
OPTIMIZERS = ("Adam", "AdamW", "RMSprop", "SGD")
_WARM_STEPS = 3  # eager steps before a capture, as torch's notes on CUDA graphs ask for
_DECAY = 0.98  # of the training curve's running mean


@dataclass(frozen=True)
class Training:
    """How critics are trained; the fields are the config's keys.

    Attributes:
        steps: optimizer steps.
        batch_size: joint pairs a step.
        learning_rate: the optimizer's, at its highest. Per cell.
        schedule: "cosine" (down to 0 at the last step) or "constant".
        warmup: steps over which the learning rate rises from 0.
        optimizer: a class of torch.optim: "Adam", "AdamW", "RMSprop" or "SGD".
        ema_rate: weight of the newest batch in MINE's moving average (Sec. 3.2). Per cell.
        marginal: "derangement", "shuffle" or "independent": how marginal pairs are made.
        marginal_samples: marginal pairs per joint pair.
        max_grad_norm: clips each cell's gradient to this norm; 0 for no clipping.
        validate_every: steps between two looks at the validation rows (own data only).
        patience: looks without a better validation value before a cell is done (own data only).
    """

    steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warmup: int = 0
    optimizer: str = "Adam"
    ema_rate: float = 0.02
    marginal: str = "derangement"
    marginal_samples: int = 2
    max_grad_norm: float = 0.0
    validate_every: int = 50
    patience: int = 10

    def __post_init__(self) -> None:
        _positive_int("steps", self.steps)
        _positive_int("batch_size", self.batch_size, least=2)
        _positive_int("marginal_samples", self.marginal_samples)
        _positive_int("validate_every", self.validate_every)
        _positive_int("patience", self.patience)
        _positive_int("warmup", self.warmup, least=0)
        _within("learning_rate", self.learning_rate, 0.0, math.inf)
        _within("ema_rate", self.ema_rate, 0.0, 1.0)
        if not (math.isfinite(self.max_grad_norm) and self.max_grad_norm >= 0):
            raise ValueError(
                f"max_grad_norm must be a number >= 0 (0: no clipping), got {self.max_grad_norm}"
            )
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("marginal", self.marginal, pairs.KINDS)
        if self.marginal == "derangement" and self.marginal_samples >= self.batch_size:
            raise ValueError(
                "a batch of B rows has B - 1 cyclic derangements, got "
                f"marginal_samples={self.marginal_samples} for batch_size={self.batch_size}: "
                "lower the one or raise the other"
            )

    def rate(self, step: int) -> float:
        """The factor on the learning rate at a step, in [0, 1]."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        if self.schedule == "constant":
            return rise
        return rise * 0.5 * (1.0 + math.cos(math.pi * step / self.steps))


def _positive_int(name: str, value: object, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name} must be a whole number >= {least}, got {value!r}: give one, such as {least}"
        )


def _within(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low < value <= high and math.isfinite(value)):  # type: ignore[operator,arg-type]
        span = f"in ({low:g}, {high:g}]" if math.isfinite(high) else f"a finite number > {low:g}"
        raise ValueError(f"{name} must be {span}, got {value!r}: give one, such as 0.001")


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {list(known)}, got {value!r}")


@dataclass
class Stack:
    """K cells of equal shapes: their critics, where their batches come from, and what they ascend.

    Attributes:
        critic: K stacked critics.
        sources: K sources of joint pairs.
        generators: K generators on the sources' device.
        objective: what is ascended.
        bound: the value that the training curve shows, a function of critic values.
        training: hyperparameters; those marked "per cell" are overruled by the next two.
        learning_rate: (K,).
        ema_rate: (K,).
    """

    critic: Critic
    sources: Sequence[Source]
    generators: Sequence[torch.Generator]
    objective: Objective
    bound: Callable[[Tensor, Tensor], Tensor]
    training: Training
    learning_rate: Tensor
    ema_rate: Tensor


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
class _Loop:
    """What a step reads and writes, all of it tensors that stay where they are."""

    stack: Stack
    batch: list[Tensor]
    factor: Tensor
    state: State
    optimizer: torch.optim.Optimizer
    rate_of_each: Tensor  # the learning rate of every entry of theta
    rate_now: Tensor
    before: Tensor  # theta before the step
    mean_value: Tensor  # (K,) running mean of values, not yet debiased
    good: Tensor  # (K,) no value was non-finite so far
    good_steps: Tensor  # (K,) steps before the first non-finite value

    done: int = 0
    capture: bool = True
    graph: torch.cuda.CUDAGraph | None = None

    def run(self, batch: list[Tensor], factor: Tensor) -> None:
        """A step: as it is on the CPU; on CUDA a few so, then as one captured graph."""
        if not (self.before.is_cuda and self.capture):
            self.batch, self.factor = batch, factor
            self.step()
            return
        for static, drawn in zip([*self.batch, self.factor], [*batch, factor], strict=True):
            static.copy_(drawn)  # a graph reads where it was captured
        if self.graph is not None:
            self.graph.replay()
        else:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                self.step()
            torch.cuda.current_stream().wait_stream(aside)
            self.done += 1
            if self.done == _WARM_STEPS:
                self._capture()

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self.step()
        except RuntimeError as error:  # a user's module may hold what cannot be captured
            log.warning("the step cannot be captured as a CUDA graph, going on without: %s", error)
            self.capture = False
        else:
            self.graph = graph

    def step(self) -> None:
        """One step of every cell: no host synchronisation, no new parameter memory."""
        stack, critic = self.stack, self.stack.critic
        x, y, pairing = unpack(
            stack.training.marginal, stack.training.marginal_samples, self.batch
        )
        t_joint, t_marginal = critic.values(x, y, pairing)
        g_joint, g_marginal, state = _ascent(stack, t_joint, t_marginal, self.state)
        for old, new in zip(self.state, state, strict=True):
            old.copy_(new)
        self._record(stack.bound(t_joint, t_marginal))
        critic.backward(g_joint, g_marginal)
        if stack.training.max_grad_norm > 0:
            clip_each(critic, stack.training.max_grad_norm)
        # The optimizer proposes a step at rate 1; each cell moves its own rate along it. Every
        # torch.optim step is linear in its learning rate, and so each cell can have its own.
        self.before.copy_(critic.theta)
        self.optimizer.step()
        torch.mul(self.rate_of_each, self.factor, out=self.rate_now)
        torch.lerp(self.before, critic.theta, self.rate_now, out=critic.theta)

    def _record(self, value: Tensor) -> None:
        self.good &= torch.isfinite(value)
        self.good_steps += self.good
        self.mean_value.lerp_(value, 1.0 - _DECAY)


def _ascent(
    stack: Stack, t_joint: Tensor, t_marginal: Tensor, state: State
) -> tuple[Tensor, Tensor, State]:
    """Gradient of minus the surrogate in the critic's values: what the optimizer descends."""
    with torch.enable_grad():
        leaves = t_joint.detach().requires_grad_(), t_marginal.detach().requires_grad_()
        surrogate, state = stack.objective.surrogate(*leaves, state, stack.ema_rate)
        g_joint, g_marginal = torch.autograd.grad(-surrogate.sum(), leaves)
    return g_joint, g_marginal, state


def clip_each(critic: Critic, max_norm: float) -> None:
    """Scales each cell's gradient to at most this norm, whatever its neighbours' are."""
    grads = _like(critic, critic.grad)
    squares = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0)
    scale = (max_norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for g in grads:
        g *= scale.view(-1, *[1] * (g.dim() - 1))


def _like(critic: Critic, flat: Tensor) -> list[Tensor]:
    """A flat vector laid out like theta, in slices shaped as the critic's views."""
    pieces = flat.split([v.numel() for v in critic.views])
    return [p.view_as(v) for p, v in zip(pieces, critic.views, strict=True)]


def per_parameter(critic: Critic, of_cell: Tensor) -> Tensor:
    """A value of each cell (K,), repeated for every entry of theta that is the cell's."""
    flat = torch.empty_like(critic.theta, dtype=of_cell.dtype)
    for view in _like(critic, flat):
        view.copy_(of_cell.view(-1, *[1] * (view.dim() - 1)).expand_as(view))
    return flat


@torch.no_grad()
def train(stack: Stack, every: int = 0) -> Iterator[Progress]:
    """Trains the stack in place and yields after every block of steps.

    Stopping to iterate stops the training; the critic is then as far as the last block.

    Args:
        stack: what to train.
        every: where not 0, no block crosses a multiple of so many steps.
    """
    training = stack.training
    loop: _Loop | None = None
    step = 0
    while step < training.steps:
        batches = _draw(stack, step, every)
        loop = loop or _begin(stack, batches)
        rates = [training.rate(step + s) for s in range(len(batches[0]))]
        factors = torch.tensor(rates, device=stack.critic.theta.device)
        for *batch, factor in zip(*batches, factors, strict=True):
            loop.run(batch, factor)
        step += len(rates)
        mean = loop.mean_value / (1.0 - _DECAY**step)
        yield Progress(step, mean, torch.where(loop.good, -1, loop.good_steps))


def _begin(stack: Stack, batches: Sequence[Tensor]) -> _Loop:
    critic = stack.critic
    device = critic.theta.device
    return _Loop(
        stack=stack,
        batch=[torch.empty_like(t[0]) for t in batches],
        factor=torch.ones((), device=device),
        state=stack.objective.init(critic.k, device),
        optimizer=_optimizer(stack.training.optimizer, critic),
        rate_of_each=per_parameter(critic, stack.learning_rate.to(device)),
        rate_now=torch.empty_like(critic.theta),
        before=torch.empty_like(critic.theta),
        mean_value=torch.zeros(critic.k, device=device),
        good=torch.ones(critic.k, dtype=torch.bool, device=device),
        good_steps=torch.zeros(critic.k, dtype=torch.int64, device=device),
    )


def _draw(stack: Stack, step: int, every: int) -> list[Tensor]:
    """The batches of the next steps, each tensor with a leading axis of steps."""
    t = stack.training
    width = stack.sources[0].dim_x + stack.sources[0].dim_y
    rows = t.batch_size * (1 + t.marginal_samples * (t.marginal == "independent"))
    steps = min(block_steps(rows, width), t.steps - step)
    if every:
        steps = min(steps, every - step % every)
    return draw_block(
        stack.sources, stack.generators, steps, t.batch_size, t.marginal, t.marginal_samples
    )


def _optimizer(name: str, critic: Critic) -> torch.optim.Optimizer:
    theta = torch.nn.Parameter(critic.theta, requires_grad=False)
    theta.grad = critic.grad
    options = {"fused": True} if name != "RMSprop" else {}
    if critic.theta.is_cuda and name != "SGD":
        options["capturable"] = True
    return getattr(torch.optim, name)([theta], lr=1.0, **options)
