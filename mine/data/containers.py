"""What may hold a user's rows, as columns of numpy's with a mark where a value is missing.

    numpy, masked arrays            scipy's sparse arrays           torch
    pandas: frames, series          polars: frames, lazy, series    pyarrow: tables, arrays
    xarray's data arrays            a mapping of columns            lists, of text too

No other library is imported here: each is known by what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

MOST_DENSE = 2**27
"""Values of a sparse array that are written out, a gigabyte of them."""
DAY = np.timedelta64(1, "D")
_CODED = ("cat", "enum", "bool", "str", "utf8", "dictionary", "large_str")
"""Beginnings of the names of types with levels."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its name.
        values: (n,), of any type.
        is_coded: whether they are levels.
        is_missing: (n,), where a value is missing.
    """

    name: str
    values: NDArray[Any]
    is_coded: bool
    is_missing: NDArray[np.bool_]

    def kept(self, keep: NDArray[np.bool_]) -> Column:
        return replace(self, values=self.values[keep], is_missing=self.is_missing[keep])


def unpacked(name: str, v: Any) -> Any:
    """Rows in a container whose columns `columns_in` finds, or that is an array of numbers.

    Raises:
        ValueError: a sparse array is too large to be written out.
    """
    if isinstance(v, np.ma.MaskedArray):
        return _unmasked(v)
    if hasattr(v, "toarray") and hasattr(v, "nnz"):  # scipy.sparse
        if np.prod(v.shape, dtype=float) > MOST_DENSE:
            raise ValueError(
                f"expected at most {MOST_DENSE} values in {name}, got a sparse array of shape "
                f"{tuple(v.shape)}, which is written out: take fewer columns"
            )
        return v.toarray()
    if type(v).__name__ == "LazyFrame" and hasattr(v, "collect"):  # polars
        return v.collect()
    if hasattr(v, "dims") and hasattr(v, "values") and not isinstance(v, Mapping):  # xarray
        return unpacked(name, np.asanyarray(v.values))
    if isinstance(v, list | tuple):
        return _of_lists(v)
    return v


def has_columns(v: Any) -> bool:
    """Whether its columns may differ in type, or hold something else than numbers."""
    if isinstance(v, torch.Tensor | list | tuple) or np.isscalar(v):
        return False
    if isinstance(v, np.ndarray):
        return v.dtype.kind in "bOUSTmM" and v.ndim in (1, 2)
    return hasattr(v, "to_numpy") or isinstance(v, Mapping) or hasattr(v, "column_names")


def columns_in(v: Any) -> Iterator[Column]:
    """The columns of what `has_columns` has."""
    if isinstance(v, np.ndarray):
        table = v[:, None] if v.ndim == 1 else v
        for i in range(table.shape[1]):
            yield _from_array(str(i), table[:, i])
    elif isinstance(v, Mapping):
        for label, values in v.items():
            yield _only(str(label), values)
    elif hasattr(v, "column_names"):  # pyarrow
        for label, values in zip(v.column_names, v.columns, strict=True):
            yield _from_arrow(str(label), values)
    elif hasattr(v, "columns"):
        for i, label in enumerate(v.columns):
            yield _from_series(str(label), v.iloc[:, i] if hasattr(v, "iloc") else v[label])
    elif hasattr(v, "null_count") and not hasattr(v, "dtype"):  # pyarrow
        yield _from_arrow("0", v)
    else:
        yield _from_series(str(v.name) if getattr(v, "name", None) is not None else "0", v)


def _unmasked(v: Any) -> NDArray[Any]:
    """What is masked becomes nan, or None among text."""
    if v.dtype.kind in "fiu":
        return np.asarray(v.astype(np.float64).filled(np.nan))
    if v.dtype.kind in "mM":
        return np.asarray(v.filled(np.array("NaT", v.dtype)))
    found = v.data.astype(object)
    found[np.ma.getmaskarray(v)] = None
    return np.asarray(found)


def _of_lists(v: Any) -> Any:
    """Lists with text in them as objects; others as they are."""
    try:
        array = np.asarray(v)
    except (TypeError, ValueError, RuntimeError):
        return v
    if array.dtype.kind in "US":
        return np.asarray(v, dtype=object)
    of_objects = array.dtype.kind == "O"
    return array if of_objects and any(isinstance(one, str | date) for one in array.flat) else v


def _only(label: str, v: Any) -> Column:
    """The one column that stands under a name in a mapping."""
    v = unpacked(label, v)
    if has_columns(v):
        found = list(columns_in(v))
    else:
        array = np.asarray(v.detach().cpu() if isinstance(v, torch.Tensor) else v)
        table = array[:, None] if array.ndim == 1 else array
        found = [_from_array(label, c) for c in table.T] if table.ndim == 2 else []
    if len(found) != 1:
        raise ValueError(
            f"expected one column under the name {label!r}, got shape {np.shape(v)}: give each "
            "column a name of its own"
        )
    return replace(found[0], name=label)


def _from_arrow(name: str, values: Any) -> Column:
    kind = str(values.type)
    is_missing = np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    if kind.startswith(_CODED):
        return Column(name, np.asarray(values.to_pylist(), dtype=object), True, is_missing)
    one = _from_array(name, np.asarray(values.to_numpy(zero_copy_only=False)))
    return replace(one, is_missing=one.is_missing | is_missing)


def _from_series(name: str, series: Any) -> Column:
    nulls = series.isna() if hasattr(series, "isna") else series.is_null()
    values = np.asarray(series.to_numpy())
    if str(series.dtype).lower().startswith(_CODED):
        return Column(name, values, True, np.asarray(nulls, dtype=bool))
    one = _from_array(name, values)
    return replace(one, is_missing=one.is_missing | np.asarray(nulls, dtype=bool))


def _from_array(name: str, values: NDArray[Any]) -> Column:
    kind = values.dtype.kind
    if kind in "mM":  # dates and times are days since 1970
        since = np.datetime64(0, "D").astype(values.dtype) if kind == "M" else values.dtype.type(0)
        return Column(name, (values - since) / DAY, False, np.isnat(values))
    if kind != "O":
        is_missing = np.isnan(values) if kind == "f" else np.zeros(len(values), dtype=bool)
        return Column(name, values, kind in "bUST", is_missing)
    cells = values.tolist()
    if any(isinstance(v, date) for v in cells):
        return _from_array(name, _dates(cells))
    coded = any(isinstance(v, str | bytes | bool | np.bool_) for v in cells)
    return Column(name, values, coded, np.array([_is_none(v) for v in cells], dtype=bool))


def _dates(cells: list[Any]) -> NDArray[Any]:
    """Dates and times, those with a time zone in UTC; NaT for what is none."""

    def plain(v: Any) -> date | None:
        if _is_none(v) or not isinstance(v, date):
            return None
        if isinstance(v, datetime) and v.tzinfo is not None:
            return v.astimezone(UTC).replace(tzinfo=None)
        return v

    return np.array([plain(v) for v in cells], dtype="datetime64[us]")


def _is_none(v: Any) -> bool:
    """Whether a single value is None, nan, or what pandas writes for a missing one."""
    if v is None or type(v).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(v, float | np.floating) and bool(v != v)
