r"""KSG: the k-nearest-neighbour estimate of I(X; Y), in nats. It needs no torch.

Estimator 1 of Kraskov, Stoegbauer and Grassberger, "Estimating mutual information", Physical
Review E 69, 066138 (2004), https://doi.org/10.1103/PhysRevE.69.066138, Eq. 8:

    I = psi(k) + psi(N) - < psi(n_x + 1) + psi(n_y + 1) >.

eps_i is the distance of row i to its k-th neighbour in the joint space, under the maximum norm
over all columns of x and y; n_x (n_y) counts the other rows whose distance in x (in y) alone is
strictly below eps_i. Distances mix the columns as given: give them comparable units.

No value exceeds psi(N) - psi(k), about log(N / k), and in high dimension the estimate falls short
long before that: for 20-D Gaussians of 2.88 nats, N = 10,000 gives 0.79. The neighbours are exact
(`mine.method.neighbour_counts`).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from mine.method.neighbour_counts import Columns, counts_among_others, neighbour_counts

if TYPE_CHECKING:
    import torch

    from mine.data.dependence import Clusters, Dependence


@dataclass(frozen=True)
class KsgResult:
    """An estimate of I(X; Y).

    Attributes:
        nats: the estimate; negative values are sampling error.
        stderr: its sampling error, in nats, good to some 20 % at k = 3 and N >= 600: the standard
            deviation of the N local terms over sqrt(N), times `INFLATION`, for the terms share
            neighbours. The bias, which dominates in high dimension, is not in it.
        ties: values that repeat another value of their column, in the column with the most.
        warnings: what a reader of the number should know.
    """

    nats: float
    stderr: float
    ties: int
    warnings: tuple[str, ...]


# Measured: the standard deviation of the estimate over repeats, divided by that of the local terms
# over sqrt(N). At k = 3 and N = 600 to 4,000 it is 1.0 to 1.4 over ten distributions (Gaussians of
# 1, 2, 5 and 20 dimensions, noise channels). It grows with k / N: 1.2 to 1.5 at k = 3, N = 300;
# 1.3 to 1.6 at k = 10, N = 1,000; 2 at k = 30, N = 300. Ten disjoint subsamples (Holmes and
# Nemenman 2019, https://doi.org/10.1103/PhysRevE.100.022404) fell as short as the bare local
# terms; the delete-one jackknife came out 1.2 to 1.6 times too large.
INFLATION = 1.3

TIED_FRACTION = 0.01  # of a column; samples in float32 coincide by chance, but more rarely
JITTER = 1e-6  # of the median gap between a column's distinct values
FEW_CLUSTERS = 100  # groups, or blocks of a series
HIGH_DIMENSION = 10  # columns of x and y together


def ksg(
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    k: int = 3,
    seed: int = 0,
    device: str | torch.device = "cpu",
    workers: int = -1,
    dependence: Dependence | None = None,
) -> KsgResult:
    """Kraskov's first estimator of I(X; Y).

    Args:
        x: shape (N, dx), or (N,) for one column; numpy or torch.
        y: shape (N, dy) or (N,).
        k: neighbours; small k has less bias and more variance.
        seed: of the jitter, which is drawn only where values are tied.
        device: "cpu", or a torch device, on which all distances are computed.
        workers: threads on the CPU, -1 for one a core; the result does not depend on it.
        dependence: how rows hang together. Rows that do are no neighbours (Theiler, 1986,
            https://doi.org/10.1103/PhysRevA.34.2427), and the error is of clusters.
    """
    xs, ys = _columns("x", x), _columns("y", y)
    n = _check(xs, ys, k)
    xs, ys, ties, warnings = _break_ties(xs, ys, seed)
    threads = workers if workers > 0 else os.cpu_count() or 1
    if dependence is None:
        nx, ny = neighbour_counts(xs, ys, k, str(device), threads)
        local = digamma(k) + digamma(n) - digamma(nx + 1) - digamma(ny + 1)
        stderr = INFLATION * float(local.std(ddof=1)) / math.sqrt(n)
    else:
        local, stderr, few = _among_others(xs, ys, k, dependence)
        warnings += few
    nats = float(local.mean())
    return KsgResult(nats, stderr, ties, warnings + _limits(nats, n, k, len(xs) + len(ys)))


def _among_others(
    xs: Columns, ys: Columns, k: int, dependence: Dependence
) -> tuple[NDArray[np.float64], float, tuple[str, ...]]:
    """The local terms of rows that hang together, the value's error, and warnings."""
    nx, ny, others = counts_among_others(xs, ys, k, dependence)
    local = digamma(k) + digamma(others + 1) - digamma(nx + 1) - digamma(ny + 1)
    clusters = dependence.of_all(xs.shape[1])
    # Where few rows are independent the value lies too low, and below 0 it shows by how much.
    shortfall = min(0.0, float(local.mean()))
    error = math.hypot(INFLATION * _clustered_error(local, clusters), shortfall)
    few = (
        f"{clusters.count} groups or blocks: KSG falls short where few rows are independent, by "
        "more than its standard error says: take auto or gaussian_copula"
    )
    return local, error, (few,) * (clusters.count < FEW_CLUSTERS)


def _clustered_error(local: NDArray[np.float64], clusters: Clusters) -> float:
    sums = np.bincount(clusters.index.numpy(), local - local.mean())
    return clusters.widening * math.sqrt(clusters.factor * float((sums**2).sum())) / len(local)


def _limits(nats: float, n: int, k: int, dim: int) -> tuple[str, ...]:
    warnings = []
    if dim >= HIGH_DIMENSION:
        warnings.append(
            f"{dim} columns: KSG falls short in high dimension, and its standard error does not "
            "cover that"
        )
    ceiling = float(digamma(n) - digamma(k))
    if nats > ceiling - 1:
        warnings.append(
            f"{nats:.2f} nats is within 1 nat of KSG's ceiling psi(N) - psi(k) = {ceiling:.2f}: "
            "take more rows"
        )
    return tuple(warnings)


# ------------------------------------------------------------------ input


def _columns(name: str, value: Any) -> Columns:
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if array.ndim not in (1, 2) or 0 in array.shape or array.dtype.kind not in "fiub":
        raise ValueError(
            f"expected {name} as real numbers of shape (N, d{name}) or (N,), got {array.dtype} of "
            f"shape {array.shape}: make it one row a sample"
        )
    columns = np.ascontiguousarray(array.reshape(len(array), -1).T, dtype=np.float64)
    if not np.isfinite(columns).all():
        raise ValueError(
            f"expected finite values, got {int((~np.isfinite(columns)).sum())} nan or infinite in "
            f"{name}: drop or impute those rows"
        )
    return columns


def _check(xs: Columns, ys: Columns, k: int) -> int:
    n = xs.shape[1]
    if ys.shape[1] != n:
        raise ValueError(
            f"expected x and y of equal length, got {n} and {ys.shape[1]} rows: row i of x pairs "
            "with row i of y"
        )
    if n < 2:
        raise ValueError(f"expected at least 2 rows, got {n}: pass arrays of one row a sample")
    if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k < n:
        raise ValueError(
            f"expected an integer k with 1 <= k < N = {n}, got {k!r}: take a smaller k, e.g. 3, "
            "or more rows"
        )
    for name, columns in (("x", xs), ("y", ys)):
        constant = np.flatnonzero(columns.min(1) == columns.max(1)).tolist()
        if constant:
            raise ValueError(
                f"expected columns that vary, got constant columns {constant} in {name}: drop "
                "them, they carry no information"
            )
    return n


def _break_ties(
    xs: Columns, ys: Columns, seed: int
) -> tuple[Columns, Columns, int, tuple[str, ...]]:
    """Adds jitter to the columns that have many tied values, to all of them where rows repeat."""
    both = np.concatenate([xs, ys])
    n = both.shape[1]
    ordered = np.sort(both, axis=1)
    tied = (ordered[:, 1:] == ordered[:, :-1]).sum(1)
    # A repeated row is a tie in every column, so most data are spared this sort.
    repeated = n - np.unique(both, axis=1).shape[1] if tied.min() > 0 else 0
    shaken = np.flatnonzero((tied > TIED_FRACTION * n) | (repeated > 0))
    ties = int(tied.max())
    if not len(shaken):
        return xs, ys, ties, ()
    rng = np.random.default_rng(seed)
    for c in shaken:
        gaps = np.diff(ordered[c])
        # Centred: far from 0, jitter would be lost in the rounding of the values.
        both[c] -= ordered[c, 0] / 2 + ordered[c, -1] / 2
        both[c] += JITTER * np.median(gaps[gaps > 0]) * rng.uniform(-1, 1, n)
    rows = f", and {repeated} rows repeat" * bool(repeated)
    share = 100 * ties / n
    warning = (
        f"tied values in {len(shaken)} of {len(both)} columns, in the worst one "
        f"{share:.{2 if share < 10 else 3}g} %{rows}: KSG assumes continuous variables, so "
        f"seeded jitter of {JITTER:g} of the values' gaps was added; that does no harm to rounded "
        "values, but levels need another method"
    )
    return both[: len(xs)], both[len(xs) :], ties, (warning,)
