r"""What an estimation gives back: the value, its error, and what speaks against believing it.

The value is a bound on test rows that neither trained the critic nor chose when to stop. The bound
can hold and the number still mislead: a distribution-free lower bound that holds with high
confidence cannot exceed O(log n) (McAllester and Stratos, 2020, https://arxiv.org/abs/1811.04251),
and the variance of the partition term grows like (e^I - 1) / n even at the optimal critic (Song
and Ermon, 2020, https://arxiv.org/abs/1910.06222). So every value carries its warnings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine import bounds
from mine.bounds import interpolated_terms, log_mean_exp
from mine.critics import Critic
from mine.pairs import Shifts
from mine.saved import Fitted

CHUNK_ROWS = 500
InfluenceArrays = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Estimate:
    """A mutual information estimated from samples.

    Attributes:
        nats: the estimate on test samples; may be negative, and is reported as it is.
        stderr: its standard error over test samples, in nats; the critic is taken as given, and
            where ``rise`` is known, what it has not learned is counted (`extrapolated`).
        train_nats: the same bound on training samples at the end (optimistic); nan for KSG.
        method: the estimator's name.
        n_train: samples that training drew from (all draws, for a stream); n for KSG.
        n_test: test samples.
        steps: optimizer steps done.
        warnings: reasons to doubt the value, each with what to do.
        curve: (step, training value in nats) through the training.
        diverged_at: the step at which the training turned non-finite; -1 if it never did.
        validation_nats: what the critic was kept for, at its best on the validation rows
            (optimistic); None where there are none.
        chosen: the candidate whose validation value was the highest, of a method that has some.
        null: the same estimate of copies whose y were permuted, in nats; () where not asked for.
        critic: the log-ratio found, to be applied to other rows and saved; None for a method that
            trains no T(x, y), and where the samples came from a task.
        rise: what the second half of the training rows taught, in nats, where that was looked at:
            the value less that of critics of half the rows.
        influences: what each test row adds to the error, where it was asked for.
    """

    nats: float
    stderr: float
    train_nats: float
    method: str
    n_train: int
    n_test: int
    steps: int
    warnings: tuple[str, ...] = ()
    curve: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    diverged_at: int = -1
    validation_nats: float | None = None
    chosen: str = ""
    rise: float | None = None
    null: tuple[float, ...] = ()
    critic: Fitted | None = field(default=None, compare=False, repr=False)
    influences: tuple[InfluenceArrays, ...] = field(default=(), compare=False, repr=False)

    @property
    def bits(self) -> float:
        """The estimate in bits: nats / ln 2."""
        return self.nats / math.log(2.0)

    @property
    def gap(self) -> float:
        """Train value less test value, in nats: what the critic learned by heart."""
        return self.train_nats - self.nats

    @property
    def p_value(self) -> float | None:
        """Chance of so large a value where X and Y are independent: the share of permuted copies
        that reach it, itself counted among them; None without copies.

        (1 + #{null >= nats}) / (1 + #null): no level is exceeded by it (Phipson and Smyth, 2010,
        https://doi.org/10.2202/1544-6115.1585). A copy that is not finite counts against it.
        """
        if not self.null:
            return None
        below = sum(v < self.nats for v in self.null)
        return (1 + len(self.null) - below) / (1 + len(self.null))

    @property
    def null_mean(self) -> float | None:
        """Mean over the permuted copies, in nats: the estimator's bias where the truth is 0."""
        return sum(self.null) / len(self.null) if self.null else None

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """A normal interval of this level around ``nats``.

        It is one for the bound at the critic found, and does not cover what that has not learned,
        but for what ``rise`` tells of it: a lower bound may lie below I by more.
        """
        return normal_interval(self.nats, self.stderr, level)


def normal_interval(nats: float, stderr: float, level: float) -> tuple[float, float]:
    """A normal interval of this level."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, got {level}")
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * stderr
    return nats - half, nats + half


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


def combined(
    e: Estimate, other: Estimate, weight: float
) -> tuple[float, tuple[InfluenceArrays, ...]]:
    """The error of ``e.nats + weight * other.nats``, row by row over all folds; its influences.

    Both were tested on the same rows, each row meeting the same partners.
    """
    squares, found = 0.0, []
    for arrays, of_other in zip(e.influences, other.influences, strict=True):
        influence = Influence.of_arrays(arrays).plus(Influence.of_arrays(of_other), weight)
        squares += (influence.rows.shape[1] * float(influence.stderr())) ** 2
        found.append(influence.arrays(0))
    return math.sqrt(squares) / e.n_test, tuple(found)


RATES = 1.0 / (2.0**0.5 - 1.0) - 1.0
"""Rises that a critic still lacks where what it lacks falls as n^-1/2, less those for 1/n."""


def extrapolated(whole: Estimate, half: Estimate | None = None) -> Estimate:
    r"""What more rows would make of a value, told by critics of half the training rows.

    What a critic of n rows lacks falls as c n^-a. From n / 2 rows to n the value rises by
    c n^-a (2^a - 1), and what it still lacks is that rise over 2^a - 1: the rise itself for a = 1,
    the rate where a fixed number of parameters is learned (and the jackknife's, Quenouille, 1956,
    https://doi.org/10.1093/biomet/43.3-4.353); 2.4 rises for a = 1/2. One rise is added; the
    difference, `RATES` of them, stands in the standard error beside what the test rows give.
    """
    if half is None or not (math.isfinite(whole.nats) and math.isfinite(half.nats)):
        return whole
    rise = whole.nats - half.nats
    of_rows, influences = combined(whole, half, -0.5)
    warnings = whole.warnings
    if rise > max(0.05, 0.1 * abs(whole.nats)):
        more = (
            f"still learning: the second half of the training rows raised the value by {rise:.2f} "
            "nats, more would raise it further: bring more rows, and read the interval"
        )
        warnings = (*warnings, more)
    return replace(
        whole,
        nats=whole.nats + rise,
        stderr=math.hypot(2.0 * of_rows, RATES * rise),
        warnings=warnings,
        rise=rise,
        influences=tuple((2.0 * rows, 2.0 * pairs) for rows, pairs in influences),
    )


@dataclass(frozen=True)
class HeldOutValues:
    """Critic values on n test pairs and on m marginal pairs of each, for K stacked critics.

    Each method is a bound of `mine.bounds` with its standard error, both of shape (K,).

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


def doubts(e: Estimate, budget: int, ceiling: float = math.inf) -> tuple[str, ...]:
    """What speaks against believing an estimate, each with what to do about it.

    Args:
        e: the estimate, its own warnings aside.
        budget: steps that it was allowed: one that stopped before has converged.
        ceiling: the largest value that the method can give, in nats.
    """
    if e.diverged_at >= 0 or not math.isfinite(e.nats):
        step = f" at step {e.diverged_at}" if e.diverged_at >= 0 else ""
        advice = "lower learning_rate, or use method='mine' where it was another"
        return (f"diverged: the training turned non-finite{step}, the value is void: {advice}",)
    found = []
    certain = math.log(e.n_test) - 1.0
    if e.nats > certain:
        found.append(
            f"near log n: no more than ln(n_test) - 1 = {certain:.2f} nats can be certified by so "
            "many test samples: read it as 'large', or take more"
        )
    if e.nats > ceiling - 1.0:
        found.append(
            f"ceiling: the method cannot give more than {ceiling:.2f} nats with so many marginal "
            "partners: take more of them, or method='mine'"
        )
    allowed = max(0.1, 0.1 * abs(e.nats), 4.0 * e.stderr)
    if e.gap > allowed:
        found.append(
            f"gap: the training value is {e.gap:.2f} nats above the test value, "
            "the critic learned its samples by heart: take more samples or a smaller network"
        )
    rise = _late_rise(e.curve) if e.steps >= budget else 0.0
    if rise > max(0.02, 0.02 * abs(e.nats)):
        found.append(
            f"not converged: the training value rose by {rise:.2f} nats over the last tenth of "
            "the steps: raise steps"
        )
    return tuple(found)


def _late_rise(curve: tuple[tuple[int, float], ...]) -> float:
    """Mean of the last tenth of the curve less that of the tenth before, in nats."""
    last = [v for s, v in curve if s > 0.9 * curve[-1][0]]
    before = [v for s, v in curve if 0.8 * curve[-1][0] < s <= 0.9 * curve[-1][0]]
    if not last or not before:
        return 0.0
    return sum(last) / len(last) - sum(before) / len(before)
