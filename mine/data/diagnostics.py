"""Diagnostics of a user's rows: what makes an estimate from them doubtful, and what to do.

The thresholds are rules of thumb. They are stated here and in the warnings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mine.data.columns import Layout
from mine.data.levels import codes_of, commonest, distinct, row_keys
from mine.data.preprocessing import FEW_VALUES, Values, is_heavy
from mine.data.sentinels import sentinel

ROWS_A_COLUMN = 20  # training rows for each column: with fewer, a network overfits
LEAST_TEST_ROWS = 20
REPEATED = 0.01  # share of the test rows that may be among the training rows
BY_CHANCE = 5.0  # the same, as a multiple of the share among re-paired rows: rounded values repeat
ONE_VALUE = 0.5  # share of the rows that may have one and the same value
NAMED = 3  # columns that a warning names, before "and 5 more"


def data_doubts(
    data: tuple[Tensor, Tensor],
    layouts: tuple[Layout, Layout],
    train: Tensor,
    test: Tensor,
    untouched: tuple[Sequence[bool], Sequence[bool]],
    folds: int,
) -> tuple[str, ...]:
    """Warnings that can be given before anything is trained.

    Args:
        data: x (n, dx) and y (n, dy), float64.
        layouts: what their columns are.
        train: indices of the training rows.
        test: indices of the test rows.
        untouched: for each column of x and of y, whether the preprocessing leaves its tails
            unchanged.
        folds: how many folds the rows are divided into; 1 for a single split.
    """
    sides = list(zip("xy", data, layouts, untouched, strict=True))
    discrete = [[_is_discrete(v) for v in rows.numpy().T] for _, rows, _, _ in sides]
    found = [
        sentinels(sides),
        _nearly_discrete(sides, discrete),
        heavy_tails(sides, train),
        _repeated(data, discrete, train, test),
        _few(data, len(train), len(test), folds),
    ]
    return tuple(filter(None, found))


Side = tuple[str, Tensor, Layout, Sequence[bool]]
"""The name, rows, layout and untouched columns of x or of y."""


def _is_discrete(column: Values) -> bool:
    few = len(column) // 5
    head = column[: 20 * FEW_VALUES]  # enough to recognise a continuous column
    if distinct(head) > FEW_VALUES and commonest(head) < ONE_VALUE / 2 * len(head):
        return False
    values, counts = np.unique(column, return_counts=True)
    return len(values) <= min(FEW_VALUES, few) or counts.max() > ONE_VALUE * len(column)


def _nearly_discrete(sides: Sequence[Side], discrete: Sequence[Sequence[bool]]) -> str:
    columns = [
        f"{layout.labels[i]!r} of {name}"
        for (name, _, layout, _), of in zip(sides, discrete, strict=True)
        for i, is_discrete in enumerate(of)
        if is_discrete and not layout.coded[i]
    ]
    if not columns:
        return ""
    return (
        f"nearly discrete: column {_listed(columns)} has at most {FEW_VALUES} values, or one in "
        "more than half of the rows, and is taken for a number: give labels as text or "
        "categories; do not take KSG, which needs continuous columns"
    )


def sentinels(sides: Sequence[Side]) -> str:
    """Warns of columns with a value that may stand for a missing one; "" where there are none."""
    columns = [
        f"{layout.labels[i]!r} of {name} ({found[0]:.15g} in {found[1]} rows)"
        for name, rows, layout, _ in sides
        for i, column in enumerate(rows.numpy().T)
        if not layout.coded[i] and (found := sentinel(column)) is not None
    ]
    if not columns:
        return ""
    return (
        f"sentinel: column {_listed(columns)} has a value that repeats apart from all others, as "
        "-999 for a missing one: make it nan, and give drop_missing=True (in a command, --na=-999)"
    )


def heavy_tails(sides: Sequence[Side], train: Tensor | None = None) -> str:
    """Warns of columns with heavy tails among these rows, or all; "" where there are none."""
    columns = [
        f"{layout.labels[i]!r} of {name}"
        for name, rows, layout, untouched in sides
        for i, column in enumerate((rows if train is None else rows[train]).numpy().T)
        if untouched[i] and not layout.coded[i] and is_heavy(column)
    ]
    if not columns:
        return ""
    return (
        f"heavy tails: column {_listed(columns)}, where a few rows outweigh all others: take "
        "preprocess='copula' (or 'auto'), which leaves the information as it is"
    )


def _repeated(
    data: tuple[Tensor, Tensor], discrete: Sequence[Sequence[bool]], train: Tensor, test: Tensor
) -> str:
    """Warns of test rows among the training rows, unless all columns are discrete."""
    if all(all(of) for of in discrete):
        return ""
    x, y = ([v.numpy() for v in rows.T] for rows in data)
    if any(distinct(v) == len(v) for v in (*x, *y)):
        return ""  # no two rows are equal
    known = row_keys([*x, *y])[train.numpy()]
    tested = [v[test.numpy()] for v in x], [v[test.numpy()] for v in y]
    share, chance = (
        float(np.isin(row_keys([*tested[0], *of_y]), known).mean())
        for of_y in (tested[1], [np.roll(v, 1) for v in tested[1]])
    )
    if share <= max(REPEATED, BY_CHANCE * chance):
        return ""
    return (
        f"duplicates: {share:.0%} of the test rows are among the training rows too, so the test "
        "is no test of them: drop repeated rows"
    )


def _few(data: tuple[Tensor, Tensor], n_train: int, n_test: int, folds: int) -> str:
    d = data[0].shape[1] + data[1].shape[1]
    if n_train >= ROWS_A_COLUMN * d and n_test >= LEAST_TEST_ROWS:
        return ""
    return (
        f"few rows: {n_train} to train on {d} columns and {n_test} to test on, where "
        f"{ROWS_A_COLUMN} a column and {LEAST_TEST_ROWS} are the least to trust: take more rows"
        + (" or fewer columns" if folds > 1 else ", fewer columns, or folds=5")
    )


def rare_levels(
    data: tuple[Tensor, Tensor], discrete: tuple[bool, bool], test: Tensor
) -> tuple[str, ...]:
    """Warns of levels with few test rows, for the sides that are discrete."""
    found = []
    for name, rows, of in zip("xy", data, discrete, strict=True):
        codes = codes_of(rows.numpy()) if of else np.zeros(0, np.intp)
        tested = np.bincount(codes[test.numpy()], minlength=codes.max() + 1) if of else codes
        if rare := int((tested < LEAST_TEST_ROWS).sum()):
            found.append(f"{rare} of {len(tested)} levels of {name}")
    if not found:
        return ()
    warning = (
        f"rare levels: {' and '.join(found)} have fewer than {LEAST_TEST_ROWS} rows in the test, "
        "so a few rows decide: take method='auto' or 'plugin', bring more rows, or join levels"
    )
    return (warning,)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
