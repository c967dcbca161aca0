r"""The Gaussian estimate of I(X; Y), in nats: what canonical correlations alone tell.

For jointly normal X and Y,

    I = 1/2 log(det S_x det S_y / det S) = -1/2 sum_i log(1 - rho_i^2),

S the covariance of the pair and rho_i the canonical correlations (Hotelling, 1936; Cover and
Thomas, Sec. 8.4). With sample covariances of N rows the value is too large, by about
dx dy / (2 N); for normal data E[log det] is known exactly,

    E[log det S_N] = log det S + sum_{i<d} psi((nu - i) / 2) - d log(nu / 2),    nu = N - 1,

and what it adds to I is taken off (Misra et al., 2005, https://doi.org/10.1016/j.jmva.2003.10.003),
so that the estimate is unbiased. Where there are fewer than `ROWS_A_COLUMN` rows for each column,
the correlations are shrunk towards 0 by the analytic weight of Schaefer and Strimmer (2005,
https://doi.org/10.2202/1544-6115.1175). That estimate is biased towards 0, and a warning says so.

For other distributions it is neither bound: with normal marginals I is at least this value,
without them the value can be above I. `gaussian_copula` first replaces the columns by the normal
quantiles of their ranks (Ince et al., 2017, https://doi.org/10.1002/hbm.23471), so that monotone
maps of the columns change nothing. Both train nothing.

Where rows hang together, chance adds more: the excess above is multiplied by the variance of the
correlations over clusters, divided by that of independent rows, and errors are of clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from mine.data.dependence import Clusters
from mine.data.levels import ROWS_A_LEVEL, codes_of
from mine.data.ranks import normal_scores
from mine.data.shared_work import once_a_column
from mine.data.whitening import RANK, Rows, standardised, whitening
from mine.method.doubts import Doubt, of_normal_law, of_scores, of_table, some_rows
from mine.method.method import NEITHER, Method, direct_method, sorting_work
from mine.method.plugin import plugin

if TYPE_CHECKING:
    import torch

ROWS_A_COLUMN = 3
ONE_ROW = 0.9  # of a column's variance: with more in one row, the others say nothing
_ONE = 1.0 - 1e-12  # a canonical correlation above is 1


@dataclass(frozen=True)
class GaussianResult:
    """An estimate of I(X; Y) from second moments.

    Attributes:
        nats: the estimate; negative values are sampling error.
        stderr: its standard error, in nats, from the spread of the fitted log-ratio over rows; it
            holds for other distributions than the normal, too. It is a quarter too large where X
            and Y are independent single columns.
        correlations: the sample's canonical correlations, largest first.
        shrinkage: the weight that the correlations lost; 0 where they were not shrunk.
        warnings: what a reader of the number should know.
    """

    nats: float
    stderr: float
    correlations: tuple[float, ...]
    shrinkage: float
    warnings: tuple[str, ...]


def gaussian(
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    clusters: Clusters | None = None,
) -> GaussianResult:
    """I(X; Y) as if (X, Y) were normal. x (N, dx) and y (N, dy), numpy or torch.

    The clusters say which rows hang together; None where they do not.
    """
    return _estimate(_columns("x", x), _columns("y", y), clusters)


def gaussian_copula(
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    clusters: Clusters | None = None,
) -> GaussianResult:
    """`gaussian` of the columns' normal scores: as if (X, Y) had a Gaussian copula."""
    a, b = _scores(_columns("x", x)), _scores(_columns("y", y))
    return _estimate(a, b, clusters)


def _columns(name: str, v: Any) -> Rows:
    rows = np.asarray(v.detach().cpu() if hasattr(v, "detach") else v, dtype=np.float64)
    if rows.ndim != 2 or not _are_finite(rows):
        raise ValueError(
            f"{name} must be finite numbers of shape (rows, columns), got shape {rows.shape} with "
            f"{int((~np.isfinite(rows)).sum())} values that are not finite: drop or impute those"
        )
    return rows


@once_a_column
def _are_finite(rows: Rows) -> bool:
    return bool(np.isfinite(rows).all())


@once_a_column
def _scores(rows: Rows) -> Rows:
    return normal_scores(rows)


def _estimate(x: Rows, y: Rows, clusters: Clusters | None) -> GaussianResult:
    if len(x) != len(y):
        raise ValueError(
            f"x and y must pair up row by row, got {len(x)} and {len(y)} rows: "
            "drop the rows that one of them lacks"
        )
    n = len(x)
    zx, zy = standardised(x), standardised(y)
    doubts = _outweighed(zx, zy)
    shrinkage = 0.0
    if n < ROWS_A_COLUMN * (zx.shape[1] + zy.shape[1]):
        shrinkage = _shrinkage(np.concatenate([zx, zy], 1))
    white = _white_of_few_rows if n < max(zx.shape[1], zy.shape[1]) else _white
    wx, wy = (white(z, shrinkage) for z in (zx, zy))
    u, correlations, v = np.linalg.svd((1.0 - shrinkage) * wx.T @ wy / n, full_matrices=False)
    found = tuple(float(r) for r in correlations)
    if found[0] >= _ONE:
        reason = "x and y share a linear combination: I is infinite where they are continuous"
        return GaussianResult(math.inf, math.nan, found, shrinkage, (f"infinite: {reason}",))
    nats = -0.5 * float(np.log1p(-(correlations**2)).sum())
    rows = _log_ratio(wx @ u, wy @ v.T, correlations)
    dx, dy = (zx.shape[1], zy.shape[1]) if shrinkage else (wx.shape[1], wy.shape[1])
    chance = dx * dy / (2.0 * n**2)  # of a chi-squared: the variance where all correlations are 0
    if clusters is None:
        effect, stderr = 1.0, math.sqrt(max(rows.var() / n - chance, chance))
    else:
        effect = _design_effect(wx, wy, clusters)
        chance *= effect**2
        spread = _clustered_variance(rows[:, None], clusters) / n - chance
        stderr = math.sqrt(max(spread, chance)) * clusters.widening
    if shrinkage:
        warning = (
            f"shrunk: {n} rows are few for {dx + dy} columns, correlations were shrunk by "
            f"{shrinkage:.2f} and the value lies towards 0: bring more rows or fewer columns"
        )
        return GaussianResult(nats, stderr, found, shrinkage, (warning, *doubts))
    excess = _excess(n - 1, dx, dy)
    return GaussianResult(nats - effect * excess, stderr, found, 0.0, doubts)


def _outweighed(zx: Rows, zy: Rows) -> tuple[str, ...]:
    """Warns of columns whose variance is that of one row."""
    count = _ruled_by_one(zx) + _ruled_by_one(zy)
    if not count:
        return ()
    warning = (
        f"one row decides: in {count} columns one row has more than {ONE_ROW:.0%} of the "
        "variance, and moments tell of it alone: drop it, or take method='gaussian_copula', or "
        "'auto' where the column is a label's level"
    )
    return (warning,)


@once_a_column
def _ruled_by_one(z: Rows) -> int:
    """Of how many columns one row has most of the variance."""
    return int((np.abs(z).max(0) ** 2 > ONE_ROW * len(z)).sum())


def _design_effect(wx: Rows, wy: Rows, clusters: Clusters) -> float:
    """The variance of the correlations of white columns over that of independent rows, mean over
    the pairs (Kish, 1965): what chance adds to I grows so."""
    products = [_clustered_variance(wx * column[:, None], clusters) for column in wy.T]
    return float(np.mean(products))


def _clustered_variance(rows: Rows, clusters: Clusters) -> float:
    """N times the variance of the columns' means, (N, d), from clusters; mean over columns."""
    centred = rows - rows.mean(0)
    sums = np.zeros((clusters.count, rows.shape[1]))
    np.add.at(sums, clusters.index.numpy(), centred)
    return clusters.factor * float((sums**2).sum(0).mean()) / len(rows)


@once_a_column
def _white(z: Rows, shrinkage: float) -> Rows:
    """Columns whose (shrunk) covariance is the identity; copies of columns give no new ones."""
    covariance = (1.0 - shrinkage) * z.T @ z / len(z) + shrinkage * np.eye(z.shape[1])
    return np.asarray(z @ whitening(covariance))


def _white_of_few_rows(z: Rows, shrinkage: float) -> Rows:
    """As `_white`, for fewer rows than columns: in time and memory of N^2 d and N d, not d^3, d^2.

    Directions in which no row lies are left out: their columns would be 0.
    """
    n = len(z)
    vectors, values, _ = np.linalg.svd(z, full_matrices=False)
    kept = values > np.sqrt(RANK) * values[0]
    vectors, values = vectors[:, kept], values[kept]
    return vectors * (values / np.sqrt((1.0 - shrinkage) * values**2 / n + shrinkage))


def _shrinkage(z: Rows) -> float:
    """sum Var(r_ij) / sum r_ij^2 over i != j, within [0, 1] (Schaefer and Strimmer, 2005)."""
    n = len(z)
    if n < z.shape[1]:
        # The same sums over i != j, by the N rows: no matrix of d x d is made.
        squares = (np.sum((z @ z.T) ** 2) - np.sum((z**2).sum(0) ** 2)) / n**2
        fourths = (np.sum((z**2).sum(1) ** 2) - np.sum(z**4)) / n
        return float(np.clip((fourths - squares) * n / (n - 1) ** 2 / squares, 0.0, 1.0))
    r = z.T @ z / n
    variance = ((z**2).T @ z**2 / n - r**2) * n / (n - 1) ** 2
    off = ~np.eye(len(r), dtype=bool)
    return float(np.clip(variance[off].sum() / (r[off] ** 2).sum(), 0.0, 1.0))


def _log_ratio(a: Rows, b: Rows, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log-ratio of the fitted normal at each row, for canonical variates a and b."""
    a, b = a[:, : len(rho)], b[:, : len(rho)]
    square = 1.0 - rho**2
    rows = (rho * a * b - 0.5 * rho**2 * (a**2 + b**2)) / square - 0.5 * np.log(square)
    return np.asarray(rows.sum(1))


def _excess(nu: int, dx: int, dy: int) -> float:
    """What the estimate from a sample covariance of nu degrees of freedom exceeds I by."""

    def shift(d: int) -> float:
        return float(digamma((nu - np.arange(d)) / 2.0).sum()) - d * math.log(nu / 2.0)

    return 0.5 * (shift(dx) + shift(dy) - shift(dx + dy))


def _doubted(nats: float, stderr: float, x: Any, y: Any, k: int) -> Doubt | None:
    rows = some_rows(x), some_rows(y)
    a, b = (_scores(v) for v in rows)
    found = gaussian(a, b)
    copula = found.nats, found.stderr
    if len(a) >= ROWS_A_LEVEL * max(len(np.unique(codes_of(v))) for v in rows):
        table = plugin(*rows)  # ties would mislead nearest neighbours
        doubt = of_table(nats, stderr, (table.nats, table.stderr))
        return doubt or of_scores(nats, stderr, copula)
    return of_normal_law(nats, stderr, a, b, copula)


def _work(n: int, dx: int, dy: int) -> float:
    """Operations of two decompositions, and of the covariance before them, about."""
    return sum(20.0 * max(n, d) * min(n, d) ** 2 + 20.0 * min(n, d) ** 3 for d in (dx, dy))


def gaussian_method() -> Method:
    return direct_method(
        name="gaussian",
        reports="canonical correlations, bias taken off",
        kind=NEITHER,
        source="Hotelling 1936; Misra et al. 2005",
        good_at="normal data, where nothing is better; elsewhere, what correlations alone tell",
        estimate=lambda x, y, k, seed, device: gaussian(x, y),
        dependent=lambda x, y, k, seed, device, hangs: gaussian(x, y, hangs.of_all(len(x))),
        doubted=_doubted,
        uses=("preprocess",),
        work=_work,
    )


def gaussian_copula_method() -> Method:
    return direct_method(
        name="gaussian_copula",
        reports="canonical correlations of the columns' normal scores",
        kind=NEITHER,
        source="Ince et al. 2017",
        good_at="monotone dependence with heavy tails or odd units; blind to the rest",
        estimate=lambda x, y, k, seed, device: gaussian_copula(x, y),
        dependent=lambda x, y, k, seed, device, hangs: gaussian_copula(x, y, hangs.of_all(len(x))),
        doubted=_doubted,
        work=lambda n, dx, dy: _work(n, dx, dy) + sorting_work(n, dx, dy),
    )


METHODS = (gaussian_method, gaussian_copula_method)
