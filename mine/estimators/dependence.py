"""From the arguments `groups`, `order` and `blocks` to how the rows hang together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mine.data.autocorrelation import block_length
from mine.data.containers import Column, columns_in, unpacked
from mine.data.dependence import PARTS, Dependence
from mine.data.gaps import GAPS, has_gaps
from mine.data.grouped import Grouped
from mine.data.timed import Timed
from mine.estimators.rows import Rows

LEAST_GROUPS = 20
LEAST_BLOCKS = 12
ORDERS = ("time",)


def dependence_of(
    sides: Sequence[tuple[Rows, Rows]],
    groups: Any = None,
    order: str | None = None,
    blocks: int | None = None,
) -> Dependence | None:
    """How rows hang together; None where no argument says that they do.

    Args:
        sides: pairs (x, y) of equally many rows. The slowest says how long a block is.
        groups: the group of each row, of any type; (N,) of all rows where some were left out.
        order: "time" where the rows are in the order of time.
        blocks: rows of a block; None for what `mine.data.autocorrelation` finds.

    Raises:
        ValueError: the arguments cannot be right, or the rows are too few to answer.
    """
    n = len(sides[0][0].values)
    if order is not None and not (isinstance(order, str) and order in ORDERS):
        raise ValueError(f"order must be one of {list(ORDERS)}, got {order!r}: or leave it out")
    timed = order is not None or blocks is not None
    if groups is not None and timed:
        raise ValueError(
            "expected groups or order and blocks, got both: give groups where rows of several "
            "series or subjects are in the table, order='time' where all are one series"
        )
    kept = sides[0][0].kept
    if groups is not None:
        return grouped(groups, n, kept)
    if timed and kept is not None and has_gaps(kept):
        raise ValueError(GAPS)
    return _timed(sides, n, blocks) if timed else None


def grouped(groups: Any, n: int, kept: NDArray[np.bool_] | None = None) -> Grouped:
    """How n rows hang together by the groups of all rows, of which these are `kept`.

    Raises:
        ValueError: these are no groups of n rows, or too few to split.
    """
    column = _column(groups)
    rows = n if kept is None else len(kept)
    if len(column.values) != rows:
        raise ValueError(
            f"groups must have a value a row, got {len(column.values)} for {rows} rows"
        )
    found = Grouped(_ids(column if kept is None else column.kept(kept)))
    count, largest = len(found.sizes), max(found.sizes)
    if count < LEAST_GROUPS:
        raise ValueError(
            f"expected at least {LEAST_GROUPS} groups, got {count}: rows of one group tell of one "
            "case, so bring more groups"
        )
    if largest * 2 * PARTS > n:
        raise ValueError(
            f"expected no group with more than a tenth of the rows, got one of {largest} of {n}: "
            "leave some of its rows out"
        )
    return found


def _column(groups: Any) -> Column:
    held = unpacked("groups", groups)
    values = np.asarray(held.to_numpy() if hasattr(held, "to_numpy") else held)
    if values.ndim != 1:
        raise ValueError(f"groups must have shape (n,), got {values.shape}: give one id a row")
    return next(columns_in(values))


def _ids(column: Column) -> torch.Tensor:
    if column.is_missing.any():
        raise ValueError("groups must be known, got a missing one: drop these rows")
    values = column.values
    texts = values.astype(str) if values.dtype.kind == "O" else values
    return torch.from_numpy(np.unique(texts, return_inverse=True)[1].astype(np.int64))


def _timed(sides: Sequence[tuple[Rows, Rows]], n: int, blocks: int | None) -> Timed:
    if blocks is None:
        length = max(block_length(x.values, y.values) for x, y in sides)
    elif type(blocks) is int and blocks >= 1:
        length = blocks
    else:
        raise ValueError(f"blocks must be a whole number of rows >= 1, got {blocks!r}: such as 20")
    if n < LEAST_BLOCKS * length:
        raise ValueError(
            f"no answer: expected at least {LEAST_BLOCKS} blocks of rows that do not hang "
            f"together, got {n} rows of x and y that hang together over {length}, which makes "
            f"{math.floor(n / length)}: bring {LEAST_BLOCKS * length} rows or more, or take the "
            "differences from row to row of a series that drifts"
        )
    return Timed(length)
