"""Discrete sides: the levels of X or of Y, where its columns are labels or counts.

Several columns are one variable, whose levels are the combinations that occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mine.data.columns import Layout
from mine.data.preprocessing import FEW_VALUES, Values
from mine.data.shared_work import once_a_column

ROWS_A_LEVEL = 5  # on average: a column of numbers with fewer rows a value is no label

Codes = NDArray[np.intp]
"""The level of each row, counted from 0."""


def are_flags(rows: Values) -> bool:
    """Whether there is nothing but 0 and 1, as in a column of a level."""
    return bool(((rows == 0.0) | (rows == 1.0)).all())


@once_a_column
def codes_of(rows: Values) -> Codes:
    """The level of each row of (n, d): (n,). Equal rows have one level."""
    return np.unique(row_keys(list(rows.T)), return_inverse=True)[1]


@once_a_column
def distinct(column: Values) -> int:
    """How many values the column has."""
    return len(np.unique(column))


@once_a_column
def commonest(column: Values) -> int:
    """How many rows have the commonest value."""
    return int(np.unique(column, return_counts=True)[1].max())


def row_keys(columns: Sequence[Values]) -> NDArray[np.uint64]:
    """A hash of each row, (n,): equal for equal rows; two others agree with probability 2^-64."""
    found = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        bits = (column + 0.0).view(np.uint64)  # 0.0 and -0.0 are equal
        found = (found ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        found ^= found >> np.uint64(29)
    return found


@once_a_column
def is_discrete(rows: Tensor, layout: Layout) -> bool:
    """Whether X (or Y) is taken for labels or counts.

    Each column is text, categories or booleans, or numbers of few values. Unless it is one column
    of levels, it also has `ROWS_A_LEVEL` rows a level on average.
    """
    if layout.levels and all(layout.levels) and len(layout.levels) == 1:
        return True
    numbers = rows.numpy()
    columns = zip(numbers.T, layout.coded, strict=True)
    if not all(coded or _has_few_values(column) for column, coded in columns):
        return False
    return bool(ROWS_A_LEVEL * (codes_of(numbers).max() + 1) <= len(rows))


def _has_few_values(column: Values) -> bool:
    """At most `FEW_VALUES`, most of which repeat: not 0 and a few other numbers."""
    if len(np.unique(column[: 20 * FEW_VALUES])) > FEW_VALUES:  # most columns of other numbers
        return False
    counts = np.unique(column, return_counts=True)[1]
    return len(counts) <= FEW_VALUES and 2 * int((counts == 1).sum()) <= len(counts)


def as_sides(x: Any, y: Any) -> tuple[Values, Values]:
    """x and y as (n, dx) and (n, dy), from numpy or torch; (n,) is one column.

    Raises:
        ValueError: they are no finite numbers, or do not pair up.
    """
    a, b = (
        np.asarray(v.detach().cpu() if hasattr(v, "detach") else v, dtype=np.float64)
        for v in (x, y)
    )
    for name, v in (("x", a), ("y", b)):
        if v.ndim not in (1, 2) or v.size == 0 or not np.isfinite(v).all():
            raise ValueError(
                f"{name} must be finite numbers of shape (rows, columns), got shape {v.shape}: "
                "drop or impute what is missing"
            )
    if len(a) != len(b):
        raise ValueError(
            f"expected x and y of equal length, got {len(a)} and {len(b)} rows: row i of x "
            "pairs with row i of y"
        )
    return a.reshape(len(a), -1), b.reshape(len(b), -1)


def check_labels(method: str, sides: Sequence[Values], needed: int) -> None:
    """Refuses rows of which fewer than `needed` sides can be labels or counts.

    Args:
        method: its name, for the message.
        sides: x (n, dx) and y (n, dy).
        needed: 1 or 2.

    Raises:
        ValueError: columns of the others have more values than `ROWS_A_LEVEL` rows each allow.
    """
    numbers = [
        found for name, rows in zip("xy", sides, strict=True) if (found := _many(rows, name))
    ]
    if len(sides) - len(numbers) < needed:
        where = "on both sides" if needed == 2 else "on one side"
        raise ValueError(
            f"{method} needs labels or counts {where}, {ROWS_A_LEVEL} rows a value or more, got "
            f"{' and '.join(numbers)}: take auto or ksg for numbers, or group the values"
        )
    if needed == 1 and not any(np.bincount(codes_of(rows)).max() > 1 for rows in sides):
        raise ValueError(
            f"{method} needs levels of two rows or more, got a level of its own in each of "
            f"{len(sides[0])} rows: drop an identifier, or join levels"
        )


@once_a_column
def _many(rows: Values, name: str) -> str:
    """The first column with too many values for a label, in words; "" where there is none."""
    n = len(rows)
    for i, column in enumerate(rows.T):
        if are_flags(column):
            continue
        if (count := len(np.unique(column))) > max(2, n // ROWS_A_LEVEL):
            return f"{count} values in {n} rows of column {i} of {name}"
    return ""


def strata_of(sides: tuple[Tensor, Tensor], discrete: tuple[bool, bool]) -> Codes | None:
    """The combined levels of those sides that are discrete; None where none is."""
    chosen = [v.numpy() for v, of in zip(sides, discrete, strict=True) if of]
    return codes_of(np.concatenate(chosen, 1)) if chosen else None


def spread(strata: Codes, sizes: tuple[int, ...]) -> Codes:
    """Deals rows to parts of these sizes, so that each level is spread over all of them evenly.

    Args:
        strata: the level of each row, (n,), rows in random order.
        sizes: of the parts; they add up to n.

    Returns:
        The part of each row, (n,).
    """
    parts = np.repeat(np.arange(len(sizes)), sizes)
    within = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    dealt = parts[np.lexsort((parts, within))]
    found = np.empty(len(strata), np.intp)
    found[np.argsort(strata, kind="stable")] = dealt
    return found
