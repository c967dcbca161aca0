"""Columns that nearly repeat each other: what their difference tells is lost in their units."""

from __future__ import annotations

import math

import numpy as np

from mine.data.preprocessing import Values
from mine.data.whitening import RANK

NEAR = 0.1  # share of the largest spread: below, the differences are looked at by themselves
HIDDEN = 0.01  # below, a network does not see them
ROWS_A_COLUMN = 4  # with fewer, some combination varies little by chance
REPEATED = 1e-7  # below, a column is another one again, and nothing is hidden


def thinnest(v: Values) -> float:
    """The least spread of a combination of the columns, as a share of the largest.

    Args:
        v: (n, d), columns that vary; each is taken in units of its standard deviation.

    Returns:
        1 for columns that are uncorrelated; 0 where one repeats. Of a single column, or of fewer
        than `ROWS_A_COLUMN` rows a column, of which chance decides, 1.
    """
    if v.shape[1] < 2 or len(v) < ROWS_A_COLUMN * v.shape[1]:
        return 1.0
    variances = np.linalg.eigvalsh(np.corrcoef(v.T))
    return math.sqrt(max(float(variances[0]), 0.0) / float(variances[-1]))


def nearly_equal(name: str, share: float, whitened: bool = False) -> str:
    """Warns of columns of which a difference is hidden; "" where there are none.

    Args:
        name: the side's.
        share: what `thinnest` gives of its columns.
        whitened: whether the method makes the columns uncorrelated, in double precision.
    """
    if not REPEATED < share < (math.sqrt(RANK) if whitened else HIDDEN):
        return ""
    return (
        f"nearly equal columns: a combination of columns of {name} varies by {share:.1g} of "
        "another, so what it tells may not have been seen: give the difference of such columns as "
        "a column, in place of one of them"
    )
