"""Estimates for a user's own rows: `estimate`, and `estimate_many` for many pairs of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from mine.critics.modules import Modules
from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.own_job import own_job
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import as_pair
from mine.running.estimates import Estimate


def estimate(
    x: Any,
    y: Any,
    method: str = "auto",
    seed: int = 0,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    *,
    null: int = 0,
    folds: int | None = None,
    preprocess: str | None = None,
    **overrides: Any,
) -> Estimate:
    """The mutual information of paired rows, in nats.

    >>> e = mine.estimate(x, y)
    >>> print(e.nats, e.interval(0.95), e.warnings)

    Rows are split at random into training (60 %), validation (20 %) and test rows (20 %). Columns
    are brought into units that are fitted on the training rows. The critic is the best one on the
    validation rows, and the value is the bound on the test rows. "auto" cross-fits: it splits five
    times, so that every row is tested once, trains each of its candidates, and chooses between
    them by validation rows.

    Args:
        x: (n, dx), numpy, torch, pandas, polars or nested lists; 1-D is one column. Columns of
            text, categories and booleans become one column a level.
        y: (n, dy), likewise.
        method: one of `methods()`.
        seed: equal calls with equal seeds give equal bits on a CPU.
        device: "auto", "cpu" or "cuda".
        critic: a function (dx, dy) -> torch.nn.Module, whose forward is (x, y) -> (B,).
        null: how many copies with permuted y are estimated in the same stack, such as 20, for
            ``p_value`` and ``null_mean``.
        folds: 1 for one split; k for cross-fitting with k folds: each fold of the rows is the test
            of a critic that was trained and stopped on the other folds, so that every row is
            tested once. The value is the mean of the folds' values by their test rows; its error
            is the delta method over all rows, sqrt(sum_f n_f^2 s_f^2) / n for folds of n_f rows
            and error s_f. None for the method's own number: 5 for "auto", 1 for others.
        preprocess: one of `mine.data.preprocessing.KINDS`: "none", "standardise", "rank",
            "copula" or "auto". None for the method's own choice: "auto" tries two, others
            standardise.
        overrides: fields of `Training` and `MLP`, among them steps, batch_size, learning_rate,
            hidden; and ``k``, KSG's neighbours.

    Raises:
        ValueError: for data or options that cannot be right; it says what to do.
    """
    return estimate_many(
        [(x, y)], method, [seed], device, critic,
        null=null, folds=folds, preprocess=preprocess, **overrides,
    )[0]  # fmt: skip


@with_usual_defaults
def estimate_many(
    pairs: Sequence[tuple[Any, Any]],
    method: str = "auto",
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    critic: Callable[[int, int], nn.Module] | None = None,
    *,
    null: int = 0,
    folds: int | None = None,
    preprocess: str | None = None,
    **overrides: Any,
) -> list[Estimate]:
    """`estimate` for many pairs of arrays. Pairs of equal shapes are trained as one stack.

    Args:
        pairs: [(x0, y0), (x1, y1), ...], each as for `estimate`.
        seeds: one a pair; None for 0 everywhere.

    Other arguments and errors as for `estimate`.
    """
    seeds = [0] * len(pairs) if seeds is None else list(seeds)
    if len(seeds) != len(pairs):
        raise ValueError(
            f"expected one seed a pair, got {len(seeds)} seeds for {len(pairs)} pairs: "
            "leave seeds out for 0, or give as many"
        )
    make = None if critic is None else Modules(critic)
    jobs = [
        own_job(*as_pair(x, y), method, seed, make, preprocess, folds, **overrides)
        for (x, y), seed in zip(pairs, seeds, strict=True)
    ]
    return estimates_of([Request(job, null) for job in jobs], device)
