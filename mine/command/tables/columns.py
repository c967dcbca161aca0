"""Columns that can be trained on: read, and their values checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mine.command.tables.source import Column, Source, Values, in_one
from mine.data.gaps import has_gaps
from mine.data.sentinels import sentinel

LARGEST = 1e150
"""In size: the square of a larger number overflows, and with it every variance."""


@dataclass(frozen=True)
class Columns:
    """What was asked for.

    Attributes:
        values: name -> (n,), float64 or, for categories, str.
        dropped: rows left out because one of their values is missing.
        taken_as: name -> what a column's values were taken for, where nobody asked for that.
        doubts: what is odd about a column's values, each with what to do.
        left_out: name -> why a column was left out.
        has_gaps: whether some of the rows left out stood between others.
        groups: which rows hang together, (n,); None where no column says so.
    """

    values: Mapping[str, Values]
    dropped: int = 0
    taken_as: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    has_gaps: bool = False
    groups: Values | None = None

    @property
    def rows(self) -> int:
        return len(next(iter(self.values.values())))


def read_columns(
    source: Source,
    names: Sequence[str],
    categorical: Collection[str] = (),
    drop: bool = False,
    na: Sequence[str] = (),
    whole: bool = False,
) -> Columns:
    """The named columns, checked.

    Args:
        source: the table.
        names: columns to read.
        categorical: those of them whose values are levels, even where they look like numbers.
        drop: whether rows with missing values are left out; otherwise they are refused.
        na: what stands for a missing value, beside what the source knows.
        whole: whether a whole table is read: then a column without values, or of whole numbers
            beyond 2^53, is left out, and a column with one value may stay.

    Raises:
        ValueError: a value cannot be used, or a column has no information.
    """
    found = source.read(names, categorical)
    values = {name: _marked(found[name], na) for name in names}
    _check_lengths(values)
    rounded = {name: one.rounded for name, one in found.items() if one.rounded is not None}
    if rounded and not whole:
        raise ValueError(in_one([_rounding_problem(*pair) for pair in rounded.items()]))
    left_out = dict.fromkeys(rounded, "it has integers beyond 2^53")
    values = {name: v for name, v in values.items() if name not in rounded}
    _check_each(values, _size_problem)
    empty = [name for name, v in values.items() if whole and len(v) and _missing(v).all()]
    left_out |= dict.fromkeys(empty, "it has no values")
    values = {name: v for name, v in values.items() if name not in left_out}
    if not values:
        raise ValueError(f"expected columns with values, got none in all {len(names)}: bring some")
    kept, left = _complete(values, drop)
    if not whole:
        _check_each(kept, _constant_problem)
    taken = {name: c.taken_as for name, c in found.items() if c.taken_as and name in kept}
    dropped = int((~left).sum())
    return Columns(kept, dropped, taken, _doubts(kept), left_out, has_gaps(left))


def _marked(column: Column, na: Sequence[str]) -> Values:
    """A column's values, missing where they are what the user says stands for that."""
    values = column.values
    if values.dtype == object:
        return np.array([None if v in na else v for v in values], object) if na else values
    for number in filter(None, map(_number, na)):
        values = np.where(values == number, np.nan, values)
    return values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _doubts(values: Mapping[str, Values]) -> tuple[str, ...]:
    found = {name: sentinel(v) for name, v in values.items() if v.dtype != object}
    return tuple(
        f"column {name!r} has {one[0]:.15g} in {one[1]} rows, apart from all other values: give "
        f"--na={one[0]:.15g} if it stands for a missing value"
        for name, one in found.items()
        if one is not None
    )


def _complete(
    values: Mapping[str, Values], drop: bool
) -> tuple[dict[str, Values], NDArray[np.bool_]]:
    """The rows without missing values, and which of all rows these are."""
    missing = {name: _missing(v) for name, v in values.items()}
    bad = np.logical_or.reduce(list(missing.values()))
    count = int(bad.sum())
    where = ", ".join(f"{int(m.sum())} in {name!r}" for name, m in missing.items() if m.any())
    if count and not drop:
        raise ValueError(
            f"expected no missing values, got {count} of {len(bad)} rows with some ({where}): "
            "give --drop-missing to leave these rows out, or fill them in"
        )
    if count and count == len(bad):
        raise ValueError(
            f"expected rows without missing values, got none of {count} ({where}): leave a column "
            "out, or fill it in"
        )
    if not count:
        return dict(values), ~bad
    _check_left(values, missing, bad)
    return {name: v[~bad] for name, v in values.items()}, ~bad


def _check_left(
    values: Mapping[str, Values],
    missing: Mapping[str, NDArray[np.bool_]],
    bad: NDArray[np.bool_],
) -> None:
    """Refuses a column that varies no longer, and blames the columns whose rows were dropped."""
    for name, v in values.items():
        kept, before = v[~bad], v[~missing[name]]
        if len(kept) and _is_constant(kept) and not _is_constant(before):
            where = ", ".join(
                f"{int(m.sum())} in {other!r}" for other, m in missing.items() if m.any()
            )
            raise ValueError(
                f"every column must vary, got {kept[0]!s} in the {len(kept)} rows of {name!r} "
                f"that --drop-missing leaves of {len(v)} (missing are {where}): leave out the "
                "column that is missing so often, or fill it in"
            )


def _is_constant(values: Values) -> bool:
    return bool((values == values[0]).all())


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


def _check_each(values: Mapping[str, Values], problem: Callable[[str, Values], str]) -> None:
    """Says in one error what is wrong with any of the columns."""
    found = [text for name, v in values.items() if (text := problem(name, v))]
    if found:
        raise ValueError(in_one(found))


def _size_problem(name: str, values: Values) -> str:
    if values.dtype == object or not (beyond := np.abs(values) > LARGEST).any():
        return ""
    row = int(np.argmax(beyond))
    return (
        f"expected numbers up to {LARGEST:g} in size, got {values[row]} in column {name!r}, "
        f"row {row + 1}: leave the row out, or divide the column by a constant, which changes "
        "no information"
    )


def _rounding_problem(name: str, example: int) -> str:
    return (
        f"expected whole numbers up to 2^53 in column {name!r}, got {example}, whose last digits "
        "would be lost: subtract the smallest one first, which changes no information, or give "
        f"--categorical {name} if they are names"
    )


def _constant_problem(name: str, values: Values) -> str:
    if not len(values):
        return f"expected rows of data, got none in column {name!r}: bring some"
    if not _is_constant(values):
        return ""
    return (
        f"every column must vary, got {values[0]!s} in all {len(values)} rows of {name!r}: "
        "leave it out, a constant tells nothing"
    )
