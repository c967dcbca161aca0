"""One estimate from the folds of a job (cross-fitting)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from mine.fitted import joined
from mine.running.estimates import Estimate


def pooled(folds: Sequence[Estimate]) -> Estimate:
    """The mean of the folds' values by their test rows; see `mine.estimate`.

    The error is sqrt(sum_f n_f^2 s_f^2) / n for folds of n_f test rows and error s_f. Of each kind
    of warning the first one stays. Curve and steps are the first fold's.
    """
    if len(folds) == 1:
        return folds[0]
    n = sum(e.n_test for e in folds)
    shares = [e.n_test / n for e in folds]

    def mean(values: Iterable[float]) -> float:
        return sum(s * v for s, v in zip(shares, values, strict=True))

    return replace(
        folds[0],
        nats=mean(e.nats for e in folds),
        stderr=math.hypot(*(s * e.stderr for s, e in zip(shares, folds, strict=True))),
        train_nats=mean(e.train_nats for e in folds),
        validation_nats=mean(cast(float, e.validation_nats) for e in folds),
        n_train=min(e.n_train for e in folds),
        n_test=n,
        warnings=_first_of_each([warning for e in folds for warning in e.warnings]),
        diverged_at=max(e.diverged_at for e in folds),
        critic=joined([e.critic for e in folds]),
        influences=tuple(i for e in folds for i in e.influences),
        fold_nats=tuple(e.nats for e in folds),
        untrained=all(e.untrained for e in folds),
    )


def _first_of_each(warnings: Iterable[str]) -> tuple[str, ...]:
    """The first warning of each kind; its kind is the text before the colon."""
    found: dict[str, str] = {}
    for warning in warnings:
        found.setdefault(warning.partition(":")[0], warning)
    return tuple(found.values())
