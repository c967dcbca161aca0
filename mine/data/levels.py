"""Discrete sides: the levels of X or of Y, where its columns are labels or counts.

Several columns are one variable, whose levels are the combinations that occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mine.data.columns import Layout
from mine.data.preprocessing import FEW_VALUES, Values

ROWS_A_LEVEL = 5  # on average: a column of numbers with fewer rows a value is no label

Codes = NDArray[np.intp]
"""The level of each row, counted from 0."""


def codes_of(rows: Values) -> Codes:
    """The level of each row of (n, d): (n,). Equal rows have one level."""
    found = np.zeros(len(rows), np.intp)
    for column in rows.T:
        values, of = np.unique(column, return_inverse=True)
        found = np.unique(found * len(values) + of, return_inverse=True)[1]
    return found


def is_discrete(rows: Tensor, layout: Layout) -> bool:
    """Whether X (or Y) is taken for labels or counts.

    Each column is text, categories or booleans, or numbers of at most `FEW_VALUES` different
    values. Unless it is one column of levels, it also has `ROWS_A_LEVEL` rows a level on average.
    """
    if layout.levels and all(layout.levels) and len(layout.levels) == 1:
        return True
    numbers = rows.numpy()
    for column, coded in zip(numbers.T, layout.coded, strict=True):
        # The first rows are enough to recognise most columns of other numbers.
        for part in (column[: 20 * FEW_VALUES], column):
            if not coded and len(np.unique(part)) > FEW_VALUES:
                return False
    return bool(ROWS_A_LEVEL * (codes_of(numbers).max() + 1) <= len(rows))


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
