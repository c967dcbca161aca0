r"""A mixture of normals whose pairs of coordinates are equal in law, in any number of columns.

Given the component K, the pairs (X_i, Y_i) are independent, each normal with the means
shift_K, unit variances and the correlation rho_K. By the chain rule

    I(X; Y) = I(X; Y | K) + I(K; X) + I(K; Y) - I(K; X, Y),
    I(X; Y | K) = -(dim / 2) sum_k w_k log(1 - rho_k^2).

The other terms are means of log posteriors of K, between 0 and log(number of components). Those
of X depend on its sum alone; those of (X, Y) on the sum of the U_i, the squares of the U_i about
their mean, and the squares of the V_i, where U_i, V_i = (X_i +- Y_i) / sqrt(2). Given K these are
independent, one normal and two chi-squared, so that Gauss rules in at most three dimensions give
I to 1e-4 nats, however many columns there are. `Mixture` samples the same law, with a truth by
Monte Carlo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import logsumexp, roots_genlaguerre, roots_hermitenorm
from torch import Generator, Tensor

from mine.tasks.mixture import Mixture
from mine.tasks.normal import MultivariateNormal
from mine.tasks.task import check_dim, numbers

NODES = 48
"""Of a Gauss rule in one dimension. With more of them the truth changes by less than 2e-5 nats."""
LEAST_WEIGHT = 1e-14
"""Nodes of smaller weight are left out: a log posterior is not so large that they matter."""

Array = np.ndarray


@dataclass(frozen=True)
class PairMixture:
    """Components of equal weight; in each, pairs of coordinates with one mean and correlation.

    Args:
        dim: coordinates of X and of Y.
        shifts: the mean of every coordinate of X and of Y, one a component.
        rhos: corr(X_i, Y_i) in (-1, 1), one a component.
    """

    dim: int = 2
    shifts: tuple[float, ...] = (0.0, 0.0)
    rhos: tuple[float, ...] = (0.5, -0.5)

    def __post_init__(self) -> None:
        check_dim(self.dim)
        for name in ("shifts", "rhos"):
            object.__setattr__(self, name, numbers(getattr(self, name), name))
        if not self.shifts or len(self.shifts) != len(self.rhos):
            raise ValueError(
                f"expected as many shifts as rhos, one or more, got {len(self.shifts)} and "
                f"{len(self.rhos)}: one of each a component"
            )
        if (largest := max(map(abs, self.rhos))) >= 1:
            raise ValueError(
                f"expected each rho in the open interval (-1, 1), got {largest!r}: "
                "at -1 and 1 the mutual information is infinite, take e.g. 0.99"
            )

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    @property
    def mi(self) -> float:
        return _truth(self)

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        return self.mixture.sample(n, generator)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim), y (N, dim): shape (N,), in nats."""
        return self.mixture.log_ratio(x, y)

    @cached_property
    def mixture(self) -> Mixture:
        """The same law as a `Mixture`."""
        return Mixture(
            tuple(
                MultivariateNormal(
                    self.dim, self.dim, pairs=(rho,) * self.dim, mean=(shift,) * (2 * self.dim)
                )
                for shift, rho in zip(self.shifts, self.rhos, strict=True)
            )
        )


@lru_cache(maxsize=256)
def _truth(task: PairMixture) -> float:
    rhos = np.array(task.rhos)
    given = float(-0.5 * task.dim * np.log1p(-np.square(rhos)).mean())
    return given + 2.0 * _of_side(task) - _of_both(task)


def _of_side(task: PairMixture) -> float:
    """I(K; X), which is I(K; Y): K is told by the sum of X over sqrt(dim)."""
    centres = math.sqrt(task.dim) * np.array(task.shifts)
    nodes, weights = _normal_rule()

    def posterior(k: int) -> float:
        logs = -0.5 * np.square(nodes + centres[k] - centres[:, None])
        return _mean_gain(logs, k, weights)

    return float(np.mean([posterior(k) for k in range(len(centres))]))


def _of_both(task: PairMixture) -> float:
    """I(K; X, Y)."""
    rhos = np.array(task.rhos)
    of_u, of_v = 1 + rhos, 1 - rhos
    centres = math.sqrt(2 * task.dim) * np.array(task.shifts)
    rules = [_normal_rule(), _chi_squared_rule(task.dim - 1), _chi_squared_rule(task.dim)]
    total, around, across = np.meshgrid(*(nodes for nodes, _ in rules), indexing="ij")
    weights = math.prod(np.meshgrid(*(w for _, w in rules), indexing="ij"), start=np.ones(()))
    kept = weights > LEAST_WEIGHT
    total, around, across, weights = total[kept], around[kept], across[kept], weights[kept]

    def posterior(k: int) -> float:
        at = math.sqrt(of_u[k]) * total + centres[k]
        logs = np.stack(
            [
                -0.5 * (np.square(at - centre) + of_u[k] * around) / u
                - 0.5 * of_v[k] * across / v
                - 0.5 * task.dim * math.log(u * v)
                for centre, u, v in zip(centres, of_u, of_v, strict=True)
            ]
        )
        return _mean_gain(logs, k, weights)

    return float(np.mean([posterior(k) for k in range(len(rhos))]))


def _mean_gain(logs: Array, k: int, weights: Array) -> float:
    """The mean of log(P(K = k | ...) / P(K = k)) over nodes (N,), of log densities (K, N)."""
    return float(weights @ (logs[k] - logsumexp(logs, axis=0) + math.log(len(logs))))


def _normal_rule() -> tuple[Array, Array]:
    """Nodes and weights of means over a standard normal."""
    nodes, weights = roots_hermitenorm(NODES)
    return nodes, weights / weights.sum()


def _chi_squared_rule(dof: int) -> tuple[Array, Array]:
    """Nodes and weights of means over chi-squared; of no degrees of freedom it is 0."""
    if dof == 0:
        return np.zeros(1), np.ones(1)
    nodes, weights = roots_genlaguerre(NODES, dof / 2 - 1)
    return 2.0 * nodes, weights / weights.sum()
