"""Columns that can be trained on: read, and their values checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mine.command.tables.source import Source, Values

LARGEST = 1e150
"""In size: the square of a larger number overflows, and with it every variance."""


@dataclass(frozen=True)
class Columns:
    """What was asked for.

    Attributes:
        values: name -> (n,), float64 or, for categories, str.
        dropped: rows left out because one of their values is missing.
        groups: which rows hang together, (n,); None where no column says so.
    """

    values: Mapping[str, Values]
    dropped: int = 0
    groups: Values | None = None

    @property
    def rows(self) -> int:
        return len(next(iter(self.values.values())))


def read_columns(
    source: Source, names: Sequence[str], categorical: Sequence[str] = (), drop: bool = False
) -> Columns:
    """The named columns, checked.

    Args:
        source: the table.
        names: columns to read.
        categorical: those of them whose values are levels, even where they look like numbers.
        drop: whether rows with missing values are left out; otherwise they are refused.

    Raises:
        ValueError: a value cannot be used, or a column has no information.
    """
    numbers = [name for name in names if name not in categorical]
    found = source.read(numbers, [name for name in names if name in categorical])
    values = {name: found[name] for name in names}
    _check_lengths(values)
    for name, column in values.items():
        _check_size(name, column)
    kept, dropped = _complete(values, drop)
    for name, column in kept.items():
        _check_varies(name, column)
    return Columns(kept, dropped)


def _complete(values: Mapping[str, Values], drop: bool) -> tuple[dict[str, Values], int]:
    """The rows without missing values, and the number of the others."""
    missing = {name: _missing(v) for name, v in values.items()}
    bad = np.logical_or.reduce(list(missing.values()))
    count = int(bad.sum())
    if count and not drop:
        where = ", ".join(f"{int(m.sum())} in {name!r}" for name, m in missing.items() if m.any())
        raise ValueError(
            f"expected no missing values, got {count} of {len(bad)} rows with some ({where}): "
            "give --drop-missing to leave these rows out, or fill them in"
        )
    return {name: v[~bad] for name, v in values.items()}, count


def _missing(values: Values) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.array([v is None for v in values], dtype=bool)
    return np.isnan(values)


def _check_lengths(values: Mapping[str, Values]) -> None:
    lengths = {name: len(v) for name, v in values.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"expected columns of equal length, got {lengths}: bring the same rows of each"
        )


def _check_size(name: str, values: Values) -> None:
    if values.dtype == object or not (beyond := np.abs(values) > LARGEST).any():
        return
    row = int(np.argmax(beyond))
    raise ValueError(
        f"expected numbers up to {LARGEST:g} in size, got {values[row]} in column {name!r}, "
        f"row {row + 1}: leave the row out, or divide the column by a constant, which changes "
        "no information"
    )


def _check_varies(name: str, values: Values) -> None:
    if not len(values):
        raise ValueError(f"expected rows of data, got none in column {name!r}: bring some")
    if (values == values[0]).all():
        raise ValueError(
            f"every column must vary, got {values[0]!s} in all {len(values)} rows of {name!r}: "
            "leave it out, a constant tells nothing"
        )
