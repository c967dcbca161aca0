"""Reasons to doubt an estimate that can be read from its numbers.

The value is a bound on test rows that neither trained the critic nor chose when to stop. The bound
can hold and the number still mislead: a distribution-free lower bound that holds with high
confidence cannot exceed O(log n) (McAllester and Stratos, 2020, https://arxiv.org/abs/1811.04251),
and the variance of the partition term grows like (e^I - 1) / n even at the optimal critic (Song
and Ermon, 2020, https://arxiv.org/abs/1910.06222). So every value carries its warnings.
"""

from __future__ import annotations

import math

from mine.running.estimates import Estimate


def warnings_of(e: Estimate, budget: int, ceiling: float = math.inf) -> tuple[str, ...]:
    """Reasons to doubt an estimate, each with what to do about it.

    Args:
        e: the estimate; its own warnings are not looked at.
        budget: steps that it was allowed. A training that stopped earlier has converged.
        ceiling: the largest value that the method can give, in nats.
    """
    if is_void(e):
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


def is_void(e: Estimate) -> bool:
    """Whether the training diverged or the value is not finite."""
    return e.diverged_at >= 0 or not math.isfinite(e.nats)


def _late_rise(curve: tuple[tuple[int, float], ...]) -> float:
    """Mean of the last tenth of the curve less that of the tenth before, in nats."""
    last = [v for s, v in curve if s > 0.9 * curve[-1][0]]
    before = [v for s, v in curve if 0.8 * curve[-1][0] < s <= 0.9 * curve[-1][0]]
    if not last or not before:
        return 0.0
    return sum(last) / len(last) - sum(before) / len(before)
