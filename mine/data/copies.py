"""Rows in which a column of y repeats one of x: stale values, or imputed ones.

Continuous columns are equal in a row by chance alone, and hardly ever. Where some rows copy, I is
infinite, or large if the copies carry a little noise, and what is learned from the other rows
does not show it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mine.data.columns import Layout
from mine.data.noiseless import MOST_PAIRS, NOISE, between_quartiles, continuous
from mine.data.preprocessing import Values
from mine.data.shared_work import once_a_column

MOST_ROWS = 5000  # that are looked at
LEAST_COPIES = 5
APART = 20.0
"""As many of the next nearest values are farther off than copies, or the digits of the values."""


def copies(x: Values, y: Values, layouts: tuple[Layout, Layout]) -> str:
    """Warns of columns that are equal in some rows; "" where there are none.

    Args:
        x: (n, dx).
        y: (n, dy).
        layouts: what the columns of x and of y are.
    """
    pairs = [(i, j) for i in continuous(x) for j in continuous(y)][:MOST_PAIRS]
    for i, j in pairs:
        count = _copied(x[:, i], y[:, j])
        if count:
            a, b = layouts[0].labels[i], layouts[1].labels[j]
            n = min(len(x), MOST_ROWS)
            return (
                f"copies: column {a!r} of x and {b!r} of y are equal in {count} of {n} rows, as "
                "where a value is stale or filled in: I is infinite where they are continuous: "
                "leave these rows out, or make the values nan"
            )
    return ""


def _copied(x: Values, y: Values) -> int:
    """In how many rows y is x up to `NOISE` of the spread; 0 where it need not be a copy.

    Of values that go together closely, some are as near as copies, and twice as many twice as
    near. Rounded values are equal, or one digit apart.
    """
    once = _once(x) & _once(y)
    x, y, once = x[:MOST_ROWS], y[:MOST_ROWS], once[:MOST_ROWS]
    near = NOISE * min(between_quartiles(x), between_quartiles(y))
    apart = np.abs(x / 2 - y / 2)[once]
    count = int(np.count_nonzero(apart <= near))
    if count < LEAST_COPIES:
        return 0
    digit = _digit(np.concatenate([x, y]) / 2, near)
    next_ones = float(np.sort(apart)[min(2 * count, len(apart) - 1)])
    return count if next_ones > APART * max(near, digit) else 0


def _digit(values: Values, near: float) -> float:
    """The least distance of two values; those nearer than `near` are one."""
    gaps = np.diff(np.sort(values))
    return float(gaps[gaps > near].min(initial=np.inf))


@once_a_column
def _once(column: Values) -> NDArray[np.bool_]:
    """For each row, whether no other has its value: the end of a clipped column is no copy."""
    _, level, counts = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray(counts[level] == 1)
