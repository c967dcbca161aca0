"""A user's rows as columns of numbers, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.data.columns import Layout, Raw, as_raw, coded
from mine.estimators.alignment import aligned
from mine.running.estimates import Estimate

LEAST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of numbers, and what they are.

    Attributes:
        values: (n, d) float64.
        layout: names and levels of the columns.
        kept: (N,), which of the user's N rows these n are; None for all.
    """

    values: Tensor
    layout: Layout
    kept: NDArray[np.bool_] | None = None


def as_rows(name: str, v: Any) -> Rows:
    """A user's argument as columns of numbers on the CPU; `name` stands in messages."""
    return Rows(*coded(as_raw(name, v)))


def as_pair(
    x: Any, y: Any, names: tuple[str, str] = ("x", "y"), drop_missing: bool = False
) -> tuple[Rows, Rows]:
    """x and y as columns of numbers on the CPU, checked."""
    a, b = as_sides((x, y), names, drop_missing)
    return a, b


def as_sides(
    values: Sequence[Any], names: Sequence[str], drop_missing: bool = False
) -> list[Rows]:
    """Rows that pair up, as columns of numbers on the CPU, checked.

    Args:
        values: what the user gave for each side; those of pandas' are aligned by their index.
        names: of the sides, for messages.
        drop_missing: whether rows with a missing value on any side are left out of all.
    """
    raws = [as_raw(name, v) for name, v in zip(names, aligned(values, names), strict=True)]
    raws, kept = complete(raws) if drop_missing else (raws, None)
    found = [replace(Rows(*coded(raw)), kept=kept) for raw in raws]
    for name, rows in zip(names, found, strict=True):
        check_paired(found[0], rows, (names[0], name))
        check_varying(name, rows)
    return found


def complete(raws: Sequence[Raw]) -> tuple[list[Raw], NDArray[np.bool_] | None]:
    """The rows without missing values, and which these are; None for all."""
    for raw in raws:
        _check_lengths(len(raws[0].is_missing), len(raw.is_missing), (raws[0].name, raw.name))
    missing = np.logical_or.reduce([raw.is_missing for raw in raws])
    if not missing.any():
        return list(raws), None
    n = len(missing)
    if n - int(missing.sum()) < LEAST_ROWS:
        counts = [
            f"{int(part.is_missing.sum())} in {part.name!r} of {raw.name}"
            for raw in raws
            for part in raw.parts
            if part.is_missing.any()
        ]
        raise ValueError(
            f"expected at least {LEAST_ROWS} rows without missing values, got "
            f"{n - int(missing.sum())} of {n} (missing are {', '.join(counts)}): leave out a "
            "column that is missing so often, or fill it in"
        )
    return [raw.kept(~missing) for raw in raws], ~missing


def noted(e: Estimate, rows: Rows) -> Estimate:
    """The estimate, with a warning where rows were left out."""
    if rows.kept is None:
        return e
    n = len(rows.kept)
    text = (
        f"missing: {n - len(rows.values)} of {n} rows were left out, and the value is one of the "
        "others: fill in what is missing if it is not missing by chance"
    )
    return replace(e, warnings=(*e.warnings, text))


def beside(sides: Sequence[Rows]) -> Rows:
    """The columns of all sides, as one."""
    found = sides[0]
    for other in sides[1:]:
        values = torch.cat([found.values, other.values], 1)
        found = replace(found, values=values, layout=found.layout.beside(other.layout))
    return found


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
    _check_lengths(n, m, names)
    if n < LEAST_ROWS:
        raise ValueError(
            f"expected at least {LEAST_ROWS} rows to train and test on, got {n}: bring more"
        )


def _check_lengths(n: int, m: int, names: tuple[str, str]) -> None:
    if n != m:
        raise ValueError(
            f"{names[0]} and {names[1]} must pair up row by row, got {n} and {m} rows: "
            "drop the rows that one of them lacks"
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
