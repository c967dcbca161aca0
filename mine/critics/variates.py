"""Canonical variates of nonlinear features: functions of x and of y that correlate most.

Canonical correlation analysis with a ridge, of the features of `mine.critics.features`. A third of
the rows is held out: it chooses the groups of features and the ridge, and gives the correlations
that are reported, without what chance adds.

T(x, y) = sum_j log-ratio of a normal pair with the correlation rho_j, of the variates u_j and v_j,
is the value that is compared: the bound of Donsker and Varadhan on the rows held out. Variates may
be functions of each other, so that their sum would count the same information twice. So they are
taken one by one, as long as the bound rises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import cholesky, eigh, solve_triangular

from mine.critics.features import sizes, weights
from mine.critics.held_out_start import LEAST_GAIN, bound, turned

Groups = Mapping[str, Tensor]

MOST = 8  # variates of a side
MOST_ROWS = 20_000  # that are looked at: more would take memory, and teach little
CHOICES = (
    frozenset({"own"}),
    frozenset({"own", "radial", "turned"}),
    frozenset({"own", "waves"}),
    frozenset({"own", "radial", "waves", "products"}),
    frozenset({"own", "radial", "turned", "waves", "products"}),
)
RIDGES = 0.01, 0.1, 0.3  # of a feature's variance
MOST_FEATURES = 400  # of a side; more would take longer than a training
FARTHEST = 3.0  # deviations: variates are clipped there
SURE = 3.0  # standard errors above 0 of a correlation that counts
LARGEST = 0.99  # fitted correlation
TURNS = 20  # other partners of each row held out
_LEAST = 1e-9  # deviation: a feature below it is constant


@dataclass(frozen=True)
class Variates:
    """Functions of x and of y, u = (features(x), 1) of_x and v = (features(y), 1) of_y.

    Attributes:
        of_x: (p + 1, MOST), to unit variance; columns of 0 for variates that are left out.
        of_y: (q + 1, MOST).
        rho: (MOST,), the correlations of those that a first log-ratio takes; 0 for the others.
        value: of that log-ratio on the rows held out, in nats.
        groups: of the features. Where `CHOICES[0]` is best, nothing beyond linear functions was
            found: all of the above is 0.
    """

    of_x: Tensor
    of_y: Tensor
    rho: Tensor
    value: float
    groups: frozenset[str]


@dataclass(frozen=True)
class _Way:
    """Groups and a ridge, and how they did on the rows held out."""

    groups: frozenset[str]
    ridge: float
    value: float
    rho: Tensor
    taken: Tensor


def choices_of(n: int, dx: int, dy: int) -> tuple[frozenset[str], ...]:
    """The `CHOICES` that n rows of dx and dy columns can be fitted with, the first one always."""
    most = min(n / 2, MOST_FEATURES)
    found: dict[tuple[int, int], frozenset[str]] = {}
    for groups in CHOICES:
        count = tuple(sum(sizes(d)[name] for name in groups) for d in (dx, dy))
        if groups == CHOICES[0] or max(count) <= most:
            found.setdefault(count, groups)  # type: ignore[arg-type]
    return tuple(found.values())


def fit_variates(
    x: Groups, y: Groups, dx: int, dy: int, choices: Sequence[frozenset[str]]
) -> Variates:
    """The variates of dx columns of x and dy columns of y. The last third of the rows is held out.

    Args:
        x: the features of x that the choices need, (n, size) float64 for each group.
        y: those of y.
        dx: columns of x.
        dy: columns of y.
        choices: groups of features to choose from, by `choices_of`.
    """
    sides = _Side(x, dx), _Side(y, dy)
    best = _best_way(*sides, choices)
    of_x, of_y = (torch.zeros(side.features + 1, MOST, dtype=torch.float64) for side in sides)
    rho = torch.zeros(MOST, dtype=torch.float64)
    if best.groups == CHOICES[0] or not best.taken.any():
        return Variates(of_x, of_y, rho, 0.0, CHOICES[0])
    covariances = _Covariances(*sides, slice(None))
    pair = _canonical(*sides, best.groups, best.ridge, covariances)
    count = len(best.rho)
    for of, side, directions in zip((of_x, of_y), sides, pair, strict=True):
        of[:, :count] = side.affine(best.groups, directions * (best.rho > 0.0))
    rho[:count] = best.rho * best.taken
    return Variates(of_x, of_y, rho, best.value, best.groups)


class _Side:
    """Features of one side, scaled by their weights."""

    def __init__(self, groups: Groups, columns: int) -> None:
        features = torch.cat([*groups.values()], 1)
        weight = torch.cat([weights(columns)[name] for name in groups])
        self.shift = features.mean(0)
        deviation = features.std(0)
        constant = deviation <= _LEAST
        self.scale = (weight / deviation.clamp(min=_LEAST)).masked_fill(constant, 0.0)
        self.rows = (features - self.shift) * self.scale
        self.places = _places({name: of.shape[1] for name, of in groups.items()})
        self.everywhere = _places(sizes(columns))
        self.features = sum(sizes(columns).values())

    def of(self, groups: frozenset[str]) -> Tensor:
        """The places of these groups' features."""
        return torch.cat([v for name, v in self.places.items() if name in groups])

    def affine(self, groups: frozenset[str], directions: Tensor) -> Tensor:
        """Directions in these groups' features as an affine map of all, to unit variance."""
        here = self.of(groups)
        deviation = (self.rows[:, here] @ directions).std(0)
        slopes = self.scale[here, None] * directions
        slopes = slopes / deviation.masked_fill(deviation <= _LEAST, 1.0)
        found = slopes.new_zeros(self.features + 1, slopes.shape[1])
        found[torch.cat([self.everywhere[name] for name in self.places if name in groups])] = (
            slopes
        )
        found[-1] = -self.shift[here] @ slopes
        return found


def _places(counts: Mapping[str, int]) -> dict[str, Tensor]:
    """Where each group's features are, one group after the other."""
    return dict(
        zip(counts, torch.arange(sum(counts.values())).split([*counts.values()]), strict=True)
    )


class _Covariances:
    """Of all features of both sides, over some of the rows."""

    def __init__(self, x: _Side, y: _Side, rows: slice) -> None:
        a, b = x.rows[rows], y.rows[rows]
        n = len(a)
        self.x, self.y, self.cross = a.T @ a / n, b.T @ b / n, a.T @ b / n


def _best_way(x: _Side, y: _Side, choices: Sequence[frozenset[str]]) -> _Way:
    """The best groups and ridge, of the two groups that do best with the middle ridge."""
    n = len(x.rows)
    fitted, held_out = slice(2 * n // 3), slice(2 * n // 3, None)
    covariances = _Covariances(x, y, fitted)

    def way(groups: frozenset[str], ridge: float) -> _Way:
        i, j = x.of(groups), y.of(groups)
        a, b = _canonical(x, y, groups, ridge, covariances)
        u, v = x.rows[held_out][:, i] @ a, y.rows[held_out][:, j] @ b
        rho = _correlations(u, v)
        rho = rho.clamp(max=LARGEST).masked_fill(rho <= SURE / math.sqrt(len(u)), 0.0)
        return _Way(groups, ridge, *_taken_one_by_one(u, v, rho))

    low, middle, high = RIDGES
    first = sorted((way(groups, middle) for groups in choices), key=_worth, reverse=True)
    others = (way(of.groups, ridge) for of in first[:2] for ridge in (low, high))
    return max(first[0], *others, key=_worth)


def _worth(of: _Way) -> float:
    return of.value


def _canonical(
    x: _Side, y: _Side, groups: frozenset[str], ridge: float, of: _Covariances
) -> tuple[Tensor, Tensor]:
    """Directions (p, m) and (q, m) in these groups' features, m at most `MOST`."""
    i, j = x.of(groups), y.of(groups)
    root_x, root_y = _root(of.x[i][:, i], ridge), _root(of.y[j][:, j], ridge)
    cross = solve_triangular(root_x, of.cross[i][:, j], upper=False)
    cross = solve_triangular(root_y, cross.T, upper=False).T
    if cross.shape[0] > cross.shape[1]:
        v = _leading(cross.T @ cross)
        u = _unit(cross @ v)
    else:
        u = _leading(cross @ cross.T)
        v = _unit(cross.T @ u)
    return solve_triangular(root_x.T, u, upper=True), solve_triangular(root_y.T, v, upper=True)


def _root(covariance: Tensor, ridge: float) -> Tensor:
    """The lower root of the covariance and the ridge."""
    return cholesky(covariance + ridge * torch.eye(len(covariance), dtype=covariance.dtype))


def _leading(symmetric: Tensor) -> Tensor:
    """Eigenvectors of the largest eigenvalues, the largest first."""
    return eigh(symmetric).eigenvectors[:, -MOST:].flip(1)


def _unit(vectors: Tensor) -> Tensor:
    norms = vectors.norm(dim=0)
    return vectors / norms.masked_fill(norms == 0.0, 1.0)


def _correlations(u: Tensor, v: Tensor) -> Tensor:
    return (_standard(u) * _standard(v)).mean(0)


def _taken_one_by_one(u: Tensor, v: Tensor, rho: Tensor) -> tuple[float, Tensor, Tensor]:
    """The bound of the variates (n, m) that raise it, all correlations, and which were taken."""
    n = len(u)
    u, v = (_standard(of).clamp(-FARTHEST, FARTHEST) for of in (u, v))
    turns = turned(v, TURNS)
    joint, marginal = u.new_zeros(n), u.new_zeros(TURNS, n)
    value, taken = 0.0, torch.zeros_like(rho)
    for j in rho.argsort(descending=True).tolist():
        if rho[j] <= 0.0:
            break
        more = joint + _log_ratio(u[:, j], v[:, j], rho[j])
        beside = marginal + _log_ratio(u[:, j], turns[..., j], rho[j])
        found = bound(more, beside.flatten())
        if found > value + LEAST_GAIN:
            value, joint, marginal, taken[j] = found, more, beside, 1.0
    return value, rho, taken


def _standard(v: Tensor) -> Tensor:
    deviation = v.std(0)
    return (v - v.mean(0)) / deviation.masked_fill(deviation <= _LEAST, 1.0)


def _log_ratio(u: Tensor, v: Tensor, rho: Tensor) -> Tensor:
    """Of a normal pair of unit variances."""
    rest = 1.0 - rho.square()
    squares = rho.square() * (u.square() + v.square()) - 2.0 * rho * u * v
    return -0.5 * rest.log() - squares / (2.0 * rest)
