"""Mutual information as a score function of scikit-learn's selectors.

>>> from sklearn.feature_selection import SelectKBest
>>> from mine.sklearn import mutual_info
>>> SelectKBest(partial(mutual_info, steps=300), k=5)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine.data.columns import as_raw
from mine.data.containers import unpacked
from mine.estimators.alignment import aligned
from mine.estimators.own_job import own_job
from mine.estimators.pairwise import SMALL
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import (
    Rows,
    as_rows,
    check_paired,
    check_varying,
    columns_of,
    constant_columns,
)

CLASSES = 50  # the most different whole numbers that are taken for classes


def mutual_info(
    X: Any,
    y: Any,
    *,
    discrete_target: bool | None = None,
    method: str = "mine",
    seed: int = 0,
    device: str = "auto",
    preprocess: str | None = None,
    **overrides: Any,
) -> NDArray[np.float64]:
    """I(column of X; y) of every column, in nats, trained in one run: (n_features,).

    A constant column scores 0, as it tells nothing (a fold of a cross-validation may have one).
    The other scores are what `mine.estimate` gives with `SMALL`; some may be negative.

    Args:
        X: (n, n_features).
        y: (n,), numbers or classes.
        discrete_target: whether y holds classes, each of which becomes one column. None: y holds
            classes if it is text, categories or booleans, or whole numbers of at most `CLASSES`
            different values.

    Other arguments and errors as for `mine.estimate`.
    """
    X, y = aligned((X, y), ("X", "y"))
    table, target = as_rows("X", X), _target(y, discrete_target)
    check_paired(table, target, ("X", "y"))
    check_varying("y", target)
    features = columns_of(table)
    telling = [i for i, rows in enumerate(features) if not constant_columns(rows)]
    jobs = [
        own_job(
            features[i], target, method, seed, preprocess=preprocess, defaults=SMALL, **overrides
        )
        for i in telling
    ]
    found = estimates_of([Request(job) for job in jobs], device)
    scores = np.zeros(len(features))
    scores[telling] = [e.nats for e in found]
    return scores


def _target(y: Any, discrete: bool | None) -> Rows:
    values = np.asarray(unpacked("y", y))
    missing = int(as_raw("y", y).is_missing.sum())
    if missing:
        raise ValueError(
            f"y must be known, got {missing} of {len(values)} labels missing: drop these "
            "rows of X and y"
        )
    if discrete is None:
        discrete = values.dtype.kind in "iu" and len(np.unique(values)) <= CLASSES
    return as_rows("y", values.astype(str) if discrete else y)
