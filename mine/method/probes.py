r"""What is measured of a trained critic itself, on a task, beyond its values on held-out samples.

Neither is an estimate of mutual information. P is the joint distribution of (X, Y), Q the product
of its marginals, T the critic, which stays as it is. Belghazi et al. 2018,
https://arxiv.org/abs/1801.04062, Sec. 3.1 (`gibbs_divergence`) and Sec. 3.2 (`gradient_errors`).

Shapes: K cells, N rows of the population, B rows of a batch, R batches, C histories, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.pairs import Independent, Shifts
from mine.method.bounds import MINE, Objective, State, log_mean_exp

CHUNK_ROWS = 1000
EDGE, STEP = 8.0, 0.1  # of the grid of `gibbs_divergence`
BATCHES = 64, 256  # the fewest and the most, between which they have BATCH_ROWS together
BATCH_ROWS = 1 << 18
HISTORIES = 64
MEMORIES = 3.0  # length of a history, in units of the moving average's 1 / rate batches


# ------------------------------------------------------------------ Sec. 3.1


class Densities(Protocol):
    """A task whose densities are known."""

    @property
    def dim_x(self) -> int: ...
    @property
    def dim_y(self) -> int: ...
    def log_densities(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log p(x), log p(y), log p(x, y) of rows: each (N,)."""
        ...


def gibbs_divergence(critic: Critic, tasks: Sequence[Densities]) -> tuple[Tensor, Tensor]:
    r"""KL(P || G) of the critic's Gibbs density dG = e^T dQ / E_q[e^T], in nats.

    It is what DV lacks at this critic: I - (E_p[T] - log E_q[e^T]) = E_p[log dP/dG]. Here no
    sample is drawn: both integrals are sums over a grid of (x, y), so that this is another road
    to that number than DV on held-out samples.

    Args:
        critic: K critics of scalar x and y.
        tasks: K tasks, whose mass lies within +-8.

    Returns:
        The divergence and, for its error, how far a grid of twice the step is from it: each (K,).
    """
    device = critic.theta.device
    line = torch.linspace(-EDGE, EDGE, round(2 * EDGE / STEP) + 1, device=device)
    x, y = (v.reshape(-1, 1) for v in torch.meshgrid(line, line, indexing="ij"))
    t = _on_rows(critic, x, y)
    found = [_divergence(of_k, task, x, y, len(line)) for of_k, task in zip(t, tasks, strict=True)]
    fine, coarse = torch.tensor(found, dtype=torch.float64, device=device).T
    return fine, (fine - coarse).abs()


def _on_rows(critic: Critic, x: Tensor, y: Tensor) -> Tensor:
    """T on the same rows x (N, dx), y (N, dy) for each of the K critics: (K, N), float64."""
    parts = []
    for of_x, of_y in zip(x.split(CHUNK_ROWS), y.split(CHUNK_ROWS), strict=True):
        rows_x, rows_y = (v.expand(critic.k, *v.shape).contiguous() for v in (of_x, of_y))
        parts.append(critic.values(rows_x, rows_y, Shifts(0), keep=False)[0].double())
    return torch.cat(parts, 1)


def _divergence(
    t: Tensor, task: Densities, x: Tensor, y: Tensor, side: int
) -> tuple[float, float]:
    """KL(P || G) by the grid, and by every other line of it."""
    if (task.dim_x, task.dim_y) != (1, 1):
        raise ValueError(
            f"the grid is for scalar x and y, got {task.dim_x} and {task.dim_y} columns: take a "
            "task of one dimension"
        )
    of_x, of_y, of_both = (v.double() for v in task.log_densities(x, y))
    found = []
    for every in (1, 2):
        log_q, log_p, at = (
            v.view(side, side)[::every, ::every].flatten() for v in (of_x + of_y, of_both, t)
        )
        log_cell = 2.0 * math.log(STEP * every)
        mass = (log_p + log_cell).exp()
        if abs(float(mass.sum()) - 1.0) > 1e-3:
            raise ValueError(
                f"expected a density that a grid over +-{EDGE:g} holds, got a mass of "
                f"{float(mass.sum()):.4f} there: take a task of unit scale"
            )
        log_partition = torch.logsumexp(log_q + at + log_cell, 0)
        found.append(float((mass * (log_p - log_q - at)).sum() + log_partition))
    return found[0], found[1]


# ------------------------------------------------------------------ Sec. 3.2


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

    The population is these N rows: joint pairs (x_i, y_i), marginal pairs (x_i, y_{i+1}). The
    full gradient G is that of DV over all of it; a minibatch is B rows in a row from a random
    place on. The gradient followed is g = J_b + r S_b, with J_b of the joint rows, S_b of the
    marginal ones under softmax weights, and r = E_b[e^T] / c, where c is the normaliser that the
    objective's own `descent` gives after a history of batches. T does not move, so what a moving
    average lags behind is not in it.

    Every place is equally likely, so that c has the mean D = E_q[e^T] whatever the weights of the
    average, and S_b e^T-weighted that of the full one. Products of deviations alone are sampled:
    what is linear in them has mean 0 and is left out, or no bias of 1e-4 could be told from the
    noise of R batches. With D itself for c the bias is exactly 0; to second order it is

        r (V / (2 - r) S - C),    V = Var(e^T) / (B D^2),  C = Cov(e^T, e^T grad T) / (B D^2),

    here with r for the rate: the two terms are alike in size, so that the share of plain DV's bias
    (r = 1) that is left is about the rate, not exactly.

    Args:
        critic: K critics.
        x: (K, N, dx), in random order.
        y: (K, N, dy).
        batch: B, at most N.
        rate: weight of the newest batch in the moving average; 1: plain DV.
        generators: one a cell.
        objective: what is measured; `bounds.MINE` unless said, else another whose marginal
            weights are e^T over a normaliser.
        batches: R; None for some hundreds.
        histories: C.
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
    """Means over B values in a row of a circle of N, from sums: (K, N)."""

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

    A batch enters the normaliser by its mean alone, so that one value stands for all of it.
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
    """The objective's state after batches enough to have forgotten its start: (K C,) each."""
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
    """J_b and S_b of the batches that begin there: each (K, R, P)."""
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
