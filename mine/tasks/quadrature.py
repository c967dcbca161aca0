"""Composite Gauss-Legendre quadrature: panels are halved until the integral no longer changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ORDER = 8
"""Nodes in a panel: error 1e-11 for a normal density over two standard deviations."""
REACH = 12.0  # standard deviations beyond which a normal density counts as 0 (e^-72)
TOLERANCE = 1e-7  # nats
WORK = 5e8  # most density evaluations of the last refinement
RUN = 128  # rows of sorted y that are evaluated at once


def log_normal(z: Tensor) -> Tensor:
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi)


def gauss_legendre(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, each (panels * ORDER,), on the panels between edges."""
    node, weight = np.polynomial.legendre.leggauss(ORDER)
    centre, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return (centre[:, None] + half[:, None] * node).ravel(), (half[:, None] * weight).ravel()


@dataclass(frozen=True, eq=False)
class NormalSum:
    """p(y) = sum_j w_j N(y; mean_j, sigma^2).

    Attributes:
        means: ascending, (J,), float64.
        log_weights: log w_j, (J,).
        sigma: the standard deviation of every component.
    """

    means: Tensor
    log_weights: Tensor
    sigma: float

    def log_density(self, y: Tensor) -> Tensor:
        """log p(y), elementwise. Each run of sorted y looks only at the means within reach."""
        means, log_weights = self.means.to(y.device), self.log_weights.to(y.device)
        flat, order = y.reshape(-1).sort()
        out = torch.empty_like(flat)
        gap = float(means.diff().max()) if len(means) > 1 else 0.0
        near = flat.clamp(float(means[0]), float(means[-1]))
        starts = torch.arange(0, len(flat), RUN, device=y.device)
        ends = (starts + RUN - 1).clamp(max=len(flat) - 1)
        reach = REACH * self.sigma + gap
        low = torch.searchsorted(means, near[starts] - reach).tolist()
        high = torch.searchsorted(means, near[ends] + reach, right=True).tolist()
        for start, a, b in zip(range(0, len(flat), RUN), low, high, strict=True):
            z = (flat[start : start + RUN, None] - means[a:b]) / self.sigma
            out[start : start + RUN] = torch.logsumexp(log_normal(z) + log_weights[a:b], -1)
        log_p = out - math.log(self.sigma)
        return torch.empty_like(log_p).scatter_(0, order, log_p).reshape(y.shape)


def panels_in_y(mixture: NormalSum, panels: int) -> int:
    """How many panels of 16 sigma / panels the integral over y needs."""
    span = float(mixture.means[-1] - mixture.means[0])
    return math.ceil(panels * (span / (16 * mixture.sigma) + REACH / 8))


def work(mixture: NormalSum, panels: int) -> float:
    """How many densities `information` will evaluate; the mixture has half these panels."""
    span = float(mixture.means[-1] - mixture.means[0])
    within_reach = min(1.0, 2 * REACH * mixture.sigma / max(span, 1e-300))
    return 2 * len(mixture.means) * ORDER * panels_in_y(mixture, panels) * within_reach


def information(mixture: NormalSum, panels: int) -> float:
    """h(Y) - log(sigma sqrt(2 pi e)), in nats, on panels of 16 sigma / panels in y."""
    low, high, sigma = float(mixture.means[0]), float(mixture.means[-1]), mixture.sigma
    count, reach = panels_in_y(mixture, panels), REACH * sigma
    nodes, weights = gauss_legendre(np.linspace(low - reach, high + reach, count + 1))
    log_p = mixture.log_density(torch.from_numpy(nodes))
    entropy = -float((torch.from_numpy(weights) * log_p.exp() * log_p).sum())
    return entropy - math.log(sigma) - 0.5 * math.log(2 * math.pi * math.e)


def settle(value: Callable[[int], float], panels: int, most: int) -> float:
    """value(panels), for panels doubled until it changes by less than TOLERANCE.

    Raises:
        ValueError: it still changes by more at `most` panels.
    """
    found, step = value(panels), math.inf
    while panels < most:
        panels *= 2
        finer = value(panels)
        found, step = finer, abs(finer - found)
        if step < TOLERANCE:
            return found
    raise ValueError(
        f"expected a truth that converges to {TOLERANCE} nats, got a last step of {step:.1e} on "
        f"{panels} panels: take a dependence that is less sharp"
    )


def normal_nodes(panels: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights, each (panels * ORDER,), for a mean over a standard normal variable."""
    nodes, weights = gauss_legendre(np.linspace(-8.5, 8.5, panels + 1))  # outside: e^-36
    z = torch.from_numpy(nodes)
    return z, torch.from_numpy(weights) * log_normal(z).exp()


def uniform_nodes(panels: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights, each (panels * ORDER,), for a mean over U(-1, 1)."""
    nodes, weights = gauss_legendre(np.linspace(-1, 1, panels + 1))
    return torch.from_numpy(nodes), torch.from_numpy(weights / 2)


def mean_over_pairs(
    value: Callable[[Tensor, Tensor], Tensor],
    first: tuple[Tensor, Tensor],
    second: tuple[Tensor, Tensor],
) -> float:
    """The mean of value(a, b) over independent a and b.

    Args:
        value: takes columns (N, 1) and returns (N,).
        first: nodes and weights of a.
        second: nodes and weights of b.
    """
    total = 0.0
    for a, w in zip(first[0].split(64), first[1].split(64), strict=True):
        left, right = a.repeat_interleave(len(second[0])), second[0].repeat(len(a))
        weights = torch.outer(w, second[1]).reshape(-1)
        total += float((weights * value(left[:, None], right[:, None])).sum())
    return total
