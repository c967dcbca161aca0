"""A user's rows as columns of numbers, from numpy, torch, pandas, polars or lists.

A column of text, categories or booleans becomes one column of 0 and 1 for each of its levels. The
levels are kept in a `Layout`, so that other rows can be read in the same way later. For example

    side  z                 side = l    side = r    z
    "l"   0.5       ->      1           0           0.5
    "r"   2.0               0           1           2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 200  # most levels of a column: one with more is an identifier, or free text
_CODED = ("cat", "enum", "bool", "str", "utf8")  # beginnings of the names of types with levels


@dataclass(frozen=True)
class Layout:
    """The columns of a user's table, and the columns of numbers that they become.

    Attributes:
        names: of the table's columns.
        levels: the sorted levels of each of the table's columns; () for a column of numbers.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def numbers(cls, width: int) -> Layout:
        return cls(tuple(str(i) for i in range(width)), ((),) * width)

    @property
    def width(self) -> int:
        """How many columns of numbers there are."""
        return sum(len(of) or 1 for of in self.levels)

    @property
    def coded(self) -> tuple[bool, ...]:
        """For each column of numbers, whether it stands for a level."""
        return tuple(bool(of) for of in self.levels for _ in range(len(of) or 1))

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each column of numbers."""
        pairs = zip(self.names, self.levels, strict=True)
        return tuple(f"{n} = {one}" if of else n for n, of in pairs for one in (of or ("",)))

    def beside(self, other: Layout) -> Layout:
        """The columns of this table, then those of the other."""
        return Layout(self.names + other.names, self.levels + other.levels)


@dataclass(frozen=True)
class Column:
    """One column of the table: its values of any type, and whether they are levels."""

    name: str
    values: NDArray[Any]
    is_coded: bool
    missing: int


def as_columns(name: str, v: Any, layout: Layout | None = None) -> tuple[Tensor, Layout]:
    """Reads rows as numbers.

    Args:
        name: the rows' name in error messages.
        v: (n, d) or (n,), numpy, torch, pandas, polars or nested lists.
        layout: that of rows read earlier, where these must be read in the same way.

    Returns:
        (n, width) float64 on the CPU, and the layout.

    Raises:
        ValueError: v holds no such rows; the message says what to do.
    """
    if not _has_columns(v):
        values = _numbers(name, v)
        found = Layout.numbers(values.shape[1])
        if layout is not None and (any(layout.levels) or layout.width != found.width):
            raise ValueError(
                f"expected {name} with {_described(layout)}, got {found.width} of numbers"
            )
        return values, layout or found
    columns = list(_columns(v))
    if not columns or not len(columns[0].values):
        raise ValueError(f"{name} must have rows and columns, got none: bring some")
    if layout is not None and len(columns) != len(layout.names):
        raise ValueError(f"expected {name} with {_described(layout)}, got {len(columns)} columns")
    names = tuple(c.name for c in columns)
    if layout is not None and sorted(names) == sorted(layout.names) and names != layout.names:
        raise ValueError(
            f"expected the columns of {name} in the order {list(layout.names)}, got "
            f"{list(names)}: put them in order"
        )
    levels = layout.levels if layout else tuple(_levels(name, c) for c in columns)
    coded = [
        _one_hot(name, c, of) if of else _numbers(f"column {c.name!r} of {name}", c.values)
        for c, of in zip(columns, levels, strict=True)
    ]
    return torch.cat(coded, 1), layout or Layout(names, levels)


def _described(layout: Layout) -> str:
    coded = sum(map(bool, layout.levels))
    text = f", {coded} of them categories" if coded else ""
    return f"the {len(layout.names)} columns it was trained on{text}"


def _has_columns(v: Any) -> bool:
    """Whether its columns may differ in type, or hold something else than numbers."""
    if isinstance(v, torch.Tensor | list | tuple) or np.isscalar(v):
        return False
    if isinstance(v, np.ndarray):
        return v.dtype.kind in "bOUST" and v.ndim in (1, 2)
    return hasattr(v, "to_numpy")


def _columns(v: Any) -> Iterator[Column]:
    if isinstance(v, np.ndarray):
        table = v[:, None] if v.ndim == 1 else v
        for i in range(table.shape[1]):
            yield _from_array(str(i), table[:, i])
    elif hasattr(v, "columns"):
        for i, label in enumerate(v.columns):
            yield _from_series(str(label), v.iloc[:, i] if hasattr(v, "iloc") else v[label])
    else:
        yield _from_series(str(v.name) if getattr(v, "name", None) is not None else "0", v)


def _from_series(name: str, series: Any) -> Column:
    nulls = series.isna() if hasattr(series, "isna") else series.is_null()
    values, missing = np.asarray(series.to_numpy()), int(nulls.sum())
    if str(series.dtype).lower().startswith(_CODED):
        return Column(name, values, True, missing)
    one = _from_array(name, values)
    return Column(name, one.values, one.is_coded, missing)


def _from_array(name: str, values: NDArray[Any]) -> Column:
    if values.dtype.kind != "O":
        return Column(name, values, values.dtype.kind in "bUST", 0)
    missing = sum(v is None or v != v for v in values.tolist())
    coded = any(isinstance(v, str | bytes | bool | np.bool_) for v in values.tolist())
    return Column(name, values, coded, missing)


def _levels(name: str, column: Column) -> tuple[str, ...]:
    if column.missing:
        raise ValueError(
            f"{name} must be finite, got nan or inf in {column.missing} of "
            f"{len(column.values)} rows (missing, in column {column.name!r}): drop or impute them"
        )
    if not column.is_coded:
        return ()
    found = sorted({str(v) for v in column.values.tolist()})
    if len(found) > LEVELS:
        raise ValueError(
            f"expected at most {LEVELS} levels in a column of categories, got {len(found)} in "
            f"column {column.name!r} of {name}: drop an identifier; give numbers as numbers"
        )
    return tuple(found)


def _one_hot(name: str, column: Column, levels: tuple[str, ...]) -> Tensor:
    place = {level: i for i, level in enumerate(levels)}
    texts = [str(v) for v in column.values.tolist()]
    unknown = sorted(set(texts) - set(levels))
    if unknown:
        raise ValueError(
            f"expected levels among {list(levels)} in column {column.name!r} of {name}, got "
            f"{unknown[0]!r}: train on rows that have it"
        )
    index = torch.tensor([place[text] for text in texts])
    return torch.nn.functional.one_hot(index, len(levels)).to(torch.float64)


def _numbers(name: str, v: Any) -> Tensor:
    try:
        t = _tensor(v)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(
            f"{name} must be an array of numbers, got {type(v).__name__}: {error}"
        ) from None
    if t.dim() == 1:
        t = t.unsqueeze(1)
    if t.dim() != 2 or t.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n,) or (n, columns), got {tuple(t.shape)}: flatten the rest"
        )
    bad = int((~torch.isfinite(t)).any(1).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite, got nan or inf in {bad} of {len(t)} rows: drop or impute them"
        )
    return t


def _tensor(v: Any) -> Tensor:
    if isinstance(v, torch.Tensor):
        if v.is_complex():
            raise TypeError("complex numbers have two parts: give them as two columns")
        return v.detach().cpu().to(torch.float64)
    array = np.asarray(v)
    if array.dtype.kind not in "fiubO":
        raise TypeError(f"its type is {array.dtype}: turn it into numbers")
    return torch.from_numpy(np.array(array, dtype=np.float64))
