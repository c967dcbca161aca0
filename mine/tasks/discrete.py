r"""Tasks with a discrete side: labels and counts, each one column of whole numbers.

`StepUniform` and `ZeroInflatedPoisson` are the discrete-continuous pairs of Gao, Kannan, Oh and
Viswanath, NeurIPS 2017, https://arxiv.org/abs/1709.06212.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from scipy.special import digamma, gammaln, xlogy
from torch import Generator, Tensor

from mine.tasks.quadrature import NormalSum, information, log_normal, settle
from mine.tasks.task import (
    Interval,
    check_positive,
    is_finite,
    is_whole,
    numbers,
    probabilities,
)


@dataclass(frozen=True)
class StepUniform:
    """X uniform on {0, ..., categories - 1}, Y = X + U(0, 2).

    I = log k - (k - 1) / k log 2, k the categories.
    """

    categories: int = 5

    def __post_init__(self) -> None:
        if not is_whole(self.categories, 1):
            raise ValueError(
                f"expected categories to be an integer >= 1, got {self.categories!r}: take e.g. 5"
            )

    dim_x = dim_y = 1

    @property
    def support_x(self) -> Interval:
        return 0.0, self.categories - 1.0

    @property
    def support_y(self) -> Interval:
        return 0.0, self.categories + 1.0

    @property
    def mi(self) -> float:
        k = self.categories
        return math.log(k) - (k - 1) / k * math.log(2)

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        label, u = torch.rand(2, n, 1, generator=generator, device=generator.device)
        x = (self.categories * label).floor().clamp(max=self.categories - 1)
        return x, x + 2 * u

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(y | x) / p(y) of columns (N, 1), (N, 1): shape (N,), -inf where p(y | x) = 0."""
        u, v, k = x.double()[:, 0], y.double()[:, 0], self.categories
        step = v.floor().clamp(0, k)
        sources = 2 - (step == 0).double() - (step == k).double()  # labels that y allows
        possible = (v >= u) & (v <= u + 2) & (sources > 0)
        ratio = math.log(k) - sources.log()
        return torch.where(possible, ratio, -math.inf).to(x.dtype)


@dataclass(frozen=True)
class ZeroInflatedPoisson:
    r"""X ~ Exp(1); Y is 0 with probability p, else Poisson(X).

    I = E_X[q log(q / Q)] + (1 - p) sum_{k>=1} 2^-(k+1)
            (k (psi(k+1) - log 2) - (k + 1) / 2 - log k! + (k + 1) log 2),

    where q = p + (1 - p) e^-X is the probability of Y = 0 given X, Q = (1 + p) / 2 that of Y = 0,
    and E_X[q log(q / Q)] = -Q log Q - Q / 2 - p^2 log(p) / (2 (1 - p)). At p = 0,
    I = 2 log 2 - gamma - sum_k 2^-k log k. For p > 0 Gao et al. print (1 - p) times that. It is
    larger than I: the information of an observer who also sees which zeros were inflated.
    """

    p: float = 0.15

    def __post_init__(self) -> None:
        if not is_finite(self.p) or not 0 <= self.p < 1:
            raise ValueError(
                f"expected p in [0, 1), got {self.p!r}: p is the probability of an inflated zero"
            )

    dim_x = dim_y = 1

    @property
    def support_x(self) -> Interval:
        return 0.0, math.inf

    @property
    def support_y(self) -> Interval:
        return 0.0, math.inf

    @property
    def mi(self) -> float:
        k = np.arange(1.0, 200.0)
        counts = k * (digamma(k + 1) - math.log(2)) - (k + 1) / 2
        counts += (k + 1) * math.log(2) - gammaln(k + 1)
        # q is uniform on (p, 1), as e^-X is on (0, 1).
        p = self.p
        zeros = (1 + p) / 2 * math.log(2 / (1 + p)) - (1 + p) / 4
        zeros -= xlogy(p, p) * p / (2 * (1 - p))
        return float(zeros + (1 - self.p) * (0.5 ** (k + 1) @ counts))

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        x = torch.empty(n, 1, device=generator.device).exponential_(generator=generator)
        kept = torch.rand(n, 1, generator=generator, device=generator.device) >= self.p
        return x, torch.poisson(x, generator=generator) * kept

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(y | x) / p(y) of columns (N, 1), (N, 1): shape (N,), in nats."""
        u, k, p = x.double()[:, 0], y.double()[:, 0], self.p
        zero = (2 * (p + (1 - p) * (-u).exp()) / (1 + p)).log()
        count = torch.xlogy(k, u) - u - torch.lgamma(k + 1) + (k + 1) * math.log(2)
        return torch.where(k == 0, zero, count).to(x.dtype)


@dataclass(frozen=True)
class ClassLabel:
    """X a label in {0, ..., k - 1}, Y ~ N(means[X], sigma^2), I = h(Y) - h(Y | X) by quadrature.

    Args:
        means: the mean of Y in each of the k classes.
        sigma: the standard deviation of Y within a class.
        weights: the probabilities of the classes; empty for equal ones.
    """

    means: tuple[float, ...] = (-1.0, 1.0)
    sigma: float = 1.0
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "means", numbers(self.means, "means"))
        k = len(self.means)
        if k == 0:
            raise ValueError("expected one mean or more, got none: give each class its own")
        object.__setattr__(self, "weights", probabilities(self.weights or [1 / k] * k, "weights"))
        if len(self.weights) != k or min(self.weights) == 0:
            raise ValueError(
                f"expected one weight > 0 for each of {k} means, got {list(self.weights)}: "
                "leave a class of no weight out"
            )
        check_positive(self.sigma, "sigma", "the standard deviation in a class, e.g. 1.0")
        if (spread := max(self.means) - min(self.means)) > 1e4 * self.sigma:
            raise ValueError(
                f"expected sigma >= {spread / 1e4:.3g}, got {self.sigma!r}: "
                "the classes are so far apart that I is the label's entropy"
            )

    dim_x = dim_y = 1

    @property
    def support_x(self) -> Interval:
        return 0.0, len(self.means) - 1.0

    @property
    def mi(self) -> float:
        return _label_truth(self)

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        label = _draw(self.weights, n, generator)
        noise = torch.randn(n, 1, generator=generator, device=device)
        return label.float(), torch.tensor(self.means, device=device)[label] + self.sigma * noise

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(y | x) / p(y) of columns (N, 1), (N, 1): shape (N,), in nats."""
        v = y.double()
        means = torch.tensor(self.means, dtype=torch.float64, device=x.device)[x.long()]
        conditional = log_normal((v - means) / self.sigma) - math.log(self.sigma)
        return (conditional - self.density.log_density(v))[:, 0].to(x.dtype)

    @cached_property
    def density(self) -> NormalSum:
        """p(y)."""
        means, order = torch.tensor(self.means, dtype=torch.float64).sort()
        return NormalSum(
            means, torch.tensor(self.weights, dtype=torch.float64).log()[order], self.sigma
        )


@lru_cache(maxsize=256)
def _label_truth(task: ClassLabel) -> float:
    return max(settle(lambda panels: information(task.density, panels), 8, 512), 0.0)


@dataclass(frozen=True)
class JointTable:
    """X a row and Y a column of a table of probabilities, each counted from 0.

    I = sum_ij p_ij log p_ij / (p_i p_j).
    """

    table: tuple[tuple[float, ...], ...] = ((0.4, 0.1), (0.1, 0.4))

    def __post_init__(self) -> None:
        if not isinstance(self.table, Sequence) or isinstance(self.table, str) or not self.table:
            raise ValueError(
                f"expected table to be a list of rows, got {self.table!r}: "
                "write it as [[0.4, 0.1], [0.1, 0.4]]"
            )
        rows = [numbers(row, "each row of table") for row in self.table]
        if len(widths := {len(row) for row in rows}) > 1 or widths == {0}:
            raise ValueError(
                f"expected rows of equal length, got {[len(row) for row in rows]}: "
                "write the zeros too"
            )
        flat = probabilities([value for row in rows for value in row], "the entries of table")
        width = len(rows[0])
        table = tuple(flat[i : i + width] for i in range(0, len(flat), width))
        object.__setattr__(self, "table", table)
        if min(map(sum, table)) == 0 or min(map(sum, zip(*table, strict=True))) == 0:
            raise ValueError(
                "expected each row and column to have some probability, got one of zeros: "
                "leave it out"
            )

    dim_x = dim_y = 1

    @property
    def support_x(self) -> Interval:
        return 0.0, len(self.table) - 1.0

    @property
    def support_y(self) -> Interval:
        return 0.0, len(self.table[0]) - 1.0

    @property
    def mi(self) -> float:
        p = np.array(self.table)
        ratio = self._log_ratios.numpy()
        return max(float((p[p > 0] * ratio[p > 0]).sum()), 0.0)

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        cell = _draw([value for row in self.table for value in row], n, generator)
        width = len(self.table[0])
        return (cell // width).float(), (cell % width).float()

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of columns (N, 1), (N, 1): (N,), -inf where p(x, y) = 0."""
        ratios = self._log_ratios.to(x.device)
        return ratios[x.long()[:, 0], y.long()[:, 0]].to(x.dtype)

    @cached_property
    def _log_ratios(self) -> Tensor:
        p = torch.tensor(self.table, dtype=torch.float64)
        return p.log() - p.sum(1, keepdim=True).log() - p.sum(0, keepdim=True).log()


def _draw(weights: Sequence[float], n: int, generator: Generator) -> Tensor:
    """Indices (n, 1) drawn with these probabilities."""
    u = torch.rand(n, 1, generator=generator, device=generator.device)
    # Without the last edge, 1: u may be rounded up to it.
    edges = torch.tensor(weights, dtype=torch.float64).cumsum(0)[:-1].float().to(u.device)
    return torch.bucketize(u, edges, right=True)
