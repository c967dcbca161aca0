"""Mutual information of two series at several lags, in one run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.dependence import dependence_of
from mine.estimators.own_job import own_job
from mine.estimators.pairwise import SMALL
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import LEAST_ROWS, Rows, as_pair, check_varying, noted
from mine.running.estimates import Estimate

MOST_LAGS = 10_000


@dataclass(frozen=True, eq=False)
class Lagged:
    """I(X_t; Y_(t + lag)) at several lags.

    Attributes:
        lags: in rows. A positive lag: y comes after x.
        nats: (lags,).
        stderr: (lags,), the standard errors, in nats.
        estimates: one a lag.
    """

    lags: tuple[int, ...]
    nats: NDArray[np.float64]
    stderr: NDArray[np.float64]
    estimates: tuple[Estimate, ...] = field(repr=False)


@with_usual_defaults
def lagged(
    x: Any,
    y: Any,
    lags: Iterable[int],
    method: str = "mine",
    seed: int = 0,
    device: str = "auto",
    *,
    null: int = 0,
    folds: int | None = None,
    preprocess: str | None = None,
    drop_missing: bool = False,
    blocks: int | None = None,
    **overrides: Any,
) -> Lagged:
    """I(X_t; Y_(t + lag)) of two series at several lags, in nats, trained as one stack.

    >>> found = mine.lagged(x, y, range(-5, 6))
    >>> dict(zip(found.lags, found.nats))

    All lags take the same moments t, those that have a row at every lag. The rows are a series:
    what `mine.estimate` does with ``order="time"`` is done at each lag, with the smaller network
    of `mine.pairwise`.

    Args:
        x: (n, dx), one row a moment, equally spaced.
        y: (n, dy), likewise.
        lags: whole numbers, each once.
        blocks: the length of a block, in rows; None for what the series say, one for all lags.

    Other arguments and errors as for `mine.estimate`.
    """
    xs, ys = as_pair(x, y, drop_missing=drop_missing)
    chosen = _checked(lags, len(xs.values))
    pairs = [_at(xs, ys, lag, chosen) for lag in chosen]
    for pair in pairs:
        for name, rows in zip("xy", pair, strict=True):
            check_varying(name, rows)
    hangs = dependence_of(pairs[:1], order="time", blocks=blocks)
    jobs = [
        own_job(
            *(*pair, method, seed, None, preprocess, folds),
            defaults=SMALL,
            dependence=hangs,
            **overrides,
        )
        for pair in pairs
    ]
    found = estimates_of([Request(job, null) for job in jobs], device)
    nats, stderr = (np.array([getattr(e, v) for e in found]) for v in ("nats", "stderr"))
    return Lagged(chosen, nats, stderr, tuple(noted(e, xs) for e in found))


def _checked(lags: Iterable[int], n: int) -> tuple[int, ...]:
    chosen = tuple(islice(lags, MOST_LAGS + 1)) if isinstance(lags, Iterable) else ()
    if len(chosen) > MOST_LAGS:
        raise ValueError(f"expected at most {MOST_LAGS:,} lags, got more: take fewer")
    whole = all(isinstance(lag, int | np.integer) and not isinstance(lag, bool) for lag in chosen)
    if not chosen or not whole or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"lags must be different whole numbers, got {chosen or lags!r}: such as range(-5, 6)"
        )
    left = n - max(0, *chosen, 0) - max(0, *(-lag for lag in chosen), 0)
    if left < LEAST_ROWS:
        raise ValueError(
            f"expected at least {LEAST_ROWS} rows that have one at every lag, got {max(0, left)} "
            f"of {n}: take smaller lags"
        )
    return tuple(int(lag) for lag in chosen)


def _at(x: Rows, y: Rows, lag: int, lags: tuple[int, ...]) -> tuple[Rows, Rows]:
    """The rows of all moments that have one at every lag."""
    first, last = max(0, -min(lags)), len(x.values) - max(0, max(lags))
    return (
        replace(x, values=x.values[first:last]),
        replace(y, values=y.values[first + lag : last + lag]),
    )
