"""What steps the parameters of a stack: torch.optim, or Adam's fused kernel alone on a CPU.

Cells may have different learning rates. The cells of one rate are stepped together. Where all
cells have one rate, as in most stacks, that is one vector: all of theta, with the zeros that fill
its last registers (`mine.critics.flat`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mine.critics.flat import flat_views, padded, views_of
from mine.critics.protocol import Critic
from mine.private_torch import foreach_copy_, fused_adam_, fused_adamw_

ADAMS = {"Adam": (fused_adam_, 0.0), "AdamW": (fused_adamw_, 0.01)}
"""Kernel and weight decay, with torch.optim's defaults."""

Slice = tuple[Tensor, Tensor]
"""Some parameters, and their gradient."""
Calls = list[Callable[[], object]]


@dataclass
class Optimizer:
    """What steps the parameters, and all that it remembers between steps."""

    step: Callable[[], object]
    moments: dict[str, Tensor]


def make_optimizer(name: str, critic: Critic, rates: Tensor, group_of: Tensor) -> Optimizer:
    """An optimizer of all cells.

    Args:
        name: one of `mine.training.settings.OPTIMIZERS`.
        critic: K cells.
        rates: the learning rate of each group of cells, (groups,); read anew at every step.
        group_of: the group of each cell, (K,).
    """
    groups = [(rate, _slices(critic, group_of == i)) for i, rate in enumerate(rates)]
    if name in ADAMS and not critic.theta.is_cuda:
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
    return Optimizer(
        optimizer.step, {f"{i}.{n}": v for i, of in states.items() for n, v in of.items()}
    )


def _slices(critic: Critic, chosen: Tensor) -> list[Slice]:
    """Parameters and gradients of the cells chosen; all of theta at once, where all are."""
    if chosen.all():
        return [(padded(critic.theta), padded(critic.grad))]
    both = list(zip(critic.views, views_of(critic, critic.grad), strict=True))
    return [(v[k], g[k]) for k in chosen.nonzero().flatten().tolist() for v, g in both]


# --------------------------------------------------------------- Adam on a CPU


def _adam(name: str, groups: Sequence[tuple[Tensor, Sequence[Slice]]]) -> Optimizer:
    """Adam's fused kernel without torch.optim.

    What torch.optim does besides takes a quarter of a small network's step. It also imports
    modules that nothing here needs, which takes a second in each process.
    """
    kernel, decay = ADAMS[name]
    calls: Calls = []
    moments: dict[str, Tensor] = {}
    for i, (rate, slices) in enumerate(groups):
        values, gradient, before, after = _as_one(slices)
        mean, square, steps = torch.zeros_like(values), torch.zeros_like(values), torch.zeros(())
        update = partial(
            kernel, [values], [gradient], [mean], [square], [], [steps],
            lr=rate, beta1=0.9, beta2=0.999, weight_decay=decay, eps=1e-8,
            amsgrad=False, maximize=False,
        )  # fmt: skip
        calls += [*before, partial(steps.add_, 1.0), update, *after]
        moments |= {f"{i}.mean": mean, f"{i}.square": square, f"{i}.step": steps}

    def step() -> None:
        for call in calls:
            call()

    return Optimizer(step, moments)


def _as_one(slices: Sequence[Slice]) -> tuple[Tensor, Tensor, Calls, Calls]:
    """Parameters and gradients as one vector each, which fill whole registers (`padded`).

    Several slices are copied into these vectors by the calls that come third, before a step, and
    back by the calls that come last, after it.
    """
    if len(slices) == 1:
        return *slices[0], [], []
    parameters, gradients = (list(one) for one in zip(*slices, strict=True))
    shapes = [p.shape for p in parameters]
    (values, of_values), (gradient, of_gradient) = flat_views(shapes), flat_views(shapes)
    copy = foreach_copy_
    before = [partial(copy, of_values, parameters), partial(copy, of_gradient, gradients)]
    return padded(values), padded(gradient), [*before], [partial(copy, parameters, of_values)]


# ----------------------------------------------------------------- torch.optim


def _parameter(values: Tensor, gradient: Tensor) -> torch.nn.Parameter:
    parameter = torch.nn.Parameter(values, requires_grad=False)
    parameter.grad = gradient
    return parameter


def _make_moments(optimizer: torch.optim.Optimizer) -> None:
    """Makes the moments, all zero, before the first step.

    torch.optim makes them in its first step alone, so one step is taken and undone.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    before = [p.clone() for p in parameters]
    optimizer.step()
    for p, value in zip(parameters, before, strict=True):
        p.copy_(value)
    for moments in optimizer.state.values():
        for tensor in moments.values():
            tensor.zero_()
