r"""Baselines: one network at a time, in plain torch, written with and without care.

Both train MINE's statistics network (two hidden layers, ELU) by the gradient of Eq. 12 on
component-wise correlated Gaussians. `careful` does what can be done without stacking: it draws the
batches of many steps at once, passes joint and marginal rows through the network together, uses
fused Adam, and reads no value back. `notebook` does what most public code does: rows chosen by
numpy, two forward passes, plain Adam, `.item()` at every step.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.cases import Shape
from mine.data.batches import block_steps
from mine.data.generators import generator
from mine.tasks import CorrelatedGaussian

LEARNING_RATE = 1e-3
EMA_RATE = 0.01
RHO = 0.5
ROWS = 1000  # of the notebook's data set; choosing from more takes longer


def task(shape: Shape) -> CorrelatedGaussian:
    return CorrelatedGaussian(shape.dim, RHO)


def network(shape: Shape) -> nn.Sequential:
    """T on concatenated pairs: (rows, 2d) -> (rows, 1)."""
    return nn.Sequential(
        nn.Linear(2 * shape.dim, shape.hidden),
        nn.ELU(inplace=True),
        nn.Linear(shape.hidden, shape.hidden),
        nn.ELU(inplace=True),
        nn.Linear(shape.hidden, 1),
    )


# -------------------------------------------------------------------- (a) careful


def careful(shape: Shape, steps: int) -> Tensor:
    """Trains one network and returns each step's value in nats, shape (steps,)."""
    net = network(shape)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    source, numbers = task(shape), generator(0, "careful")
    values, ema = torch.empty(steps), torch.zeros(())
    block = block_steps(shape.batch, 2 * shape.dim)
    for begin in range(0, steps, block):
        n = min(block, steps - begin)
        x, y = source.sample(n * shape.batch, numbers)
        for i, rows in enumerate(pairs(x, y, n, shape.marginal_samples), begin):
            optimizer.zero_grad(set_to_none=True)
            loss, values[i] = careful_loss(net(rows), shape.batch, ema, i + 1)
            loss.backward()
            optimizer.step()
    return values


def pairs(x: Tensor, y: Tensor, steps: int, m: int) -> Tensor:
    """Each step's B joint rows, then m B marginal ones by shifts: (steps, (1 + m) B, 2d)."""
    x, y = x.view(steps, -1, x.shape[-1]), y.view(steps, -1, y.shape[-1])
    shifted = [torch.cat([x, y.roll(-s, 1)], -1) for s in range(m + 1)]
    return torch.cat(shifted, 1)


def careful_loss(
    t: Tensor, batch: int, ema: Tensor, step: int, rate: float = EMA_RATE
) -> tuple[Tensor, Tensor]:
    """Minus the surrogate of Eq. 12, and the value in nats; updates ``ema`` in place.

    Args:
        t: T on ``batch`` joint rows and on the marginal ones after them, shape (rows, 1).
        ema: moving average of the mean of exp T, started at 0; it is debiased here; a scalar.
        step: the number of this step, from 1.
        rate: of the moving average.
    """
    joint, mean = t[:batch].mean(), t[batch:].exp().mean()
    ema.lerp_(mean.detach(), rate)
    debiased = ema / (1.0 - (1.0 - rate) ** step)
    return mean / debiased - joint, (joint - mean.log()).detach()


# ------------------------------------------------------------------- (b) notebook


def notebook(shape: Shape, steps: int) -> list[float]:
    """Trains one network and returns each step's value in nats."""
    net = network(shape)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    rows = max(ROWS, shape.batch)
    x, y = (v.numpy() for v in task(shape).sample(rows, generator(0, "notebook")))
    values = []
    ema = torch.ones(())
    for _ in range(steps):
        joint, others, marginal = (choose(rows, shape.batch) for _ in range(3))
        loss, value, ema = notebook_loss(
            net,
            torch.FloatTensor(np.concatenate([x[joint], y[joint]], 1)),
            torch.FloatTensor(np.concatenate([x[others], y[marginal]], 1)),
            ema,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(value.item())
    return values


def choose(rows: int, size: int) -> np.ndarray:
    return np.random.choice(range(rows), size=size, replace=False)  # noqa: NPY002  as they do it


def notebook_loss(
    net: nn.Module, joint: Tensor, marginal: Tensor, ema: Tensor, rate: float = EMA_RATE
) -> tuple[Tensor, Tensor, Tensor]:
    """Minus the surrogate (its average starts at 1), the value in nats, the next average."""
    t, et = net(joint), torch.exp(net(marginal))
    ema = ((1 - rate) * ema + rate * torch.mean(et)).detach()
    loss = -(torch.mean(t) - torch.mean(et) / ema)
    return loss, torch.mean(t) - torch.log(torch.mean(et)), ema
