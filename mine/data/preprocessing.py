r"""Preprocessing: columns in units that suit a network, fitted on the training rows alone.

- ``none``: unchanged.
- ``standardise``: minus the mean, divided by the standard deviation.
- ``rank``: uniform scores, the values of the column's empirical distribution function F.
- ``copula``: normal scores, the normal quantiles of these values.
- ``auto``: ``copula`` for the columns whose tails are heavy (`is_heavy`), else ``standardise``.

All are increasing functions of each column, so none changes I(X; Y) (Kraskov et al., 2004,
https://arxiv.org/abs/cond-mat/0305641, Sec. II). F is linear between the training rows' values;
a value that several rows share gets their middle rank. Above the largest training value it is

    F(x) = 1 - (1 - F_max) s / (s + x - x_max),    s the training rows' range,

and below the smallest one likewise, so that it increases everywhere. Columns of 0 and 1 that stand
for levels are left unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from mine.data.shared_work import once_a_column

KINDS = ("none", "standardise", "rank", "copula", "auto")
FITTED = KINDS[:-1]  # what a single column's kind can be, after `auto` has chosen
RANKED = ("rank", "copula")  # the kinds that need the distribution function

HEAVY = 7.0
"""Width of the central 99 % of rows over that of the central 50 %, beyond which tails are heavy.

A normal has 3.8, Laplace 6.6, Student t(3) 7.6, Cauchy 64."""
FEW_VALUES = 20  # distinct values: a column with at most this many is discrete
_KNOTS = 4096  # most points of a distribution function
_LARGEST = 1e6  # standard deviations: a value farther away would overflow a network
_DISTINCT = 0.9  # share of a column's distinct values that standardising must keep apart
_NEAREST = 1e-12  # least distance of a rank from 0 and from 1

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Transform:
    """A preprocessing that is fitted to the columns of X or of Y.

    Attributes:
        kinds: of each column, one of `FITTED`.
        shift: (d,), the mean of each standardised column; 0 for the others.
        scale: (d,), the standard deviation of each standardised column; 1 for the others.
        knots: of each column, (2, q): values, and the distribution function there; q = 0 for
            columns that are not in `RANKED`.
    """

    kinds: tuple[str, ...]
    shift: Values
    scale: Values
    knots: tuple[Values, ...]

    def __post_init__(self) -> None:
        d = len(self.kinds)
        right = (
            set(self.kinds) <= set(FITTED)
            and self.shift.shape == self.scale.shape == (d,)
            and bool((self.scale > 0).all())
            and len(self.knots) == d
            and all(_is_distribution(k, of) for k, of in zip(self.kinds, self.knots, strict=True))
        )
        if not right:
            raise ValueError(
                "expected a fitted preprocessing, got numbers that are none: fit anew"
            )

    def __call__(self, rows: Tensor) -> Tensor:
        """(n, d) float64 -> (n, d) float32."""
        moved = (rows - torch.from_numpy(self.shift)) / torch.from_numpy(self.scale)
        for i, (kind, knots) in enumerate(zip(self.kinds, self.knots, strict=True)):
            if kind in RANKED:
                u = distribution(rows[:, i].numpy(), knots)
                score = ndtri(u) if kind == "copula" else (u - 0.5) * math.sqrt(12.0)
                moved[:, i] = torch.from_numpy(score)
        return moved.clamp(-_LARGEST, _LARGEST).float()


def _is_distribution(kind: str, knots: Values) -> bool:
    if kind not in RANKED:
        return knots.shape == (2, 0)
    x, u = knots if knots.ndim == 2 and len(knots) == 2 else (knots[:0], knots[:0])
    increasing = bool((np.diff(x) > 0).all() and (np.diff(u) > 0).all())
    return x.size > 0 and increasing and u[0] > 0.0 and u[-1] < 1.0


def fit(kind: str, rows: Tensor, coded: Sequence[bool]) -> Transform:
    """Fits a preprocessing to training rows.

    Args:
        kind: one of `KINDS`.
        rows: (n, d) float64.
        coded: for each column, whether it stands for a level.
    """
    if kind not in KINDS:
        raise ValueError(f"preprocess must be one of {list(KINDS)}, got {kind!r}")
    d = rows.shape[1]
    shift, scale = torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64)
    columns = [v.numpy() for v in rows.T]
    kinds = tuple("none" if c else _kind_of(kind, v) for v, c in zip(columns, coded, strict=True))
    standard = torch.tensor([k == "standardise" for k in kinds])
    if standard.any():
        shift[standard], scale[standard] = _moments(rows[:, standard])
    knots = tuple(
        _knots(v) if k in RANKED else np.empty((2, 0)) for v, k in zip(columns, kinds, strict=True)
    )
    return Transform(kinds, shift.numpy(), scale.numpy(), knots)


@once_a_column
def in_units(rows: Tensor, kind: str, coded: tuple[bool, ...]) -> Tensor:
    """(n, d) float64, in the units of one of `KINDS` fitted to all of these rows."""
    if kind == "standardise":
        return standardised(rows, coded)
    return fit(kind, rows, coded)(rows).double()


@once_a_column
def standardised(rows: Tensor, coded: tuple[bool, ...]) -> Tensor:
    """(n, d) float64, standardised without rounding to float32; columns of a level stay."""
    shift, scale = _moments(rows)
    return torch.where(torch.tensor(coded), rows, rows / scale - shift / scale)


@once_a_column
def check_standard(rows: Tensor, coded: tuple[bool, ...]) -> None:
    """
    Raises:
        ValueError: a value is so far out that standardising makes the others equal.
    """
    for before, after in zip(rows.T, standardised(rows, coded).T, strict=True):
        if len(after.unique()) < _DISTINCT * len(before.unique()):
            raise ValueError(
                "expected columns that a standard deviation describes, got values up to "
                f"{before.abs().max():.3g} beside a median of {before.abs().median():.3g}: drop "
                "that row, or take preprocess='copula'"
            )


def _kind_of(kind: str, column: Values) -> str:
    if kind == "auto":
        return "copula" if is_heavy(column) else "standardise"
    return kind


@once_a_column
def is_heavy(column: Values) -> bool:
    """Whether the central 99 % of rows are more than `HEAVY` times as wide as the central 50 %.

    A column with at most `FEW_VALUES` distinct values is never heavy.
    """
    low, quarter, three, high = np.quantile(column, [0.005, 0.25, 0.75, 0.995])
    if high / 2 - low / 2 <= HEAVY * (three / 2 - quarter / 2):
        return False
    return len(np.unique(column)) > FEW_VALUES


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of columns; the latter is 1 for a constant column.

    They are computed in units of a power of two for each column, so that 1e300 has a square.
    """
    exponent = torch.frexp(rows.abs().amax(0)).exponent.clamp(-1000, 1024) - 1
    unit = torch.ldexp(torch.ones(rows.shape[1], dtype=rows.dtype), exponent)
    small = rows / unit
    deviation = small.std(0) * unit
    return small.mean(0) * unit, deviation.where(deviation > 0, torch.ones_like(deviation))


def _knots(column: Values) -> Values:
    """Values, and the distribution function there: (2, q)."""
    values, counts = np.unique(column, return_counts=True)
    u = (np.cumsum(counts) - counts / 2.0) / len(column)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), _KNOTS)).round())
    return np.stack([values, u])[:, chosen.astype(np.int64)]


def distribution(column: Values, knots: Values) -> Values:
    """The empirical distribution function at each value of a column, in (0, 1)."""
    x, u = knots
    v = np.clip(column, -1e307, 1e307)
    found = np.interp(v, x, u)
    span = x[-1] - x[0] or max(abs(x[0]), 1.0)
    above, below = v > x[-1], v < x[0]
    found[above] = 1.0 - (1.0 - u[-1]) * span / (span + (v[above] - x[-1]))
    found[below] = u[0] * span / (span + (x[0] - v[below]))
    return np.clip(found, _NEAREST, 1.0 - _NEAREST)
