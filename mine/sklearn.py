"""Mutual information as a score function of scikit-learn's selectors.

>>> from sklearn.feature_selection import SelectKBest
>>> from mine.sklearn import mutual_info
>>> SelectKBest(partial(mutual_info, steps=300), k=5)
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine.data.columns import as_raw
from mine.data.containers import unpacked
from mine.data.levels import is_discrete
from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.alignment import aligned, aligned_groups
from mine.estimators.dependence import grouped
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
from mine.estimators.suited import pair_method

CLASSES = 50  # the most different whole numbers that are taken for classes


class MutualInfoWarning(UserWarning):
    """A reason to doubt the score of a column: what `Estimate.warnings` says, docs/warnings.md."""


@with_usual_defaults
def mutual_info(
    X: Any,
    y: Any,
    *,
    discrete_target: bool | None = None,
    method: str | None = None,
    seed: int = 0,
    device: str = "auto",
    preprocess: str | None = None,
    groups: Any = None,
    **overrides: Any,
) -> NDArray[np.float64]:
    """I(column of X; y) of every column, in nats, trained in one run: (n_features,).

    A constant column scores 0, as it tells nothing (a fold of a cross-validation may have one).
    The other scores are what `mine.estimate` gives with `SMALL`; some may be negative. What it
    warns of is a Python warning, `MutualInfoWarning`, with the column's name.

    Args:
        X: (n, n_features).
        y: (n,), numbers or classes.
        discrete_target: whether y holds classes, each of which becomes one column. None: y holds
            classes if it is text, categories or booleans, or whole numbers of at most `CLASSES`
            different values.
        method: one of `mine.methods()`. None: `plugin` where y holds classes and the column is a
            label, too; `mixed` where one of them is; else, and with groups, `mine`.
        groups: (n,) ids: rows of one group are split together, as for `mine.estimate`.

    Other arguments and errors as for `mine.estimate`.
    """
    X, y = aligned((X, y), ("X", "y"))
    table, target = as_rows("X", X), _target(y, discrete_target)
    check_paired(table, target, ("X", "y"))
    check_varying("y", target)
    features = columns_of(table)
    telling = [i for i, rows in enumerate(features) if not constant_columns(rows)]
    classes = any(target.layout.levels)
    ids = aligned_groups((X, y), groups)
    hangs = None if ids is None else grouped(ids, len(target.values))
    jobs = []
    for x in (features[i] for i in telling):
        discrete = is_discrete(x.values, x.layout), classes
        named = method or ("mine" if hangs else pair_method(x, target, discrete))
        jobs.append(
            own_job(
                *(x, target, named, seed),
                preprocess=preprocess,
                defaults=SMALL,
                refuses_unused=method not in (None, "auto"),  # which differs from pair to pair
                dependence=hangs,
                **overrides,
            )
        )
    found = estimates_of([Request(job) for job in jobs], device)
    for i, e in zip(telling, found, strict=True):
        for text in e.warnings:
            message = f"column {table.layout.names[i]!r}: {text}"
            warnings.warn(message, MutualInfoWarning, stacklevel=3)
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
