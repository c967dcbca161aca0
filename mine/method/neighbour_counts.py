"""The neighbour counts of KSG, exact: by k-d trees, or by all distances on a CPU or a device.

eps_i is the distance of row i to its k-th neighbour in the joint space, under the maximum norm
over all columns of x and y. n_x (n_y) counts the other rows whose distance in x (in y) alone is
strictly below eps_i. On the CPU, k-d trees count where they are faster. Else all N^2 distances are
computed in float32, and each row whose count the rounding could change is done again in float64:
both ways count the same. On a torch device all distances are computed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from mine.data.dependence import Dependence

Columns = NDArray[np.float64]  # (d, N): a column of the data is a contiguous row
Counts = NDArray[np.int64]  # (N,)

TILE = 2**17  # elements of a buffer on the CPU: three of them stay in a core's cache
DEVICE_TILE = 2**25
BAND = 2.0**-20  # bounds the rounding of two float32 distances of values in [-1, 1], with a margin


def neighbour_counts(
    xs: Columns, ys: Columns, k: int, device: str, workers: int
) -> tuple[Counts, Counts]:
    """n_x and n_y, by the faster road."""
    if device != "cpu":
        return _all_pairs_torch(xs, ys, k, device)
    if _tree_is_faster(xs.shape[1], len(xs) + len(ys)):
        return _tree(xs, ys, k, workers)
    return _all_pairs(xs, ys, k, workers)


def counts_among_others(
    xs: Columns, ys: Columns, k: int, dependence: Dependence
) -> tuple[Counts, Counts, Counts]:
    """n_x and n_y among the rows that a row does not hang together with; how many these are.

    Raises:
        ValueError: a row has no more than k of them.
    """
    n = xs.shape[1]
    size = max(1, 4 * TILE // n)
    buffers = [np.empty((size, n)) for _ in range(3)]
    found = []
    for start in range(0, n, size):
        rows = np.arange(start, min(start + size, n))
        dx, dy, spare = (buffer[: len(rows)] for buffer in buffers)
        _max_norm(np, xs, rows, dx, spare)
        _max_norm(np, ys, rows, dy, spare)
        hidden = dependence.together(rows, n)
        dx[hidden] = dy[hidden] = np.inf
        np.maximum(dx, dy, out=spare)
        eps = np.partition(spare, k - 1, axis=1)[:, k - 1 : k]
        found.append([(dx < eps).sum(1), (dy < eps).sum(1), n - hidden.sum(1)])
    nx, ny, others = np.concatenate(found, 1)
    if others.min() <= k:
        raise ValueError(
            f"expected more than k = {k} rows that a row does not hang together with, got "
            f"{others.min()}: bring more groups, or more rows"
        )
    return nx, ny, others


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
    if points.shape[1] == 1:
        return _line_count(points[:, 0], radius)
    count = cKDTree(points, leafsize=32).query_ball_point(
        points, radius, p=np.inf, workers=workers, return_length=True
    )
    return np.asarray(count, np.int64) - 1


def _line_count(column: NDArray[np.float64], radius: NDArray[np.float64]) -> Counts:
    """The same of one column, from its order: some twenty times faster than a tree."""
    order = np.argsort(column)
    v, r = column[order], radius[order]
    first, end = np.searchsorted(v, v - r, "left"), np.searchsorted(v, v + r, "right")
    # These two bounds are rounded; what counts is the distance, as the tree computes it.
    last = len(v) - 1
    while (more := (first > 0) & (v - v[first - 1] <= r)).any():
        first -= more
    while (less := v - v[first] > r).any():
        first += less
    while (more := (end <= last) & (v[np.minimum(end, last)] - v <= r)).any():
        end += more
    while (less := v[end - 1] - v > r).any():
        end -= less
    found = np.empty(len(v), np.int64)
    found[order] = end - first - 1
    return found


# All pairs, a tile of rows at a time. On a device the tensors are torch's; on the CPU they are
# numpy's, which has the same calls. On one thread numpy is as fast as torch (.17 and .19 s for 20
# columns of 5,000); torch on two threads took .9 to 5 s where other processes shared the cores.


def _all_pairs(xs: Columns, ys: Columns, k: int, workers: int) -> tuple[Counts, Counts]:
    """n_x and n_y from all distances on the CPU, with the rows divided among threads."""
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
    """The columns, centred, and all divided by one number, so that values are in [-1, 1]."""
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
    """Distance of the k-th neighbour, (M, 1), given all (M, N). It may reorder these."""
    if lib is np:
        distance.partition(k, axis=1)  # place 0 is the row itself
        return distance[:, k : k + 1]
    return distance.kthvalue(k + 1, 1, keepdim=True).values
