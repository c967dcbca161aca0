"""Ranks of values, and their normal scores.

`scipy.stats.rankdata` gives the same ranks; importing it takes longer than most estimates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Values = NDArray[np.float64]


def middle_ranks(column: Values) -> Values:
    """The rank of each value (n,), from 1; equal values share their middle rank."""
    _, group, counts = np.unique(column, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[group]


def normal_scores(v: Values) -> Values:
    """The normal quantiles of the ranks of a column (n,), or of each column (n, d)."""
    ranks = np.empty(v.shape)
    for column, of in zip(v.reshape(len(v), -1).T, ranks.reshape(len(v), -1).T, strict=True):
        of[:] = middle_ranks(column)
    return np.asarray(ndtri(ranks / (len(v) + 1)))
