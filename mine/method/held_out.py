r"""Critic values on held-out rows, and the standard error of a value of them (nats).

A value is a function of two means: one over joint pairs, one over marginal pairs. A test row i is
part of a joint pair, gives its x to m marginal pairs and its y to m others. By the delta method
the value moves, to first order, by

    psi_i = t_i - u_i - v_i

with t_i what the joint pair adds, u_i and v_i the mean weights of the marginal pairs that have its
x and its y (the Hoeffding projection of the two-sample mean). The part of a marginal pair's weight
that belongs to neither side is in psi twice, and is taken off the variance once (`Influence`).
A family's file says what t and the weights of its value are.

Where rows hang together, by groups or in time, marginal pairs are made of rows that do not, and
the sums of psi over clusters take the place of the rows' (`mine.data.dependence`). Nothing is
taken off for the pairs then, which makes the error a little too large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.dependence import Clusters
from mine.data.pairs import Independent, Shifts

CHUNK_ROWS = 500
InfluenceArrays = tuple[NDArray[np.float32], NDArray[np.float32]]


class Influence(NamedTuple):
    """How a value moves with its test rows, to first order (the Hoeffding projection).

    Attributes:
        rows: what row i adds as a joint pair, as an x and as a y, times n: (K, n) of mean 0.
        pairs: the marginal pairs' weights less their mean, over m: (K, m, n).
    """

    rows: Tensor
    pairs: Tensor

    def stderr(self) -> Tensor:
        """The value's standard error, in nats, (K,)."""
        twice = self.pairs.square().sum((1, 2))
        n = self.rows.shape[-1]
        of_rows = self.rows.square().sum(-1)
        left = of_rows - twice
        # Of few rows there may be less than nothing left: no error is 0 for that.
        return torch.where(left > 0.0, left, of_rows).sqrt() / n

    def arrays(self, k: int) -> InfluenceArrays:
        """Of cell k, (n,) and (m, n), to be sent to another process."""
        return self.rows[k].cpu().numpy().copy(), self.pairs[k].cpu().numpy().copy()

    def cpu(self) -> Influence:
        """All cells' on the CPU."""
        return Influence(self.rows.cpu(), self.pairs.cpu())

    def clustered(self, clusters: Sequence[Clusters]) -> Influence:
        """With the sum of each cell's clusters in place of the rows, so that `stderr` is the
        clusters' error. A cluster's sum stands at its number."""
        rows = torch.zeros_like(self.rows)
        for k, of in enumerate(clusters):
            sums = of.sums(self.rows[k]) * (of.widening * math.sqrt(of.factor))
            rows[k, : len(sums)] = sums
        return Influence(rows, self.pairs[:, :0])

    @classmethod
    def of_arrays(cls, arrays: InfluenceArrays) -> Influence:
        rows, pairs = (torch.from_numpy(a)[None] for a in arrays)
        return cls(rows, pairs)

    def plus(self, other: Influence, weight: float) -> Influence:
        """Of this value plus ``weight`` times another on the same pairs of test rows."""
        return Influence(self.rows + weight * other.rows, self.pairs + weight * other.pairs)


@dataclass(frozen=True)
class HeldOutValues:
    """Critic values on n test pairs and on m marginal pairs of each, for K stacked critics.

    A family's file has a function of these for each of its bounds: `held_out_<bound>` gives the
    value and its standard error, both of shape (K,).

    Attributes:
        joint: T(x_i, y_i), (K, n).
        marginal: T(x_i, y) with the j-th partner y of x_i, (K, m, n).
        met: the row of x that has the row r of y for its j-th partner, (m, n).
        spread: makes the error that stands beside a value out of its `Influence`.
        clusters: how each cell's rows hang together; () where they do not.
    """

    joint: Tensor
    marginal: Tensor
    met: Tensor
    spread: Callable[[Influence], Tensor] = Influence.stderr
    clusters: tuple[Clusters, ...] = ()

    @property
    def flat(self) -> Tensor:
        """The marginal values as bounds take them, (K, m n)."""
        return self.marginal.flatten(1)

    def error(self, terms: Tensor, weights: Tensor, of_x: float = 1.0) -> Tensor:
        """The standard error of a value, by the delta method over rows: (K,).

        Args:
            terms: t, (K, n).
            weights: what a marginal pair takes from the value, times m n: (K, m, n).
            of_x: 0 where the terms contain their rows' weights already.
        """
        mean = weights.mean((1, 2))[:, None, None]
        of_y = weights.gather(2, self.met.expand_as(weights))
        rows = terms - of_x * weights.mean(1) - of_y.mean(1)
        rows = rows - rows.mean(-1, keepdim=True)
        return self.spread_of(Influence(rows, (weights - mean) / weights.shape[1]))

    def spread_of(self, influence: Influence) -> Tensor:
        """The error of a value that moves so with its rows, or clusters of rows: (K,)."""
        return self.spread(influence.clustered(self.clusters) if self.clusters else influence)


@torch.no_grad()
def held_out_values(
    critic: Critic, x: Tensor, y: Tensor, m: int = 10, distance: int = 0
) -> HeldOutValues:
    """Critic values on test rows (K, n, dx), (K, n, dy) in random order; m partners for each.

    Partners are cyclic shifts within chunks of rows, so that no row meets itself. Where rows fewer
    than a distance apart hang together, they are shifts of all rows by at least this.
    """
    if distance:
        return _far_values(critic, x, y, far_shifts(x.shape[1], m, distance))
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


def far_shifts(n: int, m: int, distance: int) -> list[int]:
    """At most m different cyclic shifts of n rows by a distance or more either way, in no regular
    steps, since a season could have such. With few rows the distance is a third of them."""
    least = max(1, min(distance, n // 3))
    span = n - 2 * least + 1
    step = next(s for s in range(max(1, round(0.618 * span)), 2 * span) if math.gcd(s, span) == 1)
    return [least + (j + 1) * step % span for j in range(min(m, span))]


def _far_values(critic: Critic, x: Tensor, y: Tensor, shifts: Sequence[int]) -> HeldOutValues:
    n, m = x.shape[1], len(shifts)
    joint, marginal = [], []
    places = torch.arange(n, device=x.device)
    for rows in places.tensor_split(max(1, n // CHUNK_ROWS)):
        taken = torch.cat([rows, *((rows + s) % n for s in shifts)])
        t_joint, t_marginal = critic.values(x[:, rows], y[:, taken], Independent(m), keep=False)
        joint.append(t_joint.clone())
        marginal.append(t_marginal.unflatten(1, (m, -1)).clone())
    met = torch.stack([places.roll(s) for s in shifts])
    return HeldOutValues(torch.cat(joint, 1), torch.cat(marginal, -1), met)
