r"""What an estimation gives back: the value, its error, and what speaks against believing it.

The value is a bound on test rows that neither trained the critic nor chose when to stop. The bound
can hold and the number still mislead: a distribution-free lower bound that holds with high
confidence cannot exceed O(log n) (McAllester and Stratos, 2020, https://arxiv.org/abs/1811.04251),
and the variance of the partition term grows like (e^I - 1) / n even at the optimal critic (Song
and Ermon, 2020, https://arxiv.org/abs/1910.06222). So every value carries its warnings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import torch
from torch import Tensor

from mine.bounds import donsker_varadhan, f_divergence, log_mean_exp
from mine.critics import Critic
from mine.pairs import Shifts

CHUNK_ROWS = 500


@dataclass(frozen=True)
class Estimate:
    """A mutual information estimated from samples.

    Attributes:
        nats: the estimate on test samples; may be negative, and is reported as it is.
        stderr: its standard error over test samples, in nats; the critic is taken as given.
        train_nats: the same bound on training samples at the end (optimistic); nan for KSG.
        method: the estimator's name.
        n_train: samples that training drew from (all draws, for a stream); n for KSG.
        n_test: test samples.
        steps: optimizer steps done.
        warnings: reasons to doubt the value, each with what to do.
        curve: (step, training value in nats) through the training.
        diverged_at: the step at which the training turned non-finite; -1 if it never did.
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

    @property
    def bits(self) -> float:
        """The estimate in bits: nats / ln 2."""
        return self.nats / math.log(2.0)

    @property
    def gap(self) -> float:
        """Train value less test value, in nats: what the critic learned by heart."""
        return self.train_nats - self.nats

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """A normal interval of this level around ``nats``, for the bound at the critic found.

        It does not cover what the critic has not learned: a lower bound may lie below I by more.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1, such as 0.95, got {level}")
        half = NormalDist().inv_cdf(0.5 + level / 2.0) * self.stderr
        return self.nats - half, self.nats + half


@dataclass(frozen=True)
class HeldOutValues:
    """Critic values on n test pairs and on m marginal pairs of each, for K stacked critics.

    Attributes:
        joint: T(x_i, y_i), (K, n).
        marginal: T(x_i, y_r(i,j)) with the j-th partner r(i, j) of x_i, (K, m, n).
        marginal_of_y: the same values filed under the row of y, (K, m, n).
    """

    joint: Tensor
    marginal: Tensor
    marginal_of_y: Tensor

    def donsker_varadhan(self) -> tuple[Tensor, Tensor]:
        """The DV value and its standard error, each (K,)."""
        flat = self.marginal.flatten(1)
        normaliser = log_mean_exp(flat)[:, None, None]
        weights = (self.marginal - normaliser).exp(), (self.marginal_of_y - normaliser).exp()
        return donsker_varadhan(self.joint, flat), self._error(*weights)

    def f_divergence(self) -> tuple[Tensor, Tensor]:
        """The f-form's value and its standard error, each (K,)."""
        weights = (self.marginal - 1.0).exp(), (self.marginal_of_y - 1.0).exp()
        return f_divergence(self.joint, self.marginal.flatten(1)), self._error(*weights)

    def _error(self, weights: Tensor, weights_of_y: Tensor) -> Tensor:
        r"""Delta method over rows: a row enters as a joint pair, as an x and as a y.

        Row i contributes T_i - u_i - v_i with u, v its mean weights as x and as y (the Hoeffding
        projection of the two-sample mean); the part of a weight that belongs to neither side is
        counted twice by that and is taken off once.
        """
        m, n = weights.shape[1:]
        mean = weights.mean((1, 2))[:, None]
        rows = self.joint - weights.mean(1) - weights_of_y.mean(1)
        rows = rows - rows.mean(-1, keepdim=True)
        twice = (weights - mean[:, None]).square().sum((1, 2)) / m**2
        return (rows.square().sum(-1) - twice).clamp(min=0.0).sqrt() / n


@torch.no_grad()
def held_out_values(critic: Critic, x: Tensor, y: Tensor, m: int = 10) -> HeldOutValues:
    """Critic values on test rows (K, n, dx), (K, n, dy) in random order; m partners for each.

    Partners are cyclic shifts within chunks of rows, so that no row meets itself.
    """
    joint, marginal, of_y = [], [], []
    chunks = max(1, x.shape[1] // CHUNK_ROWS)
    for x_rows, y_rows in zip(x.tensor_split(chunks, 1), y.tensor_split(chunks, 1), strict=True):
        shifts = tuple(range(1, min(m, x_rows.shape[1] - 1) + 1))
        t_joint, t_marginal = critic.values(x_rows, y_rows, Shifts(shifts))
        by_x = t_marginal.unflatten(1, (len(shifts), -1))
        joint.append(t_joint.clone())
        marginal.append(by_x.clone())
        of_y.append(torch.stack([by_x[:, j].roll(s, 1) for j, s in enumerate(shifts)], 1))
    return HeldOutValues(torch.cat(joint, 1), torch.cat(marginal, -1), torch.cat(of_y, -1))


def doubts(e: Estimate, budget: int) -> tuple[str, ...]:
    """What speaks against believing an estimate, each with what to do about it.

    Args:
        e: the estimate, its own warnings aside.
        budget: steps that it was allowed: one that stopped before has converged.
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
