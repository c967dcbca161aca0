"""Relations without noise: I(X; Y) is infinite where continuous columns determine each other.

Two signs are looked for, in columns whose values are mostly distinct; repeated rows count once:

- a linear combination of x that equals one of y;
- a column of one side that is a smooth function of one of the other: what the cubic through its
  four nearest neighbours in that column predicts is right.

Right means: up to `NOISE` of the spread, in more than half of the rows. A relation in several
columns at once that is not linear is not seen, nor a rough one in few rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mine.data.columns import Layout
from mine.data.levels import distinct, row_keys
from mine.data.preprocessing import Values
from mine.data.shared_work import once_a_column

NOISE = 1e-5  # of the spread: less is called none. Rounding to 32 bits is 6e-8
LEAST_ROWS = 50
MOST_PAIRS = 400  # of columns that are compared
ROUGH = 0.2  # of the spread, between neighbours: no smooth function
PLAIN = 0.9  # a correlation below is not 1, whatever the rounding

Order = NDArray[np.intp]
Named = list[tuple[str, Values]]  # two columns may have one name


def noiseless(x: Values, y: Values, layouts: tuple[Layout, Layout]) -> str:
    """What determines what, in words; "" where nothing does.

    Args:
        x: (n, dx).
        y: (n, dy).
        layouts: what the columns of x and of y are.
    """
    if x.shape[1] == y.shape[1] == 1 and _is_plain(x[:, 0], y[:, 0]):
        return ""
    kept = np.unique(row_keys([*x.T, *y.T]), return_index=True)[1]
    if len(kept) < LEAST_ROWS:
        return ""
    sides = [
        [(name, v[kept]) for name, v in zip(of.labels, rows.T, strict=True) if is_continuous(v)]
        for rows, of in zip((x, y), layouts, strict=True)
    ]
    if not all(sides):
        return ""
    a, b = (np.stack([v for _, v in side], 1) for side in sides)
    if _share_a_combination(a, b):
        return "x and y share a linear combination of columns"
    return _function(sides[0], sides[1])


def is_continuous(column: Values) -> bool:
    """Whether more than half of the values of a column are distinct."""
    return 2 * distinct(column) > len(column)


@once_a_column
def continuous(v: Values) -> tuple[int, ...]:
    """The places of the columns that are continuous."""
    return tuple(i for i, column in enumerate(v.T) if is_continuous(column))


def _is_plain(x: Values, y: Values) -> bool:
    """Whether what was seen of each column alone shows that neither determines the other.

    It is right in any order of the rows. Where it shows nothing, all that is looked for is due.
    """
    n = len(x)
    if n < LEAST_ROWS or not (is_continuous(x) and is_continuous(y)):
        return True
    if max(distinct(x), distinct(y)) < n and len(np.unique(row_keys([x, y]))) < n:
        return False  # rows repeat
    close = abs(float(_direction(x) @ _direction(y)))
    return close < PLAIN and _is_rough(x, y) and _is_rough(y, x)


def _is_rough(a: Values, b: Values) -> bool:
    """Whether b jumps between neighbours in a, in whichever order equal values of a stand."""
    order, alone = _order(a), _alone(a)
    jumps = np.abs(np.diff(b[order] / 2)) > ROUGH * between_quartiles(b)
    return 2 * int(np.count_nonzero(jumps & alone)) > len(jumps) + 2


@once_a_column
def _order(column: Values) -> Order:
    return np.argsort(column)


@once_a_column
def _alone(column: Values) -> NDArray[np.bool_]:
    """For each gap between sorted values, whether each of the two stands once."""
    new = np.concatenate([[True], np.diff(column[_order(column)]) > 0, [True]])
    alone = new[:-1] & new[1:]
    return alone[:-1] & alone[1:]


@once_a_column
def _direction(column: Values) -> Values:
    return basis(column[:, None])[:, 0]


def _function(x: Named, y: Named) -> str:
    of_x, of_y = ([np.argsort(v) for _, v in side] for side in (x, y))
    pairs = [(i, j) for i in range(len(x)) for j in range(len(y))][:MOST_PAIRS]
    for i, j in pairs:
        (a, xs), (b, ys) = x[i], y[j]
        if _determines(xs, ys, of_x[i]):
            return f"column {b!r} of y is a function of column {a!r} of x"
        if _determines(ys, xs, of_y[j]):
            return f"column {a!r} of x is a function of column {b!r} of y"
    return ""


@once_a_column
def between_quartiles(v: Values) -> float:
    """Between the quartiles; halves first, so that 1e308 does not overflow."""
    low, high = np.quantile(v, [0.25, 0.75])
    return float(high / 2 - low / 2)


def _determines(a: Values, b: Values, order: Order) -> bool:
    """Whether b is a smooth function of a. `order` sorts a."""
    t, v = a[order], b[order]
    spread = between_quartiles(v)
    if not spread > 0 or np.median(np.abs(np.diff(v / 2))) > ROUGH * spread:
        return False
    first = np.concatenate([[True], np.diff(t) > 0])
    if np.any(~first):
        twice = np.abs(np.diff(v / 2))[~first[1:]]
        if np.median(twice) > NOISE * spread:  # equal a, other b
            return False
        t, v = t[first], v[first]
    unit = max(abs(t[0]), abs(t[-1]))
    t, v = t / unit, v / (2.0 * spread)
    nodes = [slice(0, -4), slice(1, -3), slice(3, -1), slice(4, None)]
    predicted, weight = np.zeros(len(t) - 4), np.ones(len(t) - 4)
    for j in nodes:
        w = np.ones(len(t) - 4)
        for k in nodes:
            if k != j:
                w *= (t[2:-2] - t[k]) / (t[j] - t[k])
        predicted += w * v[j]
        weight += w**2
    missed = np.abs(v[2:-2] - predicted) / np.sqrt(weight)
    return bool(np.median(missed) <= NOISE)


def _share_a_combination(x: Values, y: Values) -> bool:
    """Whether the smallest angle between the spaces of x's and of y's columns is 0."""
    if len(x) < 2 * (x.shape[1] + y.shape[1]):
        return False
    qx, qy = basis(x), basis(y)
    u, s, _ = np.linalg.svd(qx.T @ qy)
    if s[0] < 1.0 - NOISE:
        return False
    one = qx @ u[:, 0]
    other = qy @ (qy.T @ one)
    return bool(np.median(np.abs(one - other)) <= NOISE * np.median(np.abs(one - np.median(one))))


def basis(v: Values) -> Values:
    """An orthonormal basis of the columns, less their means."""
    v = np.ldexp(v, -np.frexp(np.abs(v).max(0))[1])
    v = v - v.mean(0)
    norms = np.linalg.norm(v, axis=0)
    u, s, _ = np.linalg.svd(v / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(u[:, s > _RANK * s[0]])


_RANK = 1e-7  # of the largest singular value: below, a direction repeats the others
