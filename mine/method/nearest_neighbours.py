r"""KSG: the k-nearest-neighbour estimate of I(X; Y), in nats, that MINE is compared with.

Estimator 1 of Kraskov, Stoegbauer and Grassberger, "Estimating mutual information", Physical
Review E 69, 066138 (2004), https://doi.org/10.1103/PhysRevE.69.066138, Eq. 8:

    I = psi(k) + psi(N) - < psi(n_x + 1) + psi(n_y + 1) >.

eps_i is the distance of row i to its k-th neighbour in the joint space, under the maximum norm
over all columns of x and y; n_x (n_y) counts the other rows whose distance in x (in y) alone is
strictly below eps_i. Distances mix the columns as they come: give them comparable units.

No value exceeds psi(N) - psi(k), about log(N / k), and in high dimension the estimate falls short
long before that: for 20-D Gaussians of 2.88 nats, N = 10,000 gives 0.79. The neighbours are exact:
k-d trees where they are faster, else all N^2 distances, in float32 with each row that its rounding
could change done again in float64, so that both roads count the same.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma

if TYPE_CHECKING:
    import torch

Columns = NDArray[np.float64]  # (d, N): a column of the data is a contiguous row
Counts = NDArray[np.int64]  # (N,)


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
HIGH_DIMENSION = 10  # columns of x and y together

TILE = 2**17  # elements of a buffer on the CPU: three of them stay in a core's cache
DEVICE_TILE = 2**25
BAND = 2.0**-20  # bounds the rounding of two float32 distances of values in [-1, 1], with a margin


def ksg(
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    k: int = 3,
    seed: int = 0,
    device: str | torch.device = "cpu",
    workers: int = -1,
) -> KsgResult:
    """Kraskov's first estimator of I(X; Y).

    Args:
        x: shape (N, dx), or (N,) for one column; numpy or torch.
        y: shape (N, dy) or (N,).
        k: neighbours; small k has less bias and more variance.
        seed: of the jitter, which is drawn only where values are tied.
        device: "cpu", or a torch device, on which all distances are computed.
        workers: threads on the CPU, -1 for one a core; the result does not depend on it.
    """
    xs, ys = _columns("x", x), _columns("y", y)
    n = _check(xs, ys, k)
    xs, ys, ties, warnings = _break_ties(xs, ys, seed)
    nx, ny = _neighbours(xs, ys, k, str(device), workers if workers > 0 else os.cpu_count() or 1)
    local = digamma(k) + digamma(n) - digamma(nx + 1) - digamma(ny + 1)
    nats = float(local.mean())
    stderr = INFLATION * float(local.std(ddof=1)) / math.sqrt(n)
    return KsgResult(nats, stderr, ties, warnings + _limits(nats, n, k, len(xs) + len(ys)))


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


# Input


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
        # Centred, for jitter would be lost in the rounding of values far from 0.
        both[c] -= ordered[c, 0] / 2 + ordered[c, -1] / 2
        both[c] += JITTER * np.median(gaps[gaps > 0]) * rng.uniform(-1, 1, n)
    warning = (
        f"tied values in {len(shaken)} of {len(both)} columns ({100 * ties / n:.2g} % of the "
        f"worst), {repeated} repeated rows: KSG assumes continuous variables, so seeded jitter of "
        f"{JITTER:g} of the values' gaps was added"
    )
    return both[: len(xs)], both[len(xs) :], ties, (warning,)


# Neighbours


def _neighbours(
    xs: Columns, ys: Columns, k: int, device: str, workers: int
) -> tuple[Counts, Counts]:
    """n_x and n_y, by the faster road."""
    if device != "cpu":
        return _all_pairs_torch(xs, ys, k, device)
    if _tree_is_faster(xs.shape[1], len(xs) + len(ys)):
        return _tree(xs, ys, k, workers)
    return _all_pairs(xs, ys, k, workers)


def _tree_is_faster(n: int, dim: int) -> bool:
    # Seconds of the tree and of all pairs on one core (Xeon, AVX-512), Gaussians, rho 0.5, k = 3:
    #   columns      N = 2,000      N = 5,000      N = 10,000     N = 20,000
    #      4        .028   .032    .101   .128    .24    .59      .61   2.2
    #      6        .063   .037    .25    .15     .64    .60     1.6    2.7
    #      8        .113   .043    .51    .16    1.35    .66     3.6    2.8
    #     10        .176   .047    .89    .20    2.45    .75     6.7    3.1
    #     40                              .43           2.0
    # They cross near N = 2,500, 10,000 and 40,000 for 4, 6 and 8 columns.
    return n > 160 * 2**dim


def _tree(xs: Columns, ys: Columns, k: int, workers: int) -> tuple[Counts, Counts]:
    """n_x and n_y by k-d trees."""
    joint = np.concatenate([xs, ys]).T
    distance, _ = cKDTree(joint).query(joint, [k + 1], p=np.inf, workers=workers)
    # The largest float below eps turns the tree's "at most" into "strictly below".
    inside = np.nextafter(distance[:, 0], 0)
    return _tree_count(xs.T, inside, workers), _tree_count(ys.T, inside, workers)


def _tree_count(points: Columns, radius: NDArray[np.float64], workers: int) -> Counts:
    count = cKDTree(points, leafsize=32).query_ball_point(
        points, radius, p=np.inf, workers=workers, return_length=True
    )
    return np.asarray(count, np.int64) - 1


# All pairs, a tile of rows at a time. On a device the tensors are torch's; on the CPU they are
# numpy's, whose calls are the same: as fast as torch on one thread (.17 and .19 s for 20 columns
# of 5,000), while torch on two threads took .9 to 5 s where other processes shared the cores.


def _all_pairs(xs: Columns, ys: Columns, k: int, workers: int) -> tuple[Counts, Counts]:
    """n_x and n_y from all distances on the CPU, the rows shared out to threads."""
    n = xs.shape[1]
    unit = _unit_float32(xs, ys)
    blocks = np.array_split(np.arange(n), max(1, min(workers, n * n // TILE)))
    with ThreadPoolExecutor(len(blocks)) as pool:
        counts = list(pool.map(lambda rows: _count(np, unit, (xs, ys), rows, k), blocks))
    nx, ny = np.concatenate(counts, 1)
    return nx, ny


def _all_pairs_torch(xs: Columns, ys: Columns, k: int, device: str) -> tuple[Counts, Counts]:
    """n_x and n_y from all distances on a torch device."""
    import torch

    try:
        rows = torch.arange(xs.shape[1], device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"expected a device that is there, got {device!r} ({str(error).splitlines()[0]}): "
            "take 'cpu'"
        ) from error
    x32, y32, x64, y64 = (torch.from_numpy(a).to(device) for a in (*_unit_float32(xs, ys), xs, ys))
    nx, ny = _count(torch, (x32, y32), (x64, y64), rows, k).cpu().numpy()
    return nx, ny


def _unit_float32(xs: Columns, ys: Columns) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The columns centred and divided by one number for all, so that values are in [-1, 1]."""
    both = np.concatenate([xs, ys])
    low, high = both.min(1, keepdims=True), both.max(1, keepdims=True)
    both -= low / 2 + high / 2
    both /= (high / 2 - low / 2).max()
    unit = both.astype(np.float32)
    return unit[: len(xs)], unit[len(xs) :]


def _count(lib: Any, unit: Any, exact: Any, rows: Any, k: int) -> Any:
    """n_x and n_y, stacked (2, M), of M of the N rows.

    Args:
        lib: numpy or torch.
        unit: x and y as float32 columns in [-1, 1], (dx, N) and (dy, N).
        exact: the same as float64 columns, for the rows that rounding leaves open.
        rows: indices, (M,).
        k: neighbours.
    """
    count = _count_below(lib, unit, rows, k, BAND)
    # One distance is always within the band, that of the k-th neighbour itself.
    unsure = count[2] != 1
    if unsure.any():
        count[:, unsure] = _count_below(lib, exact, rows[unsure], k, 0.0)
    return count[:2] - 1


def _count_below(lib: Any, pair: Any, rows: Any, k: int, band: float) -> Any:
    """Of a row's N distances, those below eps - band in x, in y, and within the band: (3, M)."""
    xs, ys = pair
    n, m = xs.shape[1], len(rows)
    size = min(m, max(1, (TILE if lib is np else DEVICE_TILE) // n))
    space = {"dtype": xs.dtype} if lib is np else {"dtype": xs.dtype, "device": xs.device}
    buffers = [lib.empty((size, n), **space) for _ in range(3)]
    counts = []
    for start in range(0, m, size):
        tile = rows[start : start + size]
        dx, dy, spare = (buffer[: len(tile)] for buffer in buffers)
        _max_norm(lib, xs, tile, dx, spare)
        _max_norm(lib, ys, tile, dy, spare)
        lib.maximum(dx, dy, out=spare)
        eps = _kth_neighbour(lib, spare, k)
        low, high = eps - band, eps + band
        nx, ny = lib.count_nonzero(dx < low, 1), lib.count_nonzero(dy < low, 1)
        upto = lib.count_nonzero(dx <= high, 1) + lib.count_nonzero(dy <= high, 1)
        counts.append(lib.stack((nx, ny, upto - nx - ny)))
    return lib.concatenate(counts, 1)


def _max_norm(lib: Any, columns: Any, rows: Any, out: Any, spare: Any) -> None:
    """out[i, j] = max_c |columns[c, rows[i]] - columns[c, j]|, without a (rows, N, d) cube."""
    for c, column in enumerate(columns):
        target = spare if c else out
        lib.subtract(column[rows][:, None], column, out=target)
        lib.abs(target, out=target)
        if c:
            lib.maximum(out, target, out=out)


def _kth_neighbour(lib: Any, distance: Any, k: int) -> Any:
    """Distance of the k-th neighbour, (M, 1), given all (M, N), which it may reorder."""
    if lib is np:
        distance.partition(k, axis=1)  # place 0 is the row itself
        return distance[:, k : k + 1]
    return distance.kthvalue(k + 1, 1, keepdim=True).values
