"""A user's rows as columns of numbers, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mine.data.columns import Layout, as_columns

LEAST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of numbers, and what they are.

    Attributes:
        values: (n, d) float64.
        layout: names and levels of the columns.
    """

    values: Tensor
    layout: Layout


def as_rows(name: str, v: Any) -> Rows:
    """A user's argument as columns of numbers on the CPU; `name` stands in messages."""
    return v if isinstance(v, Rows) else Rows(*as_columns(name, v))


def as_pair(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> tuple[Rows, Rows]:
    """x and y as columns of numbers on the CPU, checked."""
    a, b = (as_rows(name, v) for name, v in zip(names, (x, y), strict=True))
    check_paired(a, b, names)
    for name, rows in zip(names, (a, b), strict=True):
        check_varying(name, rows)
    return a, b


def columns_of(rows: Rows) -> list[Rows]:
    """One `Rows` for each column that the user gave; a column of categories keeps its levels."""
    layout = rows.layout
    widths = [len(of) or 1 for of in layout.levels]
    return [
        Rows(part.contiguous(), Layout((name,), (levels,)))
        for name, levels, part in zip(
            layout.names, layout.levels, rows.values.split(widths, 1), strict=True
        )
    ]


def check_paired(x: Rows, y: Rows, names: tuple[str, str] = ("x", "y")) -> None:
    """
    Raises:
        ValueError: they have not as many rows, or too few.
    """
    n, m = len(x.values), len(y.values)
    if n != m:
        raise ValueError(
            f"{names[0]} and {names[1]} must pair up row by row, got {n} and {m} rows: "
            "drop the rows that one of them lacks"
        )
    if n < LEAST_ROWS:
        raise ValueError(
            f"expected at least {LEAST_ROWS} rows to train and test on, got {n}: bring more"
        )


def check_varying(name: str, rows: Rows) -> None:
    """
    Raises:
        ValueError: a column has one value.
    """
    constant = constant_columns(rows)
    if constant:
        raise ValueError(
            f"every column must vary, got column {constant[0]} of {name} constant: drop it, "
            "a constant tells nothing"
        )


def constant_columns(rows: Rows) -> list[str]:
    """The labels of the columns that have one value."""
    same = (rows.values == rows.values[0]).all(0)
    if not same.any():
        return []
    return [label for label, is_same in zip(rows.layout.labels, same, strict=True) if is_same]
