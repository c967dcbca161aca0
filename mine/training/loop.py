r"""The one training loop: K critics ascend their objectives as one batched program.

The grid is a tensor axis. Gradients, moving averages, learning rates and failures are per cell;
no cell's numbers enter another's. Nothing else in the project steps an optimizer.

On CUDA nothing inside a step waits for the host, and a step is captured as a CUDA graph once the
first ones have warmed it up; the code is the same as the CPU's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mine.critics.mlp import Critic, flat_views, padded
from mine.data import pairs
from mine.data.sources import Source, block_steps, draw_block, unpack
from mine.method.objective import Objective, State

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
class Loop:
    """A stack in training, see `begin`: what a step reads and writes, in tensors that stay."""

    stack: Stack
    every: int
    batch: list[Tensor]
    objective_state: State
    optimizer: _Optimizer
    rates: Tensor  # of the groups at this step
    t_joint: Tensor  # (S, K, B) critic values of the block's steps
    t_marginal: Tensor  # (S, K, m B)
    values: tuple[Tensor, Tensor]  # of the last step, where they stay
    mean_value: Tensor  # (K,) running mean of values, not yet debiased
    good: Tensor  # (K,) no value was non-finite so far
    good_steps: Tensor  # (K,) steps before the first non-finite value

    step: int = 0  # of the training, done so far
    warm: int = 0  # steps done before a capture
    capture: bool = True
    graph: torch.cuda.CUDAGraph | None = None

    @torch.no_grad()
    def train(self) -> Iterator[Progress]:
        """To the last step, a block of steps at a time."""
        training, device = self.stack.training, self.good.device
        highest = self.stack.learning_rate.to(device).unique()
        while self.step < training.steps:
            batches = _draw(self.stack, self.step, self.every)
            rates = [training.rate(self.step + s) for s in range(len(batches[0]))]
            of_groups = torch.outer(torch.tensor(rates, device=device), highest)
            for i, (*batch, now) in enumerate(zip(*batches, of_groups, strict=True)):
                self._run(batch, now, i)
            self._record(len(rates))
            self.step += len(rates)
            yield self.progress()

    def progress(self) -> Progress:
        """How far it is, after one step or more."""
        mean = self.mean_value / (1.0 - _DECAY**self.step)
        return Progress(self.step, mean, torch.where(self.good, -1, self.good_steps))

    def _run(self, batch: list[Tensor], rates: Tensor, index: int) -> None:
        """A step: as it is on the CPU; on CUDA a few so, then as one captured graph."""
        if not (self.good.is_cuda and self.capture):
            self.batch = batch
        else:
            self.batch = self.batch or [torch.empty_like(drawn) for drawn in batch]
            for static, drawn in zip(self.batch, batch, strict=True):
                static.copy_(drawn)  # a graph reads where it was captured
        self.rates.copy_(rates)
        if self.graph is not None:
            self.graph.replay()
        elif self.good.is_cuda and self.capture:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                self._step()
            torch.cuda.current_stream().wait_stream(aside)
        else:
            self._step()
        self.t_joint[index].copy_(self.values[0])
        self.t_marginal[index].copy_(self.values[1])
        self.warm += 1
        if self.good.is_cuda and self.capture and self.warm == _WARM_STEPS:
            self._capture()

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._step()
        except RuntimeError as error:  # a user's module may hold what cannot be captured
            log.warning("the step cannot be captured as a CUDA graph, going on without: %s", error)
            self.capture = False
        else:
            self.graph = graph

    def _step(self) -> None:
        """One step of every cell: no host synchronisation, no new parameter memory."""
        stack, critic = self.stack, self.stack.critic
        x, y, pairing = unpack(
            stack.training.marginal, stack.training.marginal_samples, self.batch
        )
        self.values = critic.values(x, y, pairing)
        *gradients, state = stack.objective.descent(
            *self.values, self.objective_state, stack.ema_rate
        )
        for old, new in zip(self.objective_state, state, strict=True):
            old.copy_(new)
        critic.backward(*gradients)
        if stack.training.max_grad_norm > 0:
            clip_each(critic, stack.training.max_grad_norm)
        self.optimizer.step()

    def _record(self, steps: int) -> None:
        """The block's values, all at once: the running mean, and which cells are still finite."""
        values = self.stack.bound(self.t_joint[:steps], self.t_marginal[:steps])
        good = torch.isfinite(values).cumprod(0).bool() & self.good
        self.good_steps += good.sum(0)
        self.good.copy_(good[-1])
        for value in values:
            self.mean_value.lerp_(value, 1.0 - _DECAY)

    def _named(self) -> dict[str, Tensor]:
        """All tensors that outlive a block, the generators' aside, where they stand."""
        return {
            "theta": self.stack.critic.theta,
            "mean_value": self.mean_value,
            "good": self.good,
            "good_steps": self.good_steps,
            **{f"objective.{i}": v for i, v in enumerate(self.objective_state)},
            **{f"optimizer.{name}": v for name, v in self.optimizer.moments.items()},
        }

    def state(self) -> dict[str, Tensor]:
        """All that the rest of the training depends on, copied: see `restore`."""
        return {
            "step": torch.tensor(self.step),
            **{name: v.clone() for name, v in self._named().items()},
            **{f"generator.{k}": g.get_state() for k, g in enumerate(self.stack.generators)},
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a state that `state` gave for an equal stack, to the same bits.

        Raises:
            ValueError: it is not one of such a stack.
        """
        fits(self.state(), state)
        step = int(state["step"])
        if not 0 < step <= self.stack.training.steps:
            raise ValueError(
                f"expected a step of 1 to {self.stack.training.steps}, got {step}: start anew"
            )
        try:
            for k, generator in enumerate(self.stack.generators):
                generator.set_state(state[f"generator.{k}"])
        except RuntimeError as error:
            raise ValueError(f"expected states of generators, got none: {error}") from error
        for name, tensor in self._named().items():
            tensor.copy_(state[name])
        self.step = step


def fits(known: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Whether a state has the names, shapes and types of a known one.

    Raises:
        ValueError: it has not.
    """

    def kind(of: Mapping[str, Tensor], name: str) -> object:
        return (of[name].shape, of[name].dtype) if name in of else None

    wrong = [n for n in known.keys() | state.keys() if kind(known, n) != kind(state, n)]
    if wrong:
        raise ValueError(
            "expected the state of a stack like this one, got another's (it differs in "
            f"{', '.join(sorted(wrong))}): start anew"
        )


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


def train(stack: Stack, every: int = 0) -> Iterator[Progress]:
    """Trains the stack in place and yields after every block of steps.

    Stopping to iterate stops the training; the critic is then as far as the last block.

    Args:
        stack: what to train.
        every: where not 0, no block crosses a multiple of so many steps.
    """
    return begin(stack, every).train()


@torch.no_grad()
def begin(stack: Stack, every: int = 0) -> Loop:
    """The loop that `train` runs, for who wants to leave it and take it up again."""
    critic, t = stack.critic, stack.training
    device = critic.theta.device
    highest, group_of = stack.learning_rate.to(device).unique(return_inverse=True)
    rates = torch.zeros_like(highest)
    shape = _block_steps(stack), critic.k, t.batch_size
    return Loop(
        stack=stack,
        every=every,
        batch=[],
        objective_state=stack.objective.init(critic.k, device),
        optimizer=_optimizer(t.optimizer, critic, rates, group_of),
        rates=rates,
        t_joint=torch.empty(shape, device=device),
        t_marginal=torch.empty(*shape[:2], t.marginal_samples * shape[2], device=device),
        values=(critic.theta, critic.theta),
        mean_value=torch.zeros(critic.k, device=device),
        good=torch.ones(critic.k, dtype=torch.bool, device=device),
        good_steps=torch.zeros(critic.k, dtype=torch.int64, device=device),
    )


def _draw(stack: Stack, step: int, every: int) -> list[Tensor]:
    """The batches of the next steps, each tensor with a leading axis of steps."""
    t = stack.training
    steps = min(_block_steps(stack), t.steps - step)
    if every:
        steps = min(steps, every - step % every)
    return draw_block(
        stack.sources, stack.generators, steps, t.batch_size, t.marginal, t.marginal_samples
    )


def _block_steps(stack: Stack) -> int:
    t = stack.training
    width = stack.sources[0].dim_x + stack.sources[0].dim_y
    rows = t.batch_size * (1 + t.marginal_samples * (t.marginal == "independent"))
    return block_steps(rows, width)


@dataclass
class _Optimizer:
    """What steps the parameters, and all that it remembers between steps."""

    step: Callable[[], object]
    moments: dict[str, Tensor]


def _optimizer(name: str, critic: Critic, rates: Tensor, group_of: Tensor) -> _Optimizer:
    """Steps the cells at the rate of their group; `rates` is read anew at every step."""
    groups = [(rate, _slices(critic, group_of == i)) for i, rate in enumerate(rates)]
    if name in _ADAMS and not critic.theta.is_cuda:
        return _adam(name, groups)
    options = {"fused": True} if name != "RMSprop" else {}
    if critic.theta.is_cuda and name != "SGD":
        options["capturable"] = True
    named = [
        {"params": [_parameter(*one) for one in slices], "lr": rate} for rate, slices in groups
    ]
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(named, lr=1.0, **options)
    _make_moments(optimizer)
    states = optimizer.state_dict()["state"]
    return _Optimizer(
        optimizer.step, {f"{i}.{n}": v for i, of in states.items() for n, v in of.items()}
    )


_ADAMS = {"Adam": (torch._fused_adam_, 0.0), "AdamW": (torch._fused_adamw_, 0.01)}
"""Kernel and weight decay, with torch.optim's defaults."""


def _adam(
    name: str, groups: Sequence[tuple[Tensor, Sequence[tuple[Tensor, Tensor]]]]
) -> _Optimizer:
    """Adam's fused kernel alone, on a CPU.

    What torch.optim does around it takes a quarter of a small network's step, and a second once a
    process, for modules that nothing here needs.
    """
    kernel, decay = _ADAMS[name]
    calls: list[Callable[[], object]] = []
    moments: dict[str, Tensor] = {}
    for i, (rate, slices) in enumerate(groups):
        values, gradient, there, back = _as_one(slices)
        mean, square, steps = torch.zeros_like(values), torch.zeros_like(values), torch.zeros(())
        update = partial(
            kernel, [values], [gradient], [mean], [square], [], [steps],
            lr=rate, beta1=0.9, beta2=0.999, weight_decay=decay, eps=1e-8,
            amsgrad=False, maximize=False,
        )  # fmt: skip
        calls += [*there, partial(steps.add_, 1.0), update, *back]
        moments |= {f"{i}.mean": mean, f"{i}.square": square, f"{i}.step": steps}

    def step() -> None:
        for call in calls:
            call()

    return _Optimizer(step, moments)


def _as_one(
    slices: Sequence[tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor, list[Callable[[], object]], list[Callable[[], object]]]:
    """Parameters and gradients as one vector each, of whole registers (`padded`); several slices
    are copied there before a step, by the first calls, and back after it, by the last."""
    if len(slices) == 1:
        return *slices[0], [], []
    parameters, gradients = (list(one) for one in zip(*slices, strict=True))
    shapes = [p.shape for p in parameters]
    (values, of_values), (gradient, of_gradient) = flat_views(shapes), flat_views(shapes)
    copy = torch._foreach_copy_
    there = [partial(copy, of_values, parameters), partial(copy, of_gradient, gradients)]
    return padded(values), padded(gradient), [*there], [partial(copy, parameters, of_values)]


def _slices(critic: Critic, chosen: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Parameters and gradients of the cells chosen: all of theta at once, where all are."""
    if chosen.all():
        return [(padded(critic.theta), padded(critic.grad))]
    both = list(zip(critic.views, _like(critic, critic.grad), strict=True))
    return [(v[k], g[k]) for k in chosen.nonzero().flatten().tolist() for v, g in both]


def _parameter(values: Tensor, gradient: Tensor) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(values, requires_grad=False)
    parameter.grad = gradient
    return parameter


def _make_moments(optimizer: torch.optim.Optimizer) -> None:
    """Zero moments, as a first step would find them: torch.optim makes them in that step alone."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    before = [p.clone() for p in parameters]
    optimizer.step()
    for p, value in zip(parameters, before, strict=True):
        p.copy_(value)
    for moments in optimizer.state.values():
        for tensor in moments.values():
            tensor.zero_()
