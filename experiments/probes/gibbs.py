r"""What the bound of Donsker and Varadhan lacks at a critic: KL(P || G), by quadrature.

With the critic's Gibbs density dG = e^T dQ / E_q[e^T] (proof of Theorem 1, Sec. 3.1 of Belghazi et
al. 2018, https://arxiv.org/abs/1801.04062),

    I - (E_p[T] - log E_q[e^T]) = E_p[log dP/dG] = KL(P || G)      (nats).

No sample is drawn: both integrals are sums over a grid of (x, y). So this is a second road to that
number, beside the truth less the bound on held-out samples. It is no estimate of I.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.pairs import Shifts
from mine.method.donsker_varadhan import mine
from mine.method.method import NEITHER, Method

CHUNK_ROWS = 1000
EDGE, STEP = 8.0, 0.1  # of the grid


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

    Args:
        critic: K critics of scalar x and y.
        tasks: K tasks, whose mass lies within +-8.

    Returns:
        The divergence and, for its error, its distance from the sum over a grid of twice the step:
        each (K,).
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
    """KL(P || G) by the grid, and by every second line of it."""
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


def gibbs() -> Method:
    """The value of a pair alone: KL(P || G) of the critic that is trained."""
    return replace(
        mine(),
        name="gibbs",
        reports="KL(P || G), dG = e^T dQ / E_q[e^T], by quadrature",
        kind=NEITHER,
        good_at="",
        probe=lambda critic, tasks, rows, generators: gibbs_divergence(critic, tasks),
    )
