r"""Nearest neighbours for a label and numbers: I(X; Y) where one side is discrete, in nats.

Ross, "Mutual information between discrete and continuous data sets", PLoS ONE 9, e87357 (2014),
https://doi.org/10.1371/journal.pone.0087357, Eq. 2: of n rows, n_i have the level of row i,

    I = psi(n) - < psi(n_i) > + < psi(k_i) - psi(m_i) >.

m_i counts the rows of any level that are no farther from row i than its k_i-th neighbour of its
own level, k_i = k or, in a level of few rows, n_i - 1. Distances are the maximum norm over columns
that are standardised, or normal scores where tails are heavy. Then they are made uncorrelated:
the difference of two columns that are nearly equal would be lost otherwise. Equal values, as of
rounded numbers and counts, are moved apart by seeded jitter far below their gaps, so that it is
chance which of several neighbours at one distance come first. To count all of them, as Gao,
Kannan, Oh and Viswanath (2017, https://arxiv.org/abs/1709.06212) do, gave .05 nats too little for
y = N(label, 1) in steps of .01 and 5,000 rows. A level of one row has no neighbour: its row is
left out, and a warning says so. Nothing is trained.

As for KSG, the estimate falls short where neighbours are far: with many columns, and with few
where the edge of a level is sharp. For the place of the largest of five columns (2,000 rows,
1.61 nats) it gives 1.32. `shortfall` says by about how much: on nine such laws of three to five
columns it was .8 to 2.1 times the error, and on laws without such edges 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import digamma

from mine.data.levels import Codes, are_flags, as_sides, check_labels, codes_of
from mine.data.preprocessing import is_heavy
from mine.data.ranks import normal_scores
from mine.data.whitening import standardised, whitening
from mine.method.doubts import FARTHER, MOST_ROWS, Doubt, tolerance
from mine.method.method import NEITHER, Method, direct_method

Values = NDArray[np.float64]

JITTER = 1e-6  # of the median gap between a column's distinct values
LEVEL_ROWS = 20  # of a level, with fewer of which the estimate warns
MOST_COLUMNS = 5  # of numbers, with more of which it falls short
SURE = 3.0  # standard errors of what the value loses with them

INFLATION = 1.3
"""As for KSG (`mine.method.ksg`): on 16 laws of 1 to 10 columns and 200 to 5,000 rows, 30 to 60
draws each, the standard deviation of the estimate over repeats was .9 to 1.5 times that of the
local terms over sqrt(n), 1.1 on median."""


@dataclass(frozen=True)
class MixedResult:
    """An estimate of I(label; numbers).

    Attributes:
        nats: the estimate; negative values are sampling error.
        stderr: its standard error, in nats: that of the local terms, and about the bias: what the
            value changes by with 2 k neighbours or, of several columns, the shortfall.
        warnings: what a reader of the number should know.
    """

    nats: float
    stderr: float
    warnings: tuple[str, ...]


def mixed(x: Any, y: Any, k: int = 3, seed: int = 0) -> MixedResult:
    """I(X; Y) where one side is a label: that of 0 and 1 alone, or of fewer levels.

    Args:
        x: (n, dx) or (n,), numpy or torch.
        y: (n, dy) or (n,).
        k: neighbours.
        seed: of the jitter, which is drawn only where values are equal.

    Raises:
        ValueError: neither side is a label.
    """
    sides = as_sides(x, y)
    check_labels("mixed", sides, 1)
    levels, numbers = _levels_and_numbers(sides)
    rows = np.bincount(levels)
    kept = rows[levels] > 1
    levels = levels[kept]
    numbers = _prepared(numbers[kept], seed)
    local, other = _local(levels, numbers, k), _local(levels, numbers, 2 * k)
    nats = float(local.mean())
    spread = INFLATION * float(local.std(ddof=1)) / math.sqrt(len(local))
    lone = (1.0 - float(kept.mean())) * math.log(len(kept))  # the most that a lone row can tell
    bias = abs(nats - float(other.mean()))
    if numbers.shape[1] > 1:
        bias = max(bias, _shortfall(levels, numbers, k))
    stderr = math.hypot(spread, bias, lone)
    return MixedResult(nats, stderr, _doubts(rows, numbers.shape[1]))


def shortfall(x: Any, y: Any, k: int = 3) -> float:
    """About how far the estimate falls short, in nats; 0 where that may be chance.

    At a sharp edge of a level the bias grows as the distance of the k-th neighbour does, which is
    (k / n)^(1 / d) in d columns. What the value loses with `FARTHER` times as many neighbours then
    tells what it has lost already.

    Arguments as for `mixed`.
    """
    levels, numbers = _levels_and_numbers(as_sides(x, y))
    return _shortfall(levels, _prepared(numbers, 0), k)


def _levels_and_numbers(sides: Sequence[Values]) -> tuple[Codes, Values]:
    """The label's levels, (n,), and the other side, (n, d).

    The label is the side of nothing but 0 and 1, as of coded text, or else that of fewer levels.
    """
    codes = [codes_of(side) for side in sides]
    flags = [are_flags(side) for side in sides]
    label = min((0, 1), key=lambda side: (not flags[side], int(codes[side].max())))
    return codes[label], sides[1 - label]


def _shortfall(levels: Codes, numbers: Values, k: int) -> float:
    """The same of prepared columns."""
    n, every = len(levels), math.ceil(len(levels) / MOST_ROWS)
    levels, numbers = levels[::every], numbers[::every]
    kept = np.bincount(levels)[levels] > FARTHER * k
    levels, numbers = levels[kept], numbers[kept]
    if len(levels) <= 2 * FARTHER * k:
        return 0.0
    fall = _local(levels, numbers, k) - _local(levels, numbers, FARTHER * k)
    if fall.mean() <= SURE * float(fall.std(ddof=1)) / math.sqrt(len(fall)):
        return 0.0
    root = 1.0 / numbers.shape[1]
    return float(fall.mean()) / (FARTHER**root - 1.0) * (len(levels) / n) ** root


def _prepared(numbers: Values, seed: int) -> Values:
    """The columns in units in which distances mean something: see the module."""
    rng = np.random.default_rng(seed)
    z = np.stack([_apart(_units(column), rng) for column in numbers.T], 1)
    if z.shape[1] == 1:
        return z
    return np.asarray((z - z.mean(0)) @ whitening(np.cov(z.T)))


def _units(column: Values) -> Values:
    """Standardised; normal scores where tails are heavy: they would shrink all other distances."""
    if is_heavy(column):
        return normal_scores(column)
    return standardised(column)


def _apart(column: Values, rng: np.random.Generator) -> Values:
    """The column, equal values moved apart by far less than others differ."""
    gaps = np.diff(np.sort(column))
    if gaps.min() > 0:
        return column
    return np.asarray(
        column + JITTER * np.median(gaps[gaps > 0]) * rng.uniform(-1, 1, len(column))
    )


def _local(levels: Codes, numbers: Values, k: int) -> Values:
    """The term of each row, (n,). Each level has two rows or more."""
    n, size = len(levels), np.bincount(levels)[levels]
    near, radius = np.minimum(k, size - 1), np.empty(n)
    order = np.argsort(levels, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(levels))[:-1]):
        if len(rows):
            own, place = numbers[rows], near[rows[0]] + 1
            distance, _ = cKDTree(own).query(own, [place], p=np.inf)
            radius[rows] = distance[:, 0]
    # Strictly below the radius, where a row counts itself in place of its last neighbour.
    within = cKDTree(numbers).query_ball_point(
        numbers, np.nextafter(radius, 0), np.inf, return_length=True
    )
    return np.asarray(digamma(n) - digamma(size) + digamma(near) - digamma(within))


def _doubts(rows: NDArray[np.intp], columns: int) -> tuple[str, ...]:
    rare, lone = int((rows < LEVEL_ROWS).sum()), int((rows == 1).sum())
    found = []
    if rare:
        left_out = f"; {lone} of one row were left out" * bool(lone)
        found.append(
            f"rare levels: {rare} of {len(rows)} levels have fewer than {LEVEL_ROWS} rows"
            f"{left_out}: bring more rows of them, or join levels"
        )
    if columns > MOST_COLUMNS:
        found.append(
            f"many columns: neighbours are far in {columns} columns, the value falls short, and "
            "its standard error does not cover that: take method='auto'"
        )
    return tuple(found)


def falls_short(nats: float, x: Any, y: Any, k: int = 3) -> float:
    """The shortfall, if it is worth a doubt about the value; else 0."""
    lost = shortfall(x, y, k)
    return lost if lost > tolerance(nats) / 2.0 else 0.0


def _doubted(nats: float, stderr: float, x: Any, y: Any, k: int) -> Doubt | None:
    lost = falls_short(nats, x, y, k)
    if not lost:
        return None
    return Doubt(
        lost,
        f"far neighbours: the value falls where {FARTHER * k} neighbours are taken, not {k}, "
        f"so that it may lie too low by about {lost:.2f} nats: bring more rows, or fewer columns, "
        "or take method='auto'",
    )


def mixed_method() -> Method:
    return direct_method(
        name="mixed",
        reports="k-nearest neighbours within each level of a label",
        kind=NEITHER,
        source="Ross 2014",
        good_at="a label on one side and few columns of numbers on the other",
        estimate=lambda x, y, k, seed, device: mixed(x, y, k, seed),
        discrete_sides=1,
        uses=("k", "preprocess"),
        doubted=_doubted,
    )


METHODS = (mixed_method,)
