"""A mixture of normals fitted to the rows of both sides together, and its log-ratio (nats).

One normal law says that all rows hang together in one way. A mixture of C says that they do so in
C ways, and which one a row follows is not seen: clusters, regimes, a relation that bends. With the
weights w_c and the densities p_c of the components

    T(x, y) = log sum_c w_c p_c(x, y) - log sum_c w_c p_c(x) - log sum_c w_c p_c(y),

which is the true log-ratio where the rows follow such a mixture. It is fitted by
expectation-maximisation (Dempster, Laird and Rubin, 1977,
https://doi.org/10.1111/j.2517-6161.1977.tb01600.x).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import cholesky, cholesky_ex, solve_triangular, svd

MOST = 8  # components
LARGEST = 1.0 - 1e-6  # correlation in a component: in float32 a larger one could be 1
TRIED = 2, 4, 8  # one after the other, as long as each is better on rows held out
MOST_COLUMNS = 128  # of both sides; more would take longer than a training
ROWS_A_COLUMN = 10  # of a component, at least
ROUNDS = 10  # of expectation-maximisation
PRIOR = 10.0  # rows of the law of all rows that each component's covariance is fitted with
NONE = -1e4  # log weight of a component that is left out
_LEAST = 1e-6  # variance
_FIRST = 0.8  # of a row's weight, in the group that it is put into at first


@dataclass(frozen=True)
class Components:
    """A mixture of C normals in d columns: weights (C,), means (C, d), and the lower roots of the
    covariances (C, d, d), float64."""

    weight: Tensor
    mean: Tensor
    root: Tensor


@dataclass(frozen=True)
class Sides:
    """The log-ratio of a mixture, ready to be computed of x and of y on their own.

    Of component c, a_c = (x, 1) of_x[c] and b_c = (y, 1) of_y[c] are its canonical variates: each
    of unit variance, and a_ci has the correlation rho_ci with b_ci and with no other.

    Attributes:
        of_x: (C, dx + 1, dx), C = `places(dx + dy)`.
        of_y: (C, dy + 1, dy).
        rho: (C, min(dx, dy)).
        levels: (3, C): log w_c + log det of_x[c], the same of y, and log w_c; `NONE` where
            there is no component.
    """

    of_x: Tensor
    of_y: Tensor
    rho: Tensor
    levels: Tensor


def agreement(x: Tensor, y: Tensor) -> Tensor:
    """(n,), how each row agrees with the law of all rows: the sum of the products of canonical
    variates, each times its correlation."""
    n, (a, b) = len(x), (v - v.mean(0) for v in (x, y))
    roots = _root(a.T @ a / n), _root(b.T @ b / n)
    u, v = (
        solve_triangular(root, of.T, upper=False).T for root, of in zip(roots, (a, b), strict=True)
    )
    left, rho, right = svd(u.T @ v / n, full_matrices=False)
    return ((u @ left) * (v @ right.T) * rho).sum(1)


def first_groups(agree: Tensor, count: int) -> Tensor:
    """(n, count), how far each row belongs to each component before the first round: rows next to
    each other in order of their agreement are one group."""
    n = len(agree)
    place = agree.argsort(stable=True).argsort(stable=True) * count // n
    found = torch.full((n, count), (1.0 - _FIRST) / count, dtype=agree.dtype)
    found[torch.arange(n), place] += _FIRST
    return found


def one_component(z: Tensor) -> Components:
    """The normal law of rows (n, d), with `PRIOR` rows of independent columns of unit variance."""
    n, d = z.shape
    moved = z - z.mean(0)
    covariance = (moved.T @ moved + PRIOR * torch.eye(d, dtype=z.dtype)) / (n + PRIOR)
    return Components(z.new_ones(1), z.mean(0, keepdim=True), cholesky(covariance)[None])


def fit_components(z: Tensor, belongs: Tensor) -> Components | None:
    """The mixture after `ROUNDS` rounds; None where a component was left with too few rows, or
    with rows that have no normal law.

    Args:
        z: (n, d) float64.
        belongs: (n, C), how far each row belongs to each component; the sum over C is 1.
    """
    n, d = z.shape
    of_all = z - z.mean(0)
    prior = PRIOR * (of_all.T @ of_all / n + _LEAST * torch.eye(d, dtype=z.dtype))
    for _ in range(ROUNDS):
        rows = belongs.sum(0)
        if (rows < d).any():
            return None
        mean = belongs.T @ z / rows[:, None]
        weighted = torch.stack([_scatter(z, *of) for of in zip(belongs.T, mean, strict=True)])
        root, failed = cholesky_ex((weighted + prior) / (rows + PRIOR)[:, None, None])
        if failed.any():
            return None
        found = Components(rows / n, mean, root)
        belongs = belonging(found, z)
    return found


def _scatter(z: Tensor, weight: Tensor, mean: Tensor) -> Tensor:
    """One component's: they come one by one, since all at once would take much memory."""
    moved = z - mean
    return (moved * weight[:, None]).T @ moved


def belonging(of: Components, z: Tensor) -> Tensor:
    """(n, C), the probability of each component at each row."""
    standard = solve_triangular(of.root, (z - of.mean[:, None]).transpose(1, 2), upper=False)
    return (_level(of.weight, of.root) - 0.5 * standard.square().sum(1).T).softmax(1)


def _level(weight: Tensor, root: Tensor) -> Tensor:
    """(C,), log w_c p_c at the mean of each component, up to a constant."""
    return weight.log() - root.diagonal(dim1=1, dim2=2).log().sum(1)


def sides_of(of: Components, dx: int) -> Sides:
    """The log-ratio of a mixture of at most `MOST_COLUMNS` columns, the first dx of them x."""
    covariance = of.root @ of.root.transpose(1, 2)
    dy = covariance.shape[-1] - dx
    root_x, root_y = cholesky(covariance[:, :dx, :dx]), cholesky(covariance[:, dx:, dx:])
    cross = solve_triangular(root_x, covariance[:, :dx, dx:], upper=False)
    cross = solve_triangular(root_y, cross.transpose(1, 2), upper=False).transpose(1, 2)
    left, rho, right = svd(cross)

    def affine(root: Tensor, directions: Tensor, mean: Tensor) -> Tensor:
        slopes = solve_triangular(root.transpose(1, 2), directions, upper=True)
        return _padded(torch.cat([slopes, -mean[:, None] @ slopes], 1))

    levels = torch.full((3, MOST), NONE, dtype=rho.dtype)
    levels[:, : len(rho)] = torch.stack(
        [*(_level(of.weight, root) for root in (root_x, root_y)), of.weight.log()]
    )
    return Sides(
        affine(root_x, left, of.mean[:, :dx]),
        affine(root_y, right.transpose(1, 2), of.mean[:, dx:]),
        _padded(rho[..., : min(dx, dy)].clamp(max=LARGEST)),
        levels,
    )


def no_sides(dx: int, dy: int) -> Sides:
    """A log-ratio that is 0 everywhere."""
    count = places(dx + dy)
    levels = torch.zeros(3, count, dtype=torch.float64)
    levels[:, 1:] = NONE
    of_x, of_y = (levels.new_zeros(count, d + 1, d) for d in (dx, dy))
    return Sides(of_x, of_y, levels.new_zeros(count, min(dx, dy)), levels)


def places(d: int) -> int:
    """How many components there is room for, in d columns: one where no more are fitted."""
    return MOST if d <= MOST_COLUMNS else 1


def counts_of(n: int, d: int) -> tuple[int, ...]:
    """The `TRIED` numbers of components that n rows of d columns can be fitted with."""
    return tuple(c for c in TRIED if c <= places(d) and n >= c * d * ROWS_A_COLUMN)


def _root(covariance: Tensor) -> Tensor:
    return cholesky(covariance + _LEAST * torch.eye(len(covariance), dtype=covariance.dtype))


def _padded(of_components: Tensor) -> Tensor:
    """0 for the components that are left out, up to `MOST`."""
    left_out = MOST - len(of_components)
    return torch.cat([of_components, of_components.new_zeros(left_out, *of_components.shape[1:])])
