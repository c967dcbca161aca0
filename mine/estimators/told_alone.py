"""What one column tells of another by itself: the whole cannot tell less.

Three lower bounds, each of the best of all pairs of columns, at `SURE` for all of them together:

- normal scores t and s of correlation rho: I >= -1/2 log(1 - rho^2), at the lower end of Fisher's
  interval;
- normal scores t of one column and the order of the other: the mean of the two neighbours in that
  order explains a share R^2 of t, and I >= -1/2 log(1 - R^2), for the remainder's entropy is at
  most that of a normal of its variance. It sees what goes up and down, such as the hour of a day
  in a running number;
- a label and one column of numbers: the estimate by nearest neighbours (`mine.method.mixed`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from mine.data.columns import Layout
from mine.data.levels import commonest, is_discrete
from mine.data.noiseless import MOST_PAIRS, continuous
from mine.data.preprocessing import Values
from mine.data.ranks import normal_scores
from mine.data.shared_work import once_a_column
from mine.method.doubts import MOST_ROWS
from mine.method.mixed import mixed

SURE = 0.995  # level at which a single pair of columns tells more than the whole
LEAST_INDEPENDENT = 3  # rows: Fisher's error needs more
LEAST_ROWS = 50  # in which an order is looked at
TIED = 0.05  # share of the rows that may have one and the same value
MOST_ALONE = 10  # columns beside a label that are looked at one by one

Chosen = tuple[tuple[int, ...], tuple[int, ...]]
"""Places of columns of x, and of y."""
Layouts = tuple[Layout, Layout]


class Told(NamedTuple):
    """At least so many nats, which columns tell them, and what to do where the value is less."""

    nats: float
    columns: str
    remedy: str


NOTHING = Told(0.0, "", "")
CHOOSE = "choose columns by mine.pairwise on rows that you leave out of the estimate"


def told_alone(x: Values, y: Values, layouts: Layouts, independent: int, looks: bool) -> Told:
    """The most that one column tells of another.

    Args:
        x: (n, dx), all rows.
        y: (n, dy).
        layouts: what their columns are.
        independent: as many of the rows as are independent.
        looks: whether the orders and neighbours are looked at, too: of rows that are independent.
    """
    chosen = _normal_scored(x), _normal_scored(y)
    found = [_by_correlation(x, y, chosen, layouts, independent)]
    if looks:
        found += [_by_order(x, y, chosen, layouts), _of_a_label(x, y, layouts)]
    return max(found, key=lambda told: told.nats)


@once_a_column
def _normal_scored(v: Values) -> tuple[int, ...]:
    """The places of the continuous columns whose scores are normal: no value has many rows."""
    return tuple(i for i in continuous(v) if commonest(v[:, i]) <= TIED * len(v))


@once_a_column
def _directions(v: Values, chosen: tuple[int, ...]) -> Values:
    """The normal scores of these columns, of length 1."""
    scores = normal_scores(v[:, chosen])
    return np.asarray(scores / np.linalg.norm(scores, axis=0))


@once_a_column
def _orders(v: Values, chosen: tuple[int, ...]) -> NDArray[np.intp]:
    """For each of these columns the rows in its order, (m, columns), of the first `MOST_ROWS`."""
    return np.argsort(v[:MOST_ROWS, chosen], axis=0, kind="stable")


def _far(pairs: int) -> float:
    """The standard deviations at which one of so many pairs is beyond chance."""
    return float(ndtri(1.0 - (1.0 - SURE) / (2 * pairs)))


def _named(layouts: Layouts, i: int, j: int) -> str:
    return f"column {layouts[0].labels[i]!r} of x and {layouts[1].labels[j]!r} of y"


def _by_correlation(
    x: Values, y: Values, chosen: Chosen, layouts: Layouts, independent: int
) -> Told:
    """Many rows of one value, as at the ends of a clipped column, have no normal scores."""
    if not all(chosen) or independent <= LEAST_INDEPENDENT:
        return NOTHING
    a, b = (_directions(v, of) for v, of in zip((x, y), chosen, strict=True))
    rho = np.abs(a.T @ b)
    i, j = np.unravel_index(int(rho.argmax()), rho.shape)
    far = _far(x.shape[1] * y.shape[1]) / math.sqrt(independent - 3)
    low = math.tanh(max(math.atanh(min(float(rho[i, j]), 1.0 - 1e-12)) - far, 0.0))
    names = _named(layouts, chosen[0][i], chosen[1][j])
    remedy = f"train longer, {CHOOSE}, or take gaussian_copula"
    return Told(-0.5 * math.log1p(-(low**2)), names, remedy)


def _by_order(x: Values, y: Values, chosen: Chosen, layouts: Layouts) -> Told:
    pairs = len(chosen[0]) * len(chosen[1])
    if not 0 < pairs <= MOST_PAIRS or len(x) < LEAST_ROWS:
        return NOTHING
    sides = list(zip((x, y), chosen, strict=True))
    scores = [_directions(v, of)[:MOST_ROWS] for v, of in sides]
    orders = [_orders(v, of) for v, of in sides]
    remedy = "give the period's phase, or what else the order stands for, as a column"
    far = _far(2 * pairs)
    of_x, of_y = (_by_neighbours(orders[k], scores[1 - k], far) for k in (0, 1))
    nats, i, j = max([*of_x, *((nats, i, j) for nats, j, i in of_y)])
    return Told(nats, _named(layouts, chosen[0][i], chosen[1][j]), remedy)


def _by_neighbours(
    orders: NDArray[np.intp], scores: Values, far: float
) -> Iterator[tuple[float, int, int]]:
    """(nats, i, j): the most that the order of column i tells of a column j of the others."""
    whole = scores.var(0)
    for i, order in enumerate(orders.T):
        t = scores[order]
        squares = (t[1:-1] - t[:-2] / 2 - t[2:] / 2) ** 2
        # Neighbouring terms share rows: they vary by up to twice as much as independent ones.
        high = squares.mean(0) + 2.0 * far * squares.std(0) / math.sqrt(len(squares))
        share = high / whole
        j = int(share.argmin())
        yield -0.5 * math.log(max(min(float(share[j]), 1.0), 1e-12)), i, j


def _of_a_label(x: Values, y: Values, layouts: Layouts) -> Told:
    """In several columns neighbours are far, and a network may learn nothing of a fine relation.

    Of 2 to `MOST_ALONE` columns of numbers and a label.
    """
    sides = (x, y)
    if not max(v.shape[1] for v in sides) > 1:
        return NOTHING
    labels = [is_discrete(torch.from_numpy(v), of) for v, of in zip(sides, layouts, strict=True)]
    if sum(labels) != 1:
        return NOTHING
    side = labels.index(False)
    numbers, label, of = sides[side], sides[1 - side], layouts[side]
    if not 1 < numbers.shape[1] <= MOST_ALONE or any(of.coded):
        return NOTHING
    far, found = _far(numbers.shape[1]), []
    for name, column in zip(of.labels, numbers.T, strict=True):
        e = mixed(column[:MOST_ROWS], label[:MOST_ROWS])
        told = f"column {name!r} of {'xy'[side]} and the label"
        found.append(Told(e.nats - far * e.stderr, told, f"bring more rows, or {CHOOSE}"))
    return max(found, key=lambda told: told.nats)
