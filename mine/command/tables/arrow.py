"""Columns of arrow's as arrays of numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from mine.command.tables.numbers import as_numbers
from mine.command.tables.source import Values


def values_of(name: str, column: Any, is_number: bool) -> Values:
    """float64 with nan for missing values or, for categories, str with None.

    Raises:
        ValueError: numbers are wanted, and the column's type has none.
    """
    import pyarrow
    from pyarrow import types

    kind = column.type
    if isinstance(kind, pyarrow.DictionaryType):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not is_number:
        return _texts(column.cast(pyarrow.string()))
    if types.is_string(kind) or types.is_large_string(kind):
        return as_numbers(name, _texts(column))
    if not _is_numeric(kind):
        raise ValueError(
            f"expected numbers in column {name!r}, got {kind}: convert it to numbers, or leave "
            "it out"
        )
    return _numbers(column)


def _texts(column: Any) -> Values:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    kinds = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return types.is_null(kind) or any(is_kind(kind) for is_kind in kinds)


def _numbers(column: Any) -> Values:
    import pyarrow
    from pyarrow import compute, types

    if types.is_boolean(column.type):  # arrow casts no booleans to floats
        column = column.cast(pyarrow.int8())
    numbers = compute.cast(column, pyarrow.float64(), safe=False)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
