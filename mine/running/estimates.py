"""What an estimation gives back: the value, its error, and reasons to doubt it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

from mine.fitted import Fitted
from mine.method.entropy import LabelEntropy
from mine.method.held_out import InfluenceArrays
from mine.running.verdict import verdict_of


@dataclass(frozen=True)
class Estimate:
    """A mutual information estimated from samples.

    Attributes:
        nats: the estimate on test samples. It may be negative; it is not clipped.
        stderr: its standard error over test samples, in nats, for the critic that was found. Where
            ``rise`` is known, it also counts what the critic has not learned (`extrapolated`).
        train_nats: the same bound on training samples at the end (optimistic); nan for a method
            that trains nothing.
        method: the method's name.
        n_train: samples that training drew from (all draws, for a stream); n for KSG.
        n_test: test samples.
        steps: optimizer steps done.
        warnings: reasons to doubt the value, each with what to do.
        curve: (step, training value in nats) through the training.
        diverged_at: the step at which the training turned non-finite; -1 if it never did.
        validation_nats: the best value on the validation rows (optimistic), for which the critic
            was kept; None where there are no validation rows.
        chosen: the candidate whose validation value was the highest, of a method that has some.
        null: the same estimate of permuted copies, in nats; () where none were asked for.
        critic: the log-ratio found, to be applied to other rows and saved; None for a method that
            trains no T(x, y), and where the samples came from a task.
        rise: the value less that of critics trained on half the training rows, in nats; None where
            no such critics were trained.
        influences: what each test row adds to the error, where it was asked for.
        fold_nats: the values of its folds; () where there is one.
        untrained: whether validation rows chose a critic before its first step; of a candidate
            with a start, whether that start is no more than another candidate's.
        label: the entropy of a discrete side of a user's rows, the smaller one where both are;
            None where none is.
        widened: the part of ``stderr`` that stands for what else the rows tell against the value,
            in nats; its square is added to that of the rest.
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
    fold_nats: tuple[float, ...] = field(default=(), repr=False)
    untrained: bool = field(default=False, repr=False)
    label: LabelEntropy | None = field(default=None, repr=False)
    widened: float = field(default=0.0, repr=False)

    @property
    def verdict(self) -> str:
        """ "reliable", "doubtful" or "unreliable", by the rules of `mine.running.verdict`."""
        return verdict_of(self).word

    @property
    def reasons(self) -> tuple[str, ...]:
        """What the verdict rests on, the worst first; () where it is "reliable"."""
        return verdict_of(self).reasons

    @property
    def bits(self) -> float:
        """The estimate in bits, nats / ln 2."""
        return self.nats / math.log(2.0)

    @property
    def correlation(self) -> float:
        """sqrt(1 - exp(-2 I)), from 0 to 1, which is the size of a normal pair's correlation.

        0 where the value is not above 0 (Linfoot, 1957,
        https://doi.org/10.1016/S0019-9958(57)90116-X).
        """
        return math.sqrt(-math.expm1(-2.0 * self.nats)) if self.nats > 0 else 0.0

    @property
    def entropy(self) -> float | None:
        """The entropy of the discrete side, in nats, which the value does not exceed."""
        return self.label.nats if self.label else None

    @property
    def share(self) -> float | None:
        """I over the entropy of the discrete side, at most 1, the part of the label that is told.

        None where no side is discrete. Negative values are sampling error.
        """
        return self.nats / self.label.nats if self.label else None

    @property
    def gap(self) -> float:
        """How far the critic overfits, in nats. The training value less the test value."""
        return self.train_nats - self.nats

    @property
    def p_value(self) -> float | None:
        """Chance of a value at least this large if X and Y were independent; None without copies.

        (1 + #{null >= nats}) / (1 + #null), which keeps every level (Phipson and Smyth, 2010,
        https://doi.org/10.2202/1544-6115.1585). A copy that is not finite counts as reaching it.
        """
        return p_value_of(self.nats, self.null)

    @property
    def null_mean(self) -> float | None:
        """Mean over the permuted copies, in nats. The estimator's bias where the truth is 0."""
        return sum(self.null) / len(self.null) if self.null else None

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """A normal interval of this level around ``nats``.

        It covers the bound at the critic that was found. What this critic has not learned is
        covered only as far as ``rise`` tells: a lower bound may lie below I by more. Where a side
        is discrete, no end of it lies above the upper end of the entropy's interval. Of an
        infinite value it is ln n, which n rows can tell, and infinity.
        """
        if self.nats == math.inf:
            return math.log(self.n_test), math.inf
        return below_entropy(normal_interval(self.nats, self.stderr, level), self.label, level)


def p_value_of(nats: float, null: tuple[float, ...]) -> float | None:
    """The p-value of a value beside those of its copies; None without copies."""
    if not null:
        return None
    below = sum(v < nats for v in null)
    return (1 + len(null) - below) / (1 + len(null))


def normal_interval(nats: float, stderr: float, level: float) -> tuple[float, float]:
    """A normal interval of this level."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, got {level}")
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * stderr
    return nats - half, nats + half


def below_entropy(
    interval: tuple[float, float], label: LabelEntropy | None, level: float
) -> tuple[float, float]:
    """The interval, cut at what the label's entropy can be at this level."""
    if label is None:
        return interval
    most = min(normal_interval(label.nats, label.stderr, level)[1], label.most)
    return min(interval[0], most), min(interval[1], most)
