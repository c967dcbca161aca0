r"""The entropy of a discrete variable from counts, in nats, with its bias corrected.

The plug-in estimate of n rows, -sum_i (n_i / n) log(n_i / n), is too small, by about
(K - 1) / (2 n) for K levels: that is what Miller's and Madow's correction adds, for the levels
that were seen (Miller, 1955; Paninski, 2003, https://doi.org/10.1162/089976603321780272, Sec. 4).
Chao, Wang and Jost (2013, https://doi.org/10.1111/2041-210X.12108, Eq. 6) also count levels that
were not seen, by the f_1 levels with one row and the f_2 with two:

    H = sum_i (n_i / n) (psi(n) - psi(n_i)) + (f_1 / n) sum_{j>=0} (1 - A)^(j+1) / (n + j),
    A = 2 f_2 / ((n - 1) f_1 + 2 f_2),    or 2 / ((n - 1) (f_1 - 1) + 2) for f_2 = 0.

The second sum is their (1 - A)^(1-n) (-log A - sum_{r<n} (1 - A)^r / r) without its cancellation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, xlogy

from mine.data.shared_work import once_a_column

PLUG_IN, MILLER_MADOW, CHAO_WANG_JOST = 0, 1, 2
CORRECTIONS = (PLUG_IN, MILLER_MADOW, CHAO_WANG_JOST)

Counts = NDArray[np.intp]
Values = NDArray[np.float64]

_STEP = 0.1
_S = np.exp(np.arange(-60.0, 5.0, _STEP))  # nodes of `_unseen`'s integral, even in log s


@dataclass(frozen=True)
class LabelEntropy:
    """The entropy of a discrete variable, which no information about it exceeds.

    Attributes:
        nats: the estimate.
        stderr: its standard error (jackknife), in nats.
        most: log of the number of levels, where no level has a single row; else infinity.
    """

    nats: float
    stderr: float
    most: float


@once_a_column
def entropy(counts: Counts, correction: int = CHAO_WANG_JOST) -> float:
    """The entropy of counts (K,) by one of `CORRECTIONS`, in nats."""
    counts = counts[counts > 0]
    return float(_entropies(counts, np.zeros(1, np.intp), correction)[0])


@once_a_column
def without_one(counts: Counts, correction: int = CHAO_WANG_JOST) -> Values:
    """The entropy without one row of each level, (K,), for counts > 0: for the jackknife."""
    kinds, of = np.unique(counts, return_inverse=True)
    return _entropies(counts, kinds, correction)[of]


@once_a_column
def label_entropy(codes: Counts) -> LabelEntropy:
    """The entropy of a label, whose level in each row is given, (n,)."""
    counts = np.bincount(codes)
    most = math.log(len(counts)) if counts.min() > 1 else math.inf
    return LabelEntropy(min(entropy(counts), most), jackknife(without_one(counts)[codes])[1], most)


def jackknife(left_out: Values) -> tuple[float, float]:
    """Mean and standard error of the estimates without row i, (n,) (Efron and Stein, 1981)."""
    n = len(left_out)
    return float(left_out.mean()), math.sqrt((n - 1) * float(left_out.var()))


def _entropies(counts: Counts, less: Counts, correction: int) -> Values:
    """The entropy where a level of this count has one row less, (K,); 0 for all rows."""
    n = counts.sum() - (less > 0)
    if correction != CHAO_WANG_JOST:
        left = np.maximum(less - 1, 0)
        total = xlogy(counts, counts).sum() - xlogy(less, less) + xlogy(left, left)
        found = np.log(n) - total / n
        seen = len(counts) - (less == 1)
        return np.asarray(found + (seen - 1) / (2 * n) if correction == MILLER_MADOW else found)
    f1 = (counts == 1).sum() - (less == 1) + (less == 2)
    f2 = (counts == 2).sum() - (less == 2) + (less == 3)
    total = _x_psi(counts).sum() - _x_psi(less) + _x_psi(less - 1)
    return np.asarray(digamma(n) - total / n + f1 / n * _unseen(n, f1, f2))


def _x_psi(counts: Counts) -> Values:
    return np.where(counts > 0, counts * digamma(np.maximum(counts, 1)), 0.0)


def _unseen(n: Counts, f1: Counts, f2: Counts) -> Values:
    """sum_{j>=0} z^(j+1) / (n + j) = (z / n) int_0^inf e^-s / (1 - z e^(-s/n)) ds, z = 1 - A."""
    a = np.where(
        f2 > 0,
        2 * f2 / np.maximum((n - 1) * f1 + 2 * f2, 1),
        2 / ((n - 1) * np.maximum(f1 - 1, 0) + 2),
    )[:, None]
    z, n = 1.0 - a, n[:, None]
    inner = _S * np.exp(-_S) / (a - z * np.expm1(-_S / n))
    return np.asarray((z / n * inner).sum(1) * _STEP)
