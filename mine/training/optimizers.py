"""What steps the parameters of a stack: Adam's fused kernel alone, or torch.optim.

Cells may have different learning rates. The cells of one rate are stepped together. Where all
cells have one rate, as in most stacks, that is one vector: all of theta, with the zeros that fill
its last registers (`mine.critics.flat`). On CUDA, where each of many small copies takes a launch,
Adam steps cells of several rates as one vector too (`adam_of_rates`).
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
from mine.training.settings import DEFAULT_BETAS

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


def make_optimizer(
    name: str,
    critic: Critic,
    rates: Tensor,
    group_of: Tensor,
    betas: tuple[float, float] = DEFAULT_BETAS,
) -> Optimizer:
    """An optimizer of all cells.

    Args:
        name: one of `mine.training.settings.OPTIMIZERS`.
        critic: K cells.
        rates: the learning rate of each group of cells, (groups,); read anew at every step.
        group_of: the group of each cell, (K,).
        betas: decay of Adam's and AdamW's moments.
    """
    if name in ADAMS and critic.theta.is_cuda and len(rates) > 1:
        return adam_of_rates(name, critic, rates, group_of, betas)
    groups = [(rate, _slices(critic, group_of == i)) for i, rate in enumerate(rates)]
    if name in ADAMS:
        return _adam(name, groups, betas)
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


# ------------------------------------------------------- Adam without torch.optim


def _adam(
    name: str, groups: Sequence[tuple[Tensor, Sequence[Slice]]], betas: tuple[float, float]
) -> Optimizer:
    """Adam's fused kernel for the cells of each rate.

    What torch.optim does besides takes a quarter of a small network's step. It also imports
    modules that nothing here needs, which takes a second in each process.
    """
    kernel, decay = ADAMS[name]
    calls: Calls = []
    moments: dict[str, Tensor] = {}
    for i, (rate, slices) in enumerate(groups):
        values, gradient, before, after = _as_one(slices)
        updates, of_group = _kernel_calls(kernel, values, gradient, rate, decay, betas)
        calls += [*before, *updates, *after]
        moments |= {f"{i}.{name}": moment for name, moment in of_group.items()}
    return Optimizer(partial(_call_all, calls), moments)


def adam_of_rates(
    name: str,
    critic: Critic,
    rates: Tensor,
    group_of: Tensor,
    betas: tuple[float, float] = DEFAULT_BETAS,
) -> Optimizer:
    """Adam's fused kernel once for all cells, whatever their rates.

    The kernel steps a vector of zeros at rate 1. What it finds there is the step, which is then
    taken at each cell's rate. Weight decay is taken at these rates before.
    """
    kernel, decay = ADAMS[name]
    flat, taken = flat_views([v.shape for v in critic.views], critic.theta.device)
    calls, moments = _kernel_calls(
        kernel, padded(flat), padded(critic.grad), torch.ones_like(rates[0]), 0.0, betas
    )

    def move() -> None:
        of_cells = rates.index_select(0, group_of)
        for view, found in zip(critic.views, taken, strict=True):
            rate = of_cells.view(-1, *[1] * (view.dim() - 1))
            if decay:
                view.mul_(1.0 - decay * rate)
            view.addcmul_(found, rate)

    calls = [flat.zero_, *calls, move]
    return Optimizer(partial(_call_all, calls), {f"0.{n}": v for n, v in moments.items()})


def _kernel_calls(
    kernel: Callable[..., object],
    values: Tensor,
    gradient: Tensor,
    rate: Tensor,
    decay: float,
    betas: tuple[float, float],
) -> tuple[Calls, dict[str, Tensor]]:
    """The calls of one step of these values, and the moments that they keep."""
    mean, square = torch.zeros_like(values), torch.zeros_like(values)
    steps = torch.zeros((), device=values.device)
    update = partial(
        kernel, [values], [gradient], [mean], [square], [], [steps],
        lr=rate, beta1=betas[0], beta2=betas[1], weight_decay=decay, eps=1e-8,
        amsgrad=False, maximize=False,
    )  # fmt: skip
    return [partial(steps.add_, 1.0), update], {"mean": mean, "square": square, "step": steps}


def _call_all(calls: Calls) -> None:
    for call in calls:
        call()


def _as_one(slices: Sequence[Slice]) -> tuple[Tensor, Tensor, Calls, Calls]:
    """Parameters and gradients as one vector each, which fill whole registers (`padded`).

    Several slices are copied into these vectors by the calls that come third, before a step, and
    back by the calls that come last, after it.
    """
    if len(slices) == 1:
        return *slices[0], [], []
    parameters, gradients = (list(one) for one in zip(*slices, strict=True))
    shapes = [p.shape for p in parameters]
    device = parameters[0].device
    (values, of_values), (gradient, of_gradient) = (flat_views(shapes, device) for _ in "12")
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
