"""A user's rows as columns of numbers, from numpy, torch, pandas, polars or lists.

A column of text, categories or booleans becomes one column of 0 and 1 for each of its levels. The
levels are kept in a `Layout`, so that other rows can be read in the same way later. For example

    side  z                 side = l    side = r    z
    "l"   0.5       ->      1           0           0.5
    "r"   2.0               0           1           2.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.data.containers import Column, columns_in, has_columns, unpacked

LEVELS = 200  # most levels of a column: one with more is an identifier, or free text


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


@dataclass(frozen=True, eq=False)
class Raw:
    """Rows that are not yet checked.

    Attributes:
        name: the rows' name in error messages.
        columns: the columns of a table; None for an array of numbers.
        numbers: (n, d) float64, the array of numbers; None for a table.
    """

    name: str
    columns: tuple[Column, ...] | None
    numbers: Tensor | None

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """(n,): whether a row has a missing value."""
        if self.numbers is not None:
            return self.numbers.isnan().any(1).numpy()
        missing = [column.is_missing for column in self.columns or ()]
        return np.logical_or.reduce(missing) if missing else np.zeros(0, dtype=bool)

    @property
    def names(self) -> tuple[str, ...]:
        if self.numbers is not None:
            return Layout.numbers(self.numbers.shape[1]).names
        return tuple(c.name for c in self.columns or ())

    @property
    def parts(self) -> list[Column]:
        """The columns one by one."""
        if self.numbers is None:
            return list(self.columns or ())
        arrays = self.numbers.numpy().T
        return [
            Column(name, values, False, np.isnan(values))
            for name, values in zip(self.names, arrays, strict=True)
        ]

    def only(self, places: Sequence[int]) -> Raw:
        """Some of the columns, by their places."""
        if self.numbers is not None:
            return Raw(self.name, None, self.numbers[:, list(places)])
        columns = self.columns or ()
        return Raw(self.name, tuple(columns[i] for i in places), None)

    def kept(self, keep: NDArray[np.bool_]) -> Raw:
        """Some of the rows."""
        if self.numbers is not None:
            return Raw(self.name, None, self.numbers[torch.from_numpy(keep)])
        return Raw(self.name, tuple(c.kept(keep) for c in self.columns or ()), None)


def as_raw(name: str, v: Any) -> Raw:
    """A user's rows as columns, whatever holds them.

    Raises:
        ValueError: v holds no rows; the message says what to do.
    """
    v = unpacked(name, v)
    if not has_columns(v):
        return Raw(name, None, _numbers(name, v))
    columns = tuple(columns_in(v))
    if not columns or not len(columns[0].values):
        raise ValueError(f"{name} must have rows and columns, got none: bring some")
    lengths = {c.name: len(c.values) for c in columns}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"expected columns of equal length in {name}, got {lengths}: bring the same rows of "
            "each"
        )
    return Raw(name, columns, None)


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
    return coded(as_raw(name, v), layout)


def coded(raw: Raw, layout: Layout | None = None) -> tuple[Tensor, Layout]:
    """See `as_columns`."""
    name = raw.name
    if raw.numbers is not None:
        _check_finite(name, raw.numbers)
        found = Layout.numbers(raw.numbers.shape[1])
        if layout is not None and (any(layout.levels) or layout.width != found.width):
            raise ValueError(
                f"expected {name} with {_described(layout)}, got {found.width} of numbers"
            )
        return raw.numbers, layout or found
    columns = raw.columns or ()
    if layout is not None and len(columns) != len(layout.names):
        raise ValueError(f"expected {name} with {_described(layout)}, got {len(columns)} columns")
    names = tuple(c.name for c in columns)
    if layout is not None and sorted(names) == sorted(layout.names) and names != layout.names:
        raise ValueError(
            f"expected the columns of {name} in the order {list(layout.names)}, got "
            f"{list(names)}: put them in order"
        )
    if layout is None:
        _check_there(raw)
    levels = layout.levels if layout else _each(columns, lambda c: _levels(name, c))
    pairs = list(zip(columns, levels, strict=True))
    values = _each(pairs, lambda pair: _coded(name, *pair))
    return torch.cat(values, 1), layout or Layout(names, levels)


Item = TypeVar("Item")
Found = TypeVar("Found")


def _each(items: Sequence[Item], read: Callable[[Item], Found]) -> tuple[Found, ...]:
    """What is wrong with any of the columns is said in one error."""
    found, wrong = [], []
    for item in items:
        try:
            found.append(read(item))
        except ValueError as error:
            wrong.append(str(error))
    if len(wrong) > 1:
        raise ValueError(f"{len(wrong)} columns cannot be taken: " + "; ".join(wrong))
    if wrong:
        raise ValueError(wrong[0])
    return tuple(found)


def _check_there(raw: Raw) -> None:
    """Refuses missing values, and names all columns that have some."""
    count = int(raw.is_missing.sum())
    if count:
        names = [repr(c.name) for c in raw.columns or () if c.is_missing.any()]
        raise ValueError(
            f"{raw.name} must be finite, got nan or inf in {count} of {len(raw.is_missing)} rows "
            f"(missing, in column {', '.join(names)}): drop or impute them, or give "
            "drop_missing=True"
        )


def _described(layout: Layout) -> str:
    coded = sum(map(bool, layout.levels))
    text = f", {coded} of them categories" if coded else ""
    return f"the {len(layout.names)} columns it was trained on{text}"


def _levels(name: str, column: Column) -> tuple[str, ...]:
    if not column.is_coded:
        return ()
    found = sorted({str(v) for v in column.values.tolist()})
    if len(found) > LEVELS:
        raise ValueError(
            f"expected at most {LEVELS} levels in a column of categories, got {len(found)} in "
            f"column {column.name!r} of {name}: drop an identifier; give numbers as numbers"
        )
    return tuple(found)


def why_identifier(column: Column) -> str:
    """Why a column names its rows rather than tells of them; "" where it does not."""
    there = column.values[~column.is_missing]
    if column.is_coded:
        count = len({str(v) for v in there.tolist()})
        return f"it has {count} levels, more than {LEVELS}" if count > LEVELS else ""
    if _is_inexact(column.values):
        return "it has integers beyond 2^53"
    if column.values.dtype.kind in "iuf" and len(there) == len(column.values) > 1:
        counts = np.arange(len(there)) + there[0]
        return "it counts the rows" if there[0] in (0, 1) and (there == counts).all() else ""
    return ""


def _coded(name: str, column: Column, levels: tuple[str, ...]) -> Tensor:
    if levels:
        return _one_hot(name, column, levels)
    what = f"column {column.name!r} of {name}"
    values = _numbers(what, column.values)
    _check_finite(what, values)
    return values


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
    return t


def _check_finite(name: str, t: Tensor) -> None:
    bad = int((~torch.isfinite(t)).any(1).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite, got nan or inf in {bad} of {len(t)} rows: drop or impute "
            "them, or give drop_missing=True for missing values"
        )


def _is_inexact(array: NDArray[Any]) -> bool:
    """Whether it has integers that float64 rounds."""
    return bool(
        array.dtype.kind in "iu"
        and array.size
        and max(abs(int(array.max())), abs(int(array.min()))) > 2**53
    )


def _tensor(v: Any) -> Tensor:
    if isinstance(v, torch.Tensor):
        if v.is_complex():
            raise TypeError("complex numbers have two parts: give them as two columns")
        if v.dtype in (torch.int64, torch.uint64):
            return _tensor(v.detach().cpu().numpy())
        return v.detach().cpu().to(torch.float64)
    array = np.asarray(v)
    if array.dtype.kind not in "fiubO":
        raise TypeError(f"its type is {array.dtype}: turn it into numbers")
    if _is_inexact(array):
        raise TypeError(
            "integers beyond 2^53 lose their last digits as numbers: subtract the smallest one "
            "first, or give text if they are names"
        )
    return torch.from_numpy(np.array(array, dtype=np.float64))
