r"""What an estimation gives back: the value, its error, and what speaks against believing it.

The value is a bound on test rows that neither trained the critic nor chose when to stop. The bound
can hold and the number still mislead: a distribution-free lower bound that holds with high
confidence cannot exceed O(log n) (McAllester and Stratos, 2020, https://arxiv.org/abs/1811.04251),
and the variance of the partition term grows like (e^I - 1) / n even at the optimal critic (Song
and Ermon, 2020, https://arxiv.org/abs/1910.06222). So every value carries its warnings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist

from mine.fitted import Fitted
from mine.method.held_out import Influence, InfluenceArrays


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
