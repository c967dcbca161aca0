"""Rows that hang together though nobody said so: what their order and repeated values tell.

A false value needs both sides: where the rows of y are independent, no x tells of y by chance. So
a warning needs both x and y to hang together with the row some rows before. The test of a column
is a rank version of von Neumann's ratio (Bartels, 1982,
https://doi.org/10.1080/01621459.1982.10477764), here the correlation of a row's score with an
earlier one, of normal scores and of their sizes. Half of the level is for the row before, half
for the others, which a season or visits in turn ask for. Where x and y tell of each other the two
tests are not independent, so each side has the level `ALARM` alone; false alarms on independent
rows are at most so many. A file that is sorted by the label is no alarm: then the other side must
hang together within the rows of each label.

Where a value is rare, the law of the correlation is that of how many such rows meet by chance
(`_chance`); normal scores without ties keep the normal law. The columns of a label with
many levels tell little each, so their sum is looked at, too: how many rows have the level of an
earlier one. Measured on 39 kinds of independent rows (even, skewed and related labels of 10 to 300
levels, flags of .1 to 50 %, numbers that are mostly 0, counts, files sorted by a label; 100 to
8,000 rows), 60 draws each, no table is an alarm.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, xlog1py
from torch import Tensor

from mine.data.autocorrelation import Series, columns_of, sample_autocorrelations, scores
from mine.data.levels import are_flags
from mine.data.ranks import middle_ranks
from mine.data.shared_work import once_a_column

ALARM = 0.002
LEAST = 0.05  # a correlation that matters
SAME = 0.5  # share of a column's values that stand in several rows
FEW = 20  # values that a label may have
GRID = 0.9  # share of the gaps between rounded values that are multiples of one step
LAGS = 200
ROUNDING = 1e-9  # share of the largest value
NORMAL = 3.0  # the fourth moment of a normal law
HEAD, MANY = 20_000, 200_000  # rows that are looked at for their order, for repeated values


def order_doubts(x: Tensor, y: Tensor) -> str:
    """A warning where rows hang together with those before them; "" where they do not.

    Args:
        x: (n, dx), in the order of the file.
        y: (n, dy), likewise.
    """
    head_x, head_y = x[:HEAD], y[:HEAD]
    of_x, of_y = _chances_beside(head_x, head_y), _chances_beside(head_y, head_x)
    share = np.full(len(of_x), 0.5 / max(1, len(of_x) - 1))
    share[0] = 0.5  # the row before is where most series and tables show it
    both = np.flatnonzero(np.maximum(of_x, of_y) < ALARM * share)
    if not len(both):
        return ""
    found = "the row before" if both[0] == 0 else f"the row {both[0] + 1} rows before"
    return (
        f"dependent rows: x and y both hang together with {found}, as in a time series or where "
        "rows of one subject stand together; value, interval and p-value take rows as "
        "independent, and may show what is not there: give order='time' or groups=, or shuffle "
        "the rows of a file that was sorted by a column"
    )


def repeat_doubts(x: Tensor, y: Tensor) -> str:
    """A warning where measured values repeat, as one case's do, and the other side goes with them;
    "" where they do not."""
    x, y = x[:MANY], y[:MANY]
    for name, one, other in (("x", x, y), ("y", y, x)):
        for i, column in enumerate(columns_of(one)):
            if _repeats(column) and any(_clusters(column, v) for v in columns_of(other)):
                return (
                    f"repeated values: column {i} of {name} has measured values that stand in "
                    "several rows each, and the other side goes with them, as where one subject "
                    "has several rows; value, interval and p-value take rows as independent: "
                    "give groups="
                )
    return ""


@once_a_column
def _runs(v: Tensor) -> NDArray[np.int64] | None:
    """The run of equal rows that each row is in, (n,), where the file is sorted by what they are,
    each value in one run; None elsewhere."""
    rows = v.detach().cpu().double().numpy()
    run = np.concatenate([[0], np.cumsum((rows[1:] != rows[:-1]).any(1))])
    count = int(run[-1]) + 1
    if 2 * count > len(rows) or len(np.unique(rows, axis=0)) < count:
        return None
    return run


def _chances_beside(v: Tensor, other: Tensor) -> Series:
    """See `_chances`: within the runs of the other side, where it has some."""
    runs = _runs(other)
    return _chances_alone(v) if runs is None else _chances(v, runs)


@once_a_column
def _chances_alone(v: Tensor) -> Series:
    return _chances(v, None)


def _chances(v: Tensor, runs: NDArray[np.int64] | None) -> Series:
    """How unlikely the largest correlation at each lag from 1 is, over the columns: (lags,)."""
    lags = min(LAGS, len(v) // 4)
    series = [_within(s, runs) for column in columns_of(v) for s in scores(column)]
    found = [_chances_of(s, runs, lags) for s in series]
    levels = None if runs is not None else _levels(v)
    if levels is not None:
        found.append(_chances_of_levels(levels, lags))
    return np.asarray(len(found) * np.min(found, 0))


def _chances_of(s: Series, runs: NDArray[np.int64] | None, lags: int) -> Series:
    """How unlikely the correlation of a series is, at each lag from 1: (lags,).

    A product of two rows has the square of a row's fourth moment, and a Poisson count of rare
    jumps the square of the jump: what is beyond normal scores is taken for such jumps.
    """
    r, free = sample_autocorrelations(s)[1 : lags + 1], float(len(s))
    if runs is not None:
        free, taken = _of_runs(s, runs, lags)
        r = r + taken
    square = (s - s.mean()) ** 2
    fourth = free * float(square @ square) / max(float(square.sum()) ** 2, 1e-300)
    return _chance(r, free, math.sqrt(max(fourth**2 - NORMAL**2, 0.0)))


def _chances_of_levels(level: NDArray[np.intp], lags: int) -> Series:
    """How unlikely it is that so many rows have the level of the row before: (lags,).

    The covariances of the levels' indicators, summed, over the sum of their variances.
    """
    n = len(level)
    share = np.bincount(level) / n
    same, cubes = float((share**2).sum()), float((share**3).sum())
    pairs = [np.count_nonzero(level[lag:] == level[:-lag]) for lag in range(1, lags + 1)]
    chance = same * (1.0 - np.arange(1, lags + 1) / n)
    jump = (1.0 - same) / (same - 2.0 * cubes + same**2)
    return _chance((np.array(pairs) / n - chance) / (1.0 - same), n * (1.0 - same) * jump, jump)


def _chance(r: Series, free: float, jump: float) -> Series:
    """How unlikely it is that correlations are as far from 0 as r.

    A correlation is a sum of products over `free` independent ones. Its law is the normal one
    where values are even. Where a few rows have a rare value, it is the law of how many of them
    meet: free r / jump is a Poisson count less its mean, free / jump^2, and the signed root of its
    deviance is normal, here half a count below. As jump goes to 0 this is sqrt(free) r.

    Args:
        r: (lags,).
        free: products of variance 1.
        jump: what a meeting adds to their sum; 0 where values are even.
    """
    size = np.abs(r)
    deviation = math.sqrt(free) * size
    if jump > 0.0:
        u = np.maximum(jump * size - jump**2 / (2.0 * free), 0.0)
        deviation = np.sqrt(2.0 * free * np.maximum(xlog1py(1.0 + u, u) - u, 0.0)) / jump
    return np.where(size < LEAST, 1.0, 2.0 * ndtr(-deviation))


@once_a_column
def _levels(v: Tensor) -> NDArray[np.intp] | None:
    """The level of each row where the columns are the indicators of a label's levels, (n,)."""
    rows = v.detach().cpu().numpy()
    if rows.shape[1] < 3 or not are_flags(rows) or (rows.sum(1) != 1).any():
        return None
    level = np.asarray(rows.argmax(1))
    return None if (level == level[0]).all() else level


def _within(v: Series, runs: NDArray[np.int64] | None) -> Series:
    """Less the mean of each run; 0, not what rounding leaves, where a run has one value."""
    if runs is None:
        return v
    left = v - (np.bincount(runs, v) / np.bincount(runs))[runs]
    return np.where(np.abs(left) > ROUNDING * np.abs(v).max(), left, 0.0)


def _of_runs(s: Series, runs: NDArray[np.int64], lags: int) -> tuple[float, Series]:
    """Of rows that are independent within their run, and less its mean: how many are free, and
    what the means take from the correlation at each lag from 1, (lags,).

    The rows of a run of c have -1 / (c - 1) when their mean is gone. A run counts by its share of
    the sum of squares: where a rare level stands in one run alone, the rows of that run are free.
    """
    rows, squares = np.bincount(runs), np.bincount(runs, s**2)
    rows, squares = rows[rows > 1], squares[rows > 1]
    share = squares / max(float(squares.sum()), 1e-300)
    counts, of = np.unique(rows, return_inverse=True)
    pairs = np.maximum(counts - np.arange(1, lags + 1)[:, None], 0)
    taken = pairs / (counts * (counts - 1.0)) @ np.bincount(of, share)
    return 1.0 / max(float((share**2 / (rows - 1.0)).sum()), 1e-300), np.asarray(taken)


@once_a_column
def _repeats(column: Series) -> bool:
    """Whether most values stand in several rows, and were measured: they are on no grid, as counts
    and rounded values are, in whatever units."""
    values, counts = np.unique(column, return_counts=True)
    if len(values) <= FEW or float(np.mean(counts > 1)) < SAME:
        return False
    gaps = np.diff(values)
    gaps = gaps[gaps > 1e-9 * (values[-1] - values[0])]
    steps = gaps.min() / np.arange(1, 11)
    places = gaps / steps[:, None]
    on_grid = (np.abs(places - np.round(places)) < 0.05).mean(1)
    return float(on_grid.max()) < GRID


def _clusters(column: Series, other: Series) -> bool:
    """Whether rows of one value are nearer in the other column's ranks than to those of the next
    values, as no smooth relation makes them.

    A value's mean rank less the mean of its two neighbours' has, where they are alike, a variance
    that the ranks within values tell. Its squares are compared with that.
    """
    _, group, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = middle_ranks(other)
    means = np.bincount(group, ranks) / counts
    within = float(((ranks - means[group]) ** 2).sum()) / max(1, len(ranks) - len(counts))
    bends = means[1:-1] - (means[:-2] + means[2:]) / 2.0
    chance = 1.0 / counts[1:-1] + (1.0 / counts[:-2] + 1.0 / counts[2:]) / 4.0
    ratio = float((bends**2).mean()) / max(float(chance.mean()) * within, 1e-300)
    # Neighbouring bends share means, which doubles the variance of their squares' mean at most.
    return ratio > 1.0 - float(ndtri(ALARM)) * math.sqrt(4.0 / len(bends))
