"""Estimates for a user's own rows: `estimate`, and `estimate_many` for many pairs of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from mine.critics.modules import Modules
from mine.data.torch_defaults import with_usual_defaults
from mine.estimators.alignment import aligned_groups
from mine.estimators.dependence import dependence_of
from mine.estimators.own_job import own_job
from mine.estimators.requests import Request, estimates_of
from mine.estimators.rows import as_pair, noted
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
    drop_missing: bool = False,
    groups: Any = None,
    order: str | None = None,
    blocks: int | None = None,
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
        x: (n, dx), numpy (masked arrays too), torch, pandas, polars, pyarrow, scipy's sparse
            arrays, a mapping of columns or nested lists; 1-D is one column. Columns of text,
            categories and booleans become one column a level, dates become days. Rows of pandas'
            pair up by their index.
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
        drop_missing: whether rows with a missing value are left out; otherwise they are refused.
            Groups stay those of all rows. A series (``order``) may miss rows at its ends alone.
        groups: (n,) ids of any type: rows of one group hang together (visits of a patient). They
            are dealt together, copies permute groups, and the error is one of groups.
        order: "time" where the rows are a series: folds are stretches of it with gaps between,
            copies are circular shifts, and the error is one of blocks.
        blocks: the length of a block, in rows; None for twice the autocorrelation time
            (`mine.data.autocorrelation`). With it, the order is "time".
        overrides: fields of `Training` and `MLP`, among them steps, batch_size, learning_rate,
            hidden; and ``k``, KSG's neighbours.

    Raises:
        ValueError: for data or options that cannot be right; it says what to do.
    """
    return estimate_many(
        [(x, y)], method, [seed], device, critic,
        null=null, folds=folds, preprocess=preprocess, drop_missing=drop_missing,
        groups=None if groups is None else [groups], order=order, blocks=blocks, **overrides,
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
    drop_missing: bool = False,
    groups: Sequence[Any] | None = None,
    order: str | None = None,
    blocks: int | None = None,
    **overrides: Any,
) -> list[Estimate]:
    """`estimate` for many pairs of arrays. Pairs of equal shapes are trained as one stack.

    Args:
        pairs: [(x0, y0), (x1, y1), ...], each as for `estimate`.
        seeds: one a pair; None for 0 everywhere.
        groups: those of each pair's rows, as many as pairs.

    Other arguments and errors as for `estimate`.
    """
    seeds = [0] * len(pairs) if seeds is None else list(seeds)
    if len(seeds) != len(pairs):
        raise ValueError(
            f"expected one seed a pair, got {len(seeds)} seeds for {len(pairs)} pairs: "
            "leave seeds out for 0, or give as many"
        )
    make = None if critic is None else Modules(critic)
    sides = [as_pair(x, y, drop_missing=drop_missing) for x, y in pairs]
    hanging = [
        dependence_of([pair], aligned_groups(given, ids), order, blocks)
        for pair, given, ids in zip(sides, pairs, _each(groups, len(pairs)), strict=True)
    ]
    jobs = [
        own_job(*pair, method, seed, make, preprocess, folds, dependence=hangs, **overrides)
        for pair, seed, hangs in zip(sides, seeds, hanging, strict=True)
    ]
    found = estimates_of([Request(job, null) for job in jobs], device)
    return [noted(e, x) for e, (x, _) in zip(found, sides, strict=True)]


def _each(groups: Sequence[Any] | None, pairs: int) -> Sequence[Any]:
    if groups is None:
        return [None] * pairs
    if len(groups) != pairs:
        raise ValueError(
            f"expected the groups of each pair, got {len(groups)} for {pairs} pairs: give a list "
            "of one array of ids a pair"
        )
    return groups
