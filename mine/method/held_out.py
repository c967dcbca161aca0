"""Critic values on held-out rows, and what an error is made of.

Each value comes with its standard error over test rows, by the delta method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.pairs import Shifts
from mine.method import bounds
from mine.method.bounds import interpolated_terms, log_mean_exp

CHUNK_ROWS = 500
InfluenceArrays = tuple[NDArray[np.float32], NDArray[np.float32]]


class Influence(NamedTuple):
    """How a value moves with its test rows, to first order (the Hoeffding projection).

    Attributes:
        rows: what row i adds, as a joint pair, as an x and as a y, times n, (K, n) of mean 0.
        pairs: the marginal pairs' weights about their mean, over m, (K, m, n): the part of a
            weight that belongs to neither side is in ``rows`` twice.
    """

    rows: Tensor
    pairs: Tensor

    def stderr(self) -> Tensor:
        """The value's standard error, in nats, (K,)."""
        twice = self.pairs.square().sum((1, 2))
        n = self.rows.shape[-1]
        return (self.rows.square().sum(-1) - twice).clamp(min=0.0).sqrt() / n

    def arrays(self, k: int) -> InfluenceArrays:
        """One cell's, (n,) and (m, n), to be sent to another process."""
        return self.rows[k].cpu().numpy().copy(), self.pairs[k].cpu().numpy().copy()

    @classmethod
    def of_arrays(cls, arrays: InfluenceArrays) -> Influence:
        rows, pairs = (torch.from_numpy(a)[None] for a in arrays)
        return cls(rows, pairs)

    def plus(self, other: Influence, weight: float) -> Influence:
        """Of the value plus ``weight`` times another of the same test rows, paired alike."""
        return Influence(self.rows + weight * other.rows, self.pairs + weight * other.pairs)


@dataclass(frozen=True)
class HeldOutValues:
    """Critic values on n test pairs and on m marginal pairs of each, for K stacked critics.

    Each method is a bound of `mine.method.bounds` with its standard error, both of shape (K,).

    Attributes:
        joint: T(x_i, y_i), (K, n).
        marginal: T(x_i, y) with the j-th partner y of x_i, (K, m, n).
        met: the row of x whose j-th partner the row r of y is, (m, n).
        spread: makes the error that stands beside a value out of its `Influence`.
    """

    joint: Tensor
    marginal: Tensor
    met: Tensor
    spread: Callable[[Influence], Tensor] = Influence.stderr

    @property
    def flat(self) -> Tensor:
        """The marginal values as bounds take them, (K, m n)."""
        return self.marginal.flatten(1)

    def donsker_varadhan(self) -> tuple[Tensor, Tensor]:
        weights = (self.marginal - log_mean_exp(self.flat)[:, None, None]).exp()
        return bounds.donsker_varadhan(self.joint, self.flat), self._error(self.joint, weights)

    def log_partition(self) -> tuple[Tensor, Tensor]:
        log_mean = log_mean_exp(self.flat)
        weights = (self.marginal - log_mean[:, None, None]).exp()
        return log_mean, self._error(torch.zeros_like(self.joint), weights)

    def f_divergence(self) -> tuple[Tensor, Tensor]:
        weights = (self.marginal - 1.0).exp()
        return bounds.f_divergence(self.joint, self.flat), self._error(self.joint, weights)

    def tuba(self) -> tuple[Tensor, Tensor]:
        """The cross-fitted value. Its baseline's own error does not count to first order."""
        log_baseline = bounds.other_half(self.joint, self.flat)
        value = bounds.tuba(self.joint, self.flat, log_baseline)
        return value, self._error(self.joint, (self.marginal - log_baseline[:, None]).exp())

    def smile(self, tau: float) -> tuple[Tensor, Tensor]:
        clipped = self.marginal.clamp(-tau, tau)
        weights = (clipped - log_mean_exp(clipped.flatten(1))[:, None, None]).exp()
        return bounds.smile(self.joint, self.flat, tau), self._error(self.joint, weights)

    def mean_log_ratio(self, offset: float) -> tuple[Tensor, Tensor]:
        n = self.joint.shape[-1]
        rows = (self.joint - self.joint.mean(-1, keepdim=True)) * (n / (n - 1)) ** 0.5
        error = self.spread(Influence(rows, torch.zeros_like(self.marginal)))
        return bounds.mean_log_ratio(self.joint, self.flat, offset), error

    def infonce(self) -> tuple[Tensor, Tensor]:
        """A partner's influence is what its row's term would gain without it."""
        m = self.marginal.shape[1]
        log_sum = torch.logaddexp(self.joint, self.marginal.logsumexp(1))
        shares = (self.marginal - log_sum[:, None]).exp()
        weights = -m * torch.log1p(-shares.clamp(max=1.0 - 1e-6))
        return bounds.infonce(self.joint, self.flat), self._error(self.joint - log_sum, weights, 0)

    def interpolated(self, alpha: float) -> tuple[Tensor, Tensor]:
        """A partner's influence is what its row's terms would gain without it."""
        joint, weights = interpolated_terms(self.joint, self.marginal, alpha)
        terms, m = joint - weights.mean(1), weights.shape[1]
        if m > 1:
            weights = torch.stack([self._interpolated_without(j, alpha) for j in range(m)], 1)
            weights = m * (weights - terms.unsqueeze(1))
        return bounds.interpolated(self.joint, self.flat, alpha), self._error(terms, weights, 0)

    def _interpolated_without(self, j: int, alpha: float) -> Tensor:
        others = torch.cat([self.marginal[:, :j], self.marginal[:, j + 1 :]], 1)
        joint, weights = interpolated_terms(self.joint, others, alpha)
        return joint - weights.mean(1)

    def difference(self) -> tuple[Tensor, Tensor]:
        """CLUB's value, and the difference of entropies: mean joint less mean marginal value."""
        return bounds.club(self.joint, self.flat), self._error(self.joint, self.marginal)

    def _error(self, terms: Tensor, weights: Tensor, of_x: float = 1.0) -> Tensor:
        r"""Delta method over rows: a row enters as a joint pair, as an x and as a y.

        Row i contributes t_i - u_i - v_i with u, v its mean weights as x and as y (the Hoeffding
        projection of the two-sample mean); the part of a weight that belongs to neither side is
        counted twice by that and is taken off once.

        Args:
            terms: t, (K, n).
            weights: what a marginal pair takes from the value, times m n, (K, m, n).
            of_x: 0 where the terms have their rows' weights in them.
        """
        mean = weights.mean((1, 2))[:, None, None]
        of_y = weights.gather(2, self.met.expand_as(weights))
        rows = terms - of_x * weights.mean(1) - of_y.mean(1)
        rows = rows - rows.mean(-1, keepdim=True)
        return self.spread(Influence(rows, (weights - mean) / weights.shape[1]))


@torch.no_grad()
def held_out_values(critic: Critic, x: Tensor, y: Tensor, m: int = 10) -> HeldOutValues:
    """Critic values on test rows (K, n, dx), (K, n, dy) in random order; m partners for each.

    Partners are cyclic shifts within chunks of rows, so that no row meets itself.
    """
    joint, marginal, met = [], [], []
    chunks = max(1, x.shape[1] // CHUNK_ROWS)
    places = torch.arange(x.shape[1], device=x.device).tensor_split(chunks)
    for rows in places:
        shifts = min(m, len(rows) - 1)
        t_joint, t_marginal = critic.values(x[:, rows], y[:, rows], Shifts(shifts), keep=False)
        joint.append(t_joint.clone())
        marginal.append(t_marginal.unflatten(1, (shifts, -1)).clone())
        met.append(torch.stack([rows.roll(j + 1) for j in range(shifts)]))
    return HeldOutValues(torch.cat(joint, 1), torch.cat(marginal, -1), torch.cat(met, -1))
