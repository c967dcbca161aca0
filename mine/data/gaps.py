"""Rows that are left out of a series: those between others make gaps in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAPS = (
    "expected a series without gaps, got missing values between other rows, and rows of a series "
    "are equally spaced: fill them in, or take a stretch without any"
)
"""The error of a series that has gaps."""


def has_gaps(kept: NDArray[np.bool_]) -> bool:
    """Whether some rows are left out between those that are kept, (n,)."""
    places = np.flatnonzero(kept)
    return len(places) > 0 and bool(places[-1] - places[0] >= len(places))
