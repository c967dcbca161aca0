"""Columns of mean 0 and variance 1, and the linear map that makes covariances the identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mine.data.shared_work import once_a_column

Rows = NDArray[np.float64]

RANK = 1e-10  # share of the largest eigenvalue: below it, a direction repeats the others


def whitening(covariance: Rows) -> Rows:
    """W with W^T C W the identity, C (d, d); directions without variance are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK * values[-1]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


@once_a_column
def standardised(v: Rows) -> Rows:
    """The columns of v, (n, d) or (n,), less their means, in their standard deviations.

    A constant column is 0.
    """
    # In units of a power of two for each column: 1e300 has a square, and no bit changes.
    v = np.ldexp(v, -np.frexp(np.abs(v).max(0))[1])
    deviation = v.std(0)
    return np.asarray((v - v.mean(0)) / np.where(deviation > 0, deviation, 1.0))
