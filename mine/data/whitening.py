"""The linear map that makes the covariance of columns the identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

RANK = 1e-10  # share of the largest eigenvalue: below it, a direction repeats the others


def whitening(covariance: Rows) -> Rows:
    """W with W^T C W the identity, C (d, d); directions without variance are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK * values[-1]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))
