r"""The log-ratio of a copula fitted to rows: the Gaussian copula or Student's (nats).

Student's copula is taken where it is likelier, because the tails are heavy. Both copulas are
elliptical: they depend on the columns' scores z through a correlation matrix R. Let Q, Q_x and Q_y
be the squares z^T R^-1 z of all scores, of x's scores and of y's scores,
L = log(det R / det R_x det R_y), and d = d_x + d_y the number of columns. The log-ratio is

    normal:    -(Q - Q_x - Q_y) / 2 - L / 2
    Student:   -L / 2 + c(nu) - (nu + d) / 2 log(1 + Q / nu)
               + (nu + d_x) / 2 log(1 + Q_x / nu) + (nu + d_y) / 2 log(1 + Q_y / nu),
               c(nu) = log G((nu + d) / 2) G(nu / 2) / G((nu + d_x) / 2) G((nu + d_y) / 2)

(G is the gamma function). The scores are quantiles of the normal distribution or of Student's t.
Under Student's copula, columns without a linear relation are dependent too: they are large
together.

R is the scatter of highest likelihood (expectation-maximisation; Kent, Tyler and Vardi, 1994,
https://doi.org/10.1080/03610919408813180). nu is the degrees of freedom of highest
pseudo-likelihood of the copula (McNeil, Frey and Embrechts, "Quantitative Risk Management",
Sec. 7.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ndtr, stdtrit

from mine.data.whitening import Rows, whitening

DOFS = 16.0, 8.0, 4.0, 2.0, 1.0
"""Degrees of freedom that are tried after infinity (the normal), as long as each is likelier."""
FARTHEST = 4.0  # normal scores are clipped here first: 6e-5 of a normal's rows are beyond
ROUNDS = 20  # of expectation-maximisation
_LARGEST = 0.9999  # fitted correlation: 4.3 nats for a pair of variates


@dataclass(frozen=True)
class EllipticalRatio:
    """A fitted log-ratio.

    The canonical variates are a = (s(x), 1) of_x and b = (s(y), 1) of_y. Each has unit scatter,
    and a_i and b_i have the correlation rho_i. s is `scores` where the tails are Student's, and
    the identity elsewhere.

    Attributes:
        of_x: (dx + 1, dx); the first min(dx, dy) variates are correlated with those of y.
        of_y: (dy + 1, dy).
        rho: (min(dx, dy),), the canonical correlations without what chance adds; 0 for those that
            chance alone could cause.
        tail: (4,): 1 / nu, 0 for the normal; then the coefficients of `scores`.
    """

    of_x: Rows
    of_y: Rows
    rho: Rows
    tail: Rows


def fit_ratio(x: Rows, y: Rows) -> EllipticalRatio:
    """The log-ratio of the copula fitted to x (N, dx) and y (N, dy), normal scores or similar.

    N rows of many columns are correlated by chance. Bao, Hu, Pan and Zhou (2019,
    https://doi.org/10.1214/18-AOS1704, Theorem 1.8) give the limit of the sample's squared
    canonical correlations, as a function of the true ones, where the number of columns grows in
    proportion to N. The inverse of that function is applied here. Below their threshold a
    correlation cannot be told from chance, and is taken as 0.
    """
    dof, centre, scatter = _likeliest(np.concatenate([x, y], 1))
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    r = min(dx, dy)
    scale, correlation = _standard(scatter)
    wx, wy = whitening(correlation[:dx, :dx]), whitening(correlation[dx:, dx:])
    u, sample, vt = np.linalg.svd(wx.T @ correlation[:dx, dx:] @ wy)
    found = np.zeros(r)
    found[: len(sample)] = _true_correlations(
        np.minimum(sample, 1.0), wx.shape[1] / n, wy.shape[1] / n
    )

    def of(side: slice, directions: Rows) -> Rows:
        slopes = directions / scale[side, None]
        affine = np.concatenate([slopes, -centre[None, side] @ slopes])
        return np.pad(affine, ((0, 0), (0, len(slopes) - slopes.shape[1])))

    return EllipticalRatio(
        of(slice(dx), wx @ u),
        of(slice(dx, None), wy @ vt.T),
        np.minimum(found, _LARGEST),
        np.array([1.0 / dof, *_curve(dof)]),
    )


def scores(z: Rows, tail: Rows) -> Rows:
    """Turns normal scores z into Student's: the quantiles of equal probability.

    With tail = (1 / nu, c_0, c_1, c_2),

        t = sgn(z) sqrt(nu (exp(u^2 / nu) - 1)),    u = z (c_0 + c_1 z^2 + c_2 z^4).

    u is nearly z (Wallace, 1959, https://doi.org/10.1214/aoms/1177706092). The error of t is under
    2 %, but a third where nu = 1.
    """
    inverse, *curve = tail
    z = np.clip(z, -FARTHEST, FARTHEST)
    u = z * np.polynomial.polynomial.polyval(z**2, curve)
    return np.asarray(np.sign(z) * np.sqrt(np.expm1(inverse * u**2) / inverse))


@lru_cache
def _curve(dof: float) -> tuple[float, float, float]:
    """The coefficients c of `scores`, fitted to the exact quantiles."""
    if math.isinf(dof):
        return 1.0, 0.0, 0.0
    z = np.linspace(0.05, FARTHEST, 100)
    t = -stdtrit(dof, ndtr(-z))
    u = np.sqrt(dof * np.log1p(t**2 / dof))
    c = np.polynomial.polynomial.polyfit(z**2, u / z, 2)
    return float(c[0]), float(c[1]), float(c[2])


# ------------------------------------------------------------------------ fitting


def _likeliest(z: Rows) -> tuple[float, Rows, Rows]:
    """Degrees of freedom, and the centre (d,) and scatter (d, d) of the scores for them."""
    n, d = z.shape
    centre, scatter = z.mean(0), np.cov(z.T, bias=True).reshape(d, d)
    best = math.inf, centre, scatter
    if len(whitening(_standard(scatter)[1]).T) < d:
        return best
    highest = _log_likelihood(z, *best) + 0.5 * math.log(n)  # the price of one more parameter
    for dof in DOFS:
        t = scores(z, np.array([1.0 / dof, *_curve(dof)]))
        found = dof, *_scatter(t, dof)
        likelihood = _log_likelihood(t, *found)
        if not likelihood > highest:
            break
        best, highest = found, likelihood
    return best


def _standard(scatter: Rows) -> tuple[Rows, Rows]:
    """Scales (d,), 1 for constant columns, and correlations (d, d)."""
    deviation = np.sqrt(np.diag(scatter))
    scale = np.where(deviation > 0.0, deviation, 1.0)
    return scale, scatter / np.outer(scale, scale)


def _scatter(t: Rows, dof: float) -> tuple[Rows, Rows]:
    """The centre (d,) and scatter (d, d) of highest likelihood under Student's t."""
    n, d = t.shape
    weights = np.ones(n)
    for _ in range(ROUNDS):
        centre = weights @ t / weights.sum()
        moved = t - centre
        scatter = (moved * weights[:, None]).T @ moved / n
        weights = (dof + d) / (dof + _squares(moved, scatter))
    return centre, scatter


def _squares(moved: Rows, scatter: Rows) -> Rows:
    """Squared Mahalanobis norms of centred rows: (N, d) -> (N,)."""
    return np.asarray(((moved @ whitening(scatter)) ** 2).sum(1))


def _log_likelihood(t: Rows, dof: float, centre: Rows, scatter: Rows) -> float:
    """The copula's: the rows' log-density less that of each column, summed over rows."""
    n, d = t.shape
    scale, correlation = _standard(scatter)
    moved = (t - centre) / scale
    squares = _squares(moved, correlation)
    ends = -0.5 * n * float(np.linalg.slogdet(correlation)[1])
    if math.isinf(dof):
        return ends - 0.5 * float((squares - (moved**2).sum(1)).sum())
    whole = n * _log_constant(dof, d) - 0.5 * (dof + d) * float(np.log1p(squares / dof).sum())
    parts = n * d * _log_constant(dof, 1)
    return ends + whole - parts + 0.5 * (dof + 1) * float(np.log1p(moved**2 / dof).sum())


def _log_constant(dof: float, d: int) -> float:
    """The log of Student's constant for d columns and unit scatter, up to terms without dof."""
    return float(gammaln((dof + d) / 2) - gammaln(dof / 2)) - 0.5 * d * math.log(dof * math.pi)


def _true_correlations(sample: Rows, cx: float, cy: float) -> Rows:
    """Solves sample^2 = r (1 - cx + cx / r) (1 - cy + cy / r) for r, and returns its square root.

    cx and cy are columns divided by rows. The larger solution is taken; 0 below the threshold.
    """
    if cx + cy >= 1.0:
        return np.zeros_like(sample)
    threshold = math.sqrt(cx * cy / ((1.0 - cx) * (1.0 - cy)))
    a = (1.0 - cx) * (1.0 - cy)
    half = (cx * (1.0 - cy) + cy * (1.0 - cx) - sample**2) / (2.0 * a)
    inside = np.maximum(half**2 - cx * cy / a, 0.0)
    true = np.clip(-half + np.sqrt(inside), 0.0, 1.0)
    real = (inside > 0.0) & (true > threshold)
    return np.where(real, np.sqrt(true), 0.0)
