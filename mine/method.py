"""The methods by name: what each ascends and what it reports.

Training objective and reported value are two choices; a method is a pair of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from mine.bounds import DV, MINE, MINE_F, Objective, donsker_varadhan, f_divergence
from mine.evaluation import HeldOutValues


@dataclass(frozen=True)
class Method:
    """An estimator by name.

    Attributes:
        summary: one line on what it is.
        objective: what its training ascends; None where nothing is trained.
        bound: its value on critic values, in nats.
        test: its value and standard error on test values.
    """

    summary: str
    objective: Objective | None = None
    bound: Callable[[Tensor, Tensor], Tensor] = donsker_varadhan
    test: Callable[[HeldOutValues], tuple[Tensor, Tensor]] = HeldOutValues.donsker_varadhan


METHODS = {
    "mine": Method("DV bound, gradient corrected by a moving average (Eq. 12)", MINE),
    "mine_f": Method(
        "f-divergence bound (Eq. 8; the same as NWJ)",
        MINE_F,
        f_divergence,
        HeldOutValues.f_divergence,
    ),
    "dv": Method("DV bound, plain minibatch gradient: the correction switched off", DV),
    "ksg": Method("k-nearest neighbours (Kraskov et al., 2004, estimator 1); no network"),
}


def methods() -> tuple[str, ...]:
    """The names that ``method`` takes."""
    return tuple(METHODS)
