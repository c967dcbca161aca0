r"""How long the rows of a series hang together: the autocorrelation time of products of x and y.

For independent series of n rows the mean of f(x) g(y) has the variance of n / tau rows that are
independent, where

    tau = 1 + 2 sum_k rho_f(k) rho_g(k)

(Bartlett, 1946, https://doi.org/10.2307/2983611): both sides must hang together for chance to look
like information. The sum ends at the first lag W >= 5 tau(W) (Sokal, 1997,
https://doi.org/10.1007/978-1-4899-0319-8_6). f and g are the normal scores of a column and their
sizes: a series of shocks may be white, and their sizes not. A sample's autocorrelations are too
small, since its mean is taken off; with tau_f of the series alone this is about tau_f / n, which
is added back.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mine.data.ranks import normal_scores
from mine.data.timed import TIMES

Series = NDArray[np.float64]
WINDOW = 5.0
COLUMNS = 20  # of each side that are looked at, evenly spread


def block_length(x: Tensor, y: Tensor) -> int:
    """`TIMES` autocorrelation times, rounded up, of x (n, dx) and y (n, dy)."""
    return math.ceil(TIMES * autocorrelation_time(x, y))


def autocorrelation_time(x: Tensor, y: Tensor) -> float:
    """tau, in rows, at least 1, of the slowest pair of columns."""
    of_x, of_y = ([_autocorrelations(s) for v in columns_of(t) for s in scores(v)] for t in (x, y))
    return max(1.0, *(_time(a * b) for a, b in product(of_x, of_y)))


def time_of(v: Series) -> float:
    """1 + 2 sum_k rho(k) of one series, in rows, by the sample's autocorrelations."""
    return _time(sample_autocorrelations(v))


def scores(column: Series) -> tuple[Series, Series]:
    """The normal scores of a column's ranks, and their sizes."""
    normal = normal_scores(column)
    return normal, np.abs(normal)


def columns_of(v: Tensor) -> list[Series]:
    """At most `COLUMNS` of the columns of v (n, d)."""
    table = v.detach().cpu().double().numpy()
    d = table.shape[1]
    chosen = range(d) if d <= COLUMNS else np.linspace(0, d - 1, COLUMNS).astype(int)
    return [table[:, i] for i in chosen]


def sample_autocorrelations(v: Series) -> Series:
    """Of n rows at lags 0, 1, ..., n - 1; of equal values as if they were independent."""
    n = len(v)
    centred = v - v.mean()
    if float(centred @ centred) <= 1e-12 * float(v @ v):  # sizes of two equally frequent values
        return np.eye(1, n)[0]
    covariance = np.fft.irfft(np.abs(np.fft.rfft(centred, 2 * n)) ** 2)[:n]
    return np.asarray(covariance / covariance[0])


def _autocorrelations(v: Series) -> Series:
    """The sample's, with what they lack added back."""
    n, rho = len(v), sample_autocorrelations(v)
    found = rho
    for _ in range(3):
        lacking = min(_time(found) / n, 0.5)
        found = rho * (1.0 - lacking) + lacking
    return found


def _time(rho: Series) -> float:
    times = 2.0 * np.cumsum(rho) - 1.0
    enough = np.arange(len(rho)) >= WINDOW * times
    return max(1.0, float(times[np.argmax(enough)] if enough.any() else times[-1]))
