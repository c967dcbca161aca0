"""Numbers that stand for a missing value, such as -999: recognised by where they stand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_REPEATS = 3
LEAST_OTHERS = 20  # different values beside it: codes and counts have fewer
APART = 1.0  # least distance to the next value, in ranges of the others
APART_CODE = 0.25  # the same, for a number of nines alone: -99, 9999
_CODE = re.compile(r"-?9+(\.[09]+)?")


def sentinel(column: NDArray[Any]) -> tuple[float, int] | None:
    """A value that repeats at one end of a column and stands apart from all others.

    Args:
        column: (n,) float64; nan where a value is missing.

    Returns:
        The value and how often it stands there; None where there is none.
    """
    if not len(column):
        return None
    for value in (np.nanmin(column), np.nanmax(column)) if not np.isnan(column).all() else ():
        is_value = column == value
        count = int(is_value.sum())
        if count < LEAST_REPEATS or not np.isfinite(value):
            continue
        others = column[~is_value & ~np.isnan(column)]
        if len(others) < LEAST_OTHERS:
            continue
        low, high = others.min(), others.max()
        gap = low - value if value < low else value - high
        least = APART_CODE if _CODE.fullmatch(f"{value:.15g}") else APART
        if gap > least * (high - low) and len(np.unique(others[:10_000])) >= LEAST_OTHERS:
            return float(value), count
    return None
