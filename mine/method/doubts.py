"""A second look at a value, by what else the same rows tell.

A method that trains nothing is right where its assumption holds: a normal law, or neighbours so
near that the density is even between them. A network is right where it has learned the density.
Where the rows deny it, the value is off by more than its standard error says, and a doubt says by
about how much.

The thresholds were chosen on the cases of `benchmarks.verdict` at seed 7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mine.data.fitted_mean import left_out_fits
from mine.data.noiseless import is_continuous
from mine.data.whitening import standardised
from mine.method.ksg import HIGH_DIMENSION, ksg

MOST_ROWS = 5000  # that are looked at
OFF = 0.15  # nats, and share of the value
FEW_COLUMNS = 4  # of x and y together: neighbours are near
FEW_ROWS = 4  # a feature: a regression on fewer tells little
FARTHER = 4  # times as many neighbours
SURE, SQUARE = 6.0, 0.25  # standard errors, and correlation of squares, that no chance explains

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Doubt:
    """
    Attributes:
        nats: what the value may be off by, beyond its standard error.
        text: a warning.
    """

    nats: float
    text: str


def of_neighbours(nats: float, stderr: float, x: Any, y: Any, k: int) -> Doubt | None:
    """KSG takes the density as even among k neighbours: more of them must not lower the value.

    Args:
        nats: the value.
        stderr: its standard error.
        x: (n, dx), in the units of the estimate.
        y: (n, dy).
        k: neighbours.
    """
    a, b = some_rows(x), some_rows(y)
    if len(a) <= 2 * FARTHER * k:
        return None
    near, far = (ksg(a, b, k=of, workers=1).nats for of in (k, FARTHER * k))
    fall = near - far
    if fall <= tolerance(nats) / 2.0:
        return None
    return Doubt(
        fall,
        f"far neighbours: the value falls by {fall:.2f} nats where {FARTHER * k} neighbours are "
        f"taken instead of {k}, so they are too far away and it may lie too low: bring more rows, "
        "or take method='auto'",
    )


def of_network(nats: float, stderr: float, a: Array, b: Array) -> Doubt | None:
    """Whether nearest neighbours see what a network has not learned.

    Arguments as for `of_normal_law`, of at most `FEW_COLUMNS` columns together.
    """
    seen = ksg(a, b, workers=1)
    more = seen.nats - nats
    if more <= tolerance(nats) or more <= 3.0 * math.hypot(seen.stderr, stderr):
        return None
    return Doubt(
        more,
        f"neighbours see more: nearest neighbours see {seen.nats:.2f} nats, which the network has "
        "not learned: raise steps, or take method='ksg'",
    )


def of_regression(
    nats: float, stderr: float, a: Array, b: Array, by_pair: float = 0.0
) -> Doubt | None:
    """Whether a regression of one column tells more than a network has learned of all.

    A normal score t has I(t; Z) of at least -1/2 log(1 - R^2), R^2 what any regression on Z
    explains of it (the remainder's entropy is at most that of a normal of its variance). The
    regressions are on the scores of the other side and their squares, each row left out in turn.

    A pair of columns that tells half as much goes before, for its warning names them.

    Arguments as for `of_normal_law`; by_pair is what such a pair tells, in nats.
    """
    told = max(_told(a, b), _told(b, a))
    more = told - nats
    if more <= tolerance(nats) or more <= 3.0 * stderr or told <= 2.0 * by_pair:
        return None
    return Doubt(
        more,
        f"a regression tells more: one column, explained by the other side, tells {told:.2f} nats "
        "at least, beyond what the network has learned: choose columns by mine.pairwise on rows "
        "that you leave out of the estimate, or bring more rows",
    )


def _told(z: Array, targets: Array) -> float:
    """At least so many nats z (n, dz) tells of one of the targets (n, dt), both normal scores."""
    n, columns = z.shape
    features = np.concatenate([z, z**2], 1) if 2 * columns <= n / FEW_ROWS else z
    if not targets.size or features.shape[1] > n / FEW_ROWS:
        return 0.0
    centred = targets - targets.mean(0)
    left = [
        ((centred - fit) ** 2).sum(0)
        for fit in left_out_fits(features - features.mean(0), centred)
    ]
    share = np.min(left, 0) / np.maximum((centred**2).sum(0), 1e-300)
    return -0.5 * math.log(float(np.clip(share.min(), 1e-12, 1.0)))


def of_normal_law(
    nats: float, stderr: float, a: Array, b: Array, copula: tuple[float, float]
) -> Doubt | None:
    """Whether the rows tell more, or less, than a normal law of these correlations does.

    In few columns nearest neighbours of the normal scores see what the law leaves out. In any
    number of columns squares betray a common scale, as in Student's law: under a normal copula
    the squares of two scores of correlation r have the correlation r^2 (Mehler, 1866).

    Args:
        nats: the value.
        stderr: its standard error.
        a: (n, dx), the columns' normal scores.
        b: (n, dy), likewise.
        copula: what a normal law of the scores gives, and its standard error.
    """
    if doubt := of_scores(nats, stderr, copula):
        return doubt
    if a.shape[1] + b.shape[1] < HIGH_DIMENSION:
        seen = ksg(a, b, workers=1)
        more = seen.nats - nats
        if more - 3.0 * math.hypot(seen.stderr, stderr) > 0.0 and more > tolerance(nats):
            return _doubt(more, f"nearest neighbours see {seen.nats:.2f} nats")
    a, b = (v[:, [is_continuous(column) for column in v.T]] for v in (a, b))
    if not (a.size and b.size):
        return None
    squares = _squares(a, b)
    most = float(np.abs(squares).max())
    chance = -float(ndtri(0.005 / squares.size)) + SURE
    if most > max(SQUARE, chance / math.sqrt(len(a))):
        told = float((squares**2 - 1.0 / len(a)).sum()) / (2.0 * min(squares.shape))
        return _doubt(told, f"squares of the columns have a correlation of {most:.2f} beyond it")
    return None


def of_scores(nats: float, stderr: float, copula: tuple[float, float]) -> Doubt | None:
    """A doubt where the normal scores of the same rows give another value.

    Arguments as for `of_normal_law`.
    """
    beside = abs(copula[0] - nats)
    if beside <= tolerance(nats) or beside <= 3.0 * math.hypot(stderr, copula[1]):
        return None
    return _doubt(beside, f"normal scores of the same rows give {copula[0]:.2f} nats")


def of_table(nats: float, stderr: float, table: tuple[float, float]) -> Doubt | None:
    """A doubt where the table of levels tells more, or less, than a normal law of labels does.

    Args:
        nats: the value.
        stderr: its standard error.
        table: what the plug-in gives, and its standard error.
    """
    beside = abs(table[0] - nats)
    if beside <= tolerance(nats) or beside <= 3.0 * table[1]:
        return None
    return _doubt(beside, f"the table of levels gives {table[0]:.2f} nats")


def some_rows(v: Any) -> Array:
    """The rows that are looked at, of (n, d)."""
    return np.asarray(v[:MOST_ROWS], dtype=np.float64)


def tolerance(nats: float) -> float:
    """.15 nats, and 15 % of a value: less is not worth a doubt."""
    return OFF * max(1.0, abs(nats))


def _doubt(nats: float, seen: str) -> Doubt:
    return Doubt(
        nats,
        f"no normal law: {seen}, so X and Y hang together in another way than a normal law "
        "says: take method='auto', or 'ksg' for few columns",
    )


def _squares(a: Array, b: Array) -> Array:
    """The correlation of each pair's squares less the squared correlation, (dx, dy)."""
    a, b = standardised(a), standardised(b)
    squares = standardised(a**2).T @ standardised(b**2)
    return np.asarray(squares / len(a) - (a.T @ b / len(a)) ** 2)
