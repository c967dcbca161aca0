r"""The bias of the minibatch gradient of Eq. 12 about the full gradient of DV, at a critic.

Belghazi et al. 2018, https://arxiv.org/abs/1801.04062, Sec. 3.2. The population is N rows: joint
pairs (x_i, y_i), marginal pairs (x_i, y_{i+1}). The full gradient G is that of DV over all of it.
A minibatch is B consecutive rows from a random place. The gradient followed is g = J_b + r S_b,
with J_b of the joint rows, S_b of the marginal rows under softmax weights, and r = E_b[e^T] / c,
where c is the normaliser that the objective's `descent` gives after a history of batches. T does
not move: the lag of a moving average behind a critic that moves is not measured.

Every place is equally likely. So c has the mean D = E_q[e^T], whatever the weights of the average,
and the e^T-weighted mean of S_b is S, that of the full gradient. Only products of deviations are
sampled: what is linear in them has mean 0 and is left out, or else the noise of R batches would
hide a bias of 1e-4. With D for c the bias is exactly 0. To second order it is

    r (V / (2 - r) S - C),    V = Var(e^T) / (B D^2),  C = Cov(e^T, e^T grad T) / (B D^2),

here with r for the rate. The two terms have similar sizes: the share of plain DV's bias (r = 1)
that is left is about the rate, not exactly. It is no estimate of I.

Shapes: K cells, N rows of the population, B rows of a batch, R batches, C histories, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.pairs import Independent
from mine.method.bound import log_mean_exp
from mine.method.donsker_varadhan import MINE, mine
from mine.method.method import NEITHER, Method, check_parameter
from mine.method.objective import Objective, State

CHUNK_ROWS = 1000
BATCHES = 64, 256  # the fewest and the most, between which they have BATCH_ROWS together
BATCH_ROWS = 1 << 18
HISTORIES = 64
MEMORIES = 3.0  # length of a history, in units of the moving average's 1 / rate batches


class GradientErrors(NamedTuple):
    """A minibatch gradient as an estimate of the full one, relative to its norm: each (K,).

    Attributes:
        bias: |E[g] - G| / |G|, over the batches' draws.
        scatter: sqrt(E|g - E[g]|^2) / |G|, the standard deviation of one minibatch gradient.
    """

    bias: Tensor
    scatter: Tensor


class _Gradients(NamedTuple):
    """The two halves of -grad DV: that of the joint rows, that of the softmax-weighted marginal
    ones, each (K, P) in float64; and the marginal critic values (K, B)."""

    joint: Tensor
    marginal: Tensor
    t: Tensor


@torch.no_grad()
def gradient_errors(
    critic: Critic,
    x: Tensor,
    y: Tensor,
    batch: int,
    rate: float,
    generators: Sequence[torch.Generator],
    objective: Objective | None = None,
    batches: int | None = None,
    histories: int = HISTORIES,
) -> GradientErrors:
    r"""Bias and scatter of the minibatch gradient of Eq. 12 about the full gradient of DV.

    Args:
        critic: K critics.
        x: (K, N, dx), in random order.
        y: (K, N, dy).
        batch: B, at most N.
        rate: weight of the newest batch in the moving average; 1: plain DV.
        generators: one a cell.
        objective: what is measured: `MINE`, or another whose marginal weights are e^T over a
            normaliser.
        batches: R; None for some hundreds.
        histories: C.

    Raises:
        ValueError: the population cannot give such a batch.
    """
    n = x.shape[1]
    if not 2 <= batch <= n:
        raise ValueError(
            f"expected a batch of 2 to {n} rows, as many as there are, got {batch}: take a "
            "smaller batch or more test samples"
        )
    chosen = objective or MINE
    if batches is None:
        batches = min(max(BATCH_ROWS // batch, BATCHES[0]), BATCHES[1])
    whole = _population(critic, x, y)
    log_d = log_mean_exp(whole.t)
    relative = (whole.t - log_d.unsqueeze(1)).exp()
    means = _Windows(relative, batch)
    state = _history(chosen, means, rate, generators, histories)

    places = _places(n, batches, generators)
    v = means.at(places)  # (K, R) a batch's mean of e^T, over D
    r = _factors(chosen, v.unsqueeze(1).expand(-1, histories, -1), state, rate)  # (K, C, R)
    r0 = _factors(chosen, torch.ones_like(r[..., :1]), state, rate)  # at a batch of mean D
    u, u0 = v.unsqueeze(1) / r, 1.0 / r0  # normalisers over D

    joint, marginal = _windows_gradients(critic, x, y, places, batch)  # (K, R, P) each
    of_batches = (v.unsqueeze(1) * (1.0 / u - 1.0 / u0)).mean(1)
    of_whole = ((u - u0) / u0.square()).mean((1, 2)) + ((1.0 - u0).square() / u0).mean((1, 2))
    bias = torch.einsum("kr,krp->kp", of_batches / batches, marginal)
    bias += of_whole.unsqueeze(1) * whole.marginal

    full = whole.joint + whole.marginal
    d_joint, s = joint - whole.joint.unsqueeze(1), whole.marginal.unsqueeze(1)
    once, twice = r.mean(1), r.square().mean(1)
    square = (
        d_joint.square().sum(-1)
        + 2.0 * (d_joint * (once.unsqueeze(-1) * marginal - s)).sum(-1)
        + twice * marginal.square().sum(-1)
        - 2.0 * once * (marginal * s).sum(-1)
        + s.square().sum(-1)
    ).mean(1)
    norm, size = full.norm(dim=1), bias.norm(dim=1)
    return GradientErrors(size / norm, (square - size.square()).clamp(min=0.0).sqrt() / norm)


class _Windows:
    """Means over B consecutive values of a circle of N, from cumulated sums: (K, N)."""

    def __init__(self, values: Tensor, batch: int) -> None:
        around = torch.cat([values, values[:, :batch]], 1).double()
        self.sums = torch.nn.functional.pad(around.cumsum(1), (1, 0))
        self.batch, self.n = batch, values.shape[1]

    def at(self, places: Tensor) -> Tensor:
        return (
            self.sums.gather(1, places + self.batch) - self.sums.gather(1, places)
        ) / self.batch


def _places(n: int, count: int, generators: Sequence[torch.Generator]) -> Tensor:
    """(K, count) places in a circle of n."""
    return torch.stack([torch.randint(n, (count,), generator=g, device=g.device)
                        for g in generators])  # fmt: skip


def _factors(objective: Objective, mean: Tensor, state: State, rate: float) -> Tensor:
    """r of batches with these means of e^T over D, each after its history: (K, C, R) for both.

    A batch enters the normaliser by its mean alone, so one value stands for the whole batch.
    """
    t = mean.log().reshape(-1, 1)
    of_all = tuple(s.repeat_interleave(mean.shape[-1]) for s in state)
    rates = torch.full((len(t),), rate, dtype=t.dtype, device=t.device)
    _, weights, _ = objective.descent(t, t, of_all, rates)
    return weights.sum(-1).view(mean.shape)


def _history(
    objective: Objective,
    means: _Windows,
    rate: float,
    generators: Sequence[torch.Generator],
    histories: int,
) -> State:
    """The objective's state after so many batches that its start is forgotten: (K C,) each."""
    k, device = len(generators), means.sums.device
    state = tuple(s.double() for s in objective.init(k * histories, device))
    rates = torch.full((k * histories,), rate, dtype=torch.float64, device=device)
    steps = math.ceil(MEMORIES / rate)
    places = _places(means.n, steps * histories, generators)
    for t in means.at(places).log().view(k, steps, histories).unbind(1):
        *_, state = objective.descent(t.reshape(-1, 1), t.reshape(-1, 1), state, rates)
    return state


def _population(critic: Critic, x: Tensor, y: Tensor) -> _Gradients:
    """Over all N rows, chunk by chunk."""
    n = x.shape[1]
    chunks, weights = [], []
    for rows in torch.arange(n, device=x.device).split(CHUNK_ROWS):
        found = _gradients(critic, x[:, rows], y[:, rows], y[:, (rows + 1) % n])
        chunks.append(found)
        weights.append(len(rows) / n)
    t = torch.cat([c.t for c in chunks], 1)
    log_d = log_mean_exp(t)
    joint = torch.stack([w * c.joint for w, c in zip(weights, chunks, strict=True)]).sum(0)
    marginal = torch.stack(
        [
            (w * (log_mean_exp(c.t) - log_d).exp()).unsqueeze(1) * c.marginal
            for w, c in zip(weights, chunks, strict=True)
        ]
    ).sum(0)
    return _Gradients(joint, marginal, t)


def _windows_gradients(
    critic: Critic, x: Tensor, y: Tensor, places: Tensor, batch: int
) -> tuple[Tensor, Tensor]:
    """J_b and S_b of the batches that begin at these places: each (K, R, P)."""
    n = x.shape[1]
    cells = torch.arange(len(x), device=x.device).unsqueeze(1)
    rows = torch.arange(batch, device=x.device)
    found = []
    for start in places.unbind(1):
        i = (start.unsqueeze(1) + rows) % n
        found.append(_gradients(critic, x[cells, i], y[cells, i], y[cells, (i + 1) % n]))
    return torch.stack([f.joint for f in found], 1), torch.stack([f.marginal for f in found], 1)


def _gradients(critic: Critic, x: Tensor, y: Tensor, partners: Tensor) -> _Gradients:
    ys, pairing = torch.cat([y, partners], 1), Independent(1)
    t_joint, t_marginal = critic.values(x, ys, pairing)
    weights = torch.softmax(t_marginal.double(), -1)
    t = t_marginal.double()
    critic.backward(
        torch.full_like(t_joint, -1.0 / t_joint.shape[1]), torch.zeros_like(t_marginal)
    )
    joint = _by_cell(critic)
    t_joint, t_marginal = critic.values(x, ys, pairing)  # a module's tape is gone after one use
    critic.backward(torch.zeros_like(t_joint), weights.to(t_marginal.dtype))
    return _Gradients(joint, _by_cell(critic), t)


def _by_cell(critic: Critic) -> Tensor:
    """The critic's gradient as (K, P), float64."""
    pieces = critic.grad.split([v.numel() for v in critic.views])
    return torch.cat([p.view(critic.k, -1) for p in pieces], 1).double()


def gradient(batch: int = 64, rate: float = 0.02) -> Method:
    """The value of a pair alone: the bias, over the norm of the full gradient of the test rows.

    The standard deviation of one minibatch gradient, over that norm, stands for its error. Rate 1
    is plain DV.
    """
    check_parameter("batch", batch, batch >= 2, "a whole number >= 2, such as 64")
    check_parameter("rate", rate, 0.0 < rate <= 1.0, "in (0, 1], such as 0.01 (1: plain DV)")
    return replace(
        mine(),
        name="gradient",
        reports="bias of a minibatch gradient of Eq. 12 over the full gradient's norm",
        kind=NEITHER,
        good_at="",
        probe=lambda critic, tasks, rows, generators: gradient_errors(
            critic, *rows, batch, rate, generators
        ),
    )
