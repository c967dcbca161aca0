"""Columns of arrow's as arrays of numpy's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mine.command.tables.dates import days_of
from mine.command.tables.numbers import column_of_texts, levels_of_texts, texts_of
from mine.command.tables.source import CODED, DATES, EXACT, Column, Values


def column_of(
    name: str,
    column: Any,
    is_level: bool,
    decimal: str | None = None,
    na: Sequence[str] = (),
) -> Column:
    """One column: float64 with nan for missing values or, for categories, str with None.

    A dictionary holds categories, whatever the type of its values: pandas writes its category so.

    Args:
        name: of the column, for errors.
        column: pyarrow's.
        is_level: whether its values are categories, even where they look like numbers.
        decimal: the decimal sign of text; None for what is recognised.
        na: what the user says stands for a missing value.

    Raises:
        ValueError: the column holds neither numbers nor text nor dates.
    """
    import pyarrow
    from pyarrow import types

    kind = column.type
    if isinstance(kind, pyarrow.DictionaryType):
        return Column(_levels(name, column), "" if is_level else CODED)
    if types.is_large_string(kind) or types.is_string(kind) or types.is_string_view(kind):
        texts = column.cast(pyarrow.large_string())
        if is_level:
            return Column(levels_of_texts(texts, na))
        return column_of_texts(name, texts, decimal, na)
    if is_level:
        return Column(_levels(name, column))
    if _is_numeric(kind):
        return Column(_numbers(column), rounded=_rounded(column, na))
    days = days_of(column)
    if days is None:
        raise ValueError(
            f"expected numbers, text or dates in column {name!r}, got {kind}: convert it to one "
            "of these, or leave it out"
        )
    return Column(days, DATES)


def _levels(name: str, column: Any) -> Values:
    import pyarrow

    kind = column.type
    is_coded = isinstance(kind, pyarrow.DictionaryType)
    if pyarrow.types.is_nested(kind.value_type if is_coded else kind):
        raise ValueError(
            f"expected one value a row in column {name!r}, got {kind}: categories are "
            "numbers or text; make a column of each part, or leave it out"
        )
    if is_coded:  # arrow casts no dictionary of string views, as polars writes them
        texts = pyarrow.large_string()
        chunks = [one.dictionary.cast(texts).take(one.indices) for one in column.chunks]
        column = pyarrow.chunked_array(chunks, texts)
    return texts_of(column.cast(pyarrow.large_string()))


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    kinds = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return types.is_null(kind) or any(is_kind(kind) for is_kind in kinds)


def _rounded(column: Any, na: Sequence[str]) -> int | None:
    """The whole number that is largest in size, where float64 may lack it."""
    import pyarrow
    from pyarrow import compute, types

    if not types.is_integer(column.type):
        return None
    ends = compute.min_max(column).as_py().values()
    largest = max((end for end in ends if end is not None), key=abs, default=0)
    if abs(largest) <= EXACT:
        return None
    is_mark = compute.is_in(column.cast(pyarrow.string()), pyarrow.array(na, pyarrow.string()))
    return _rounded(column.filter(compute.invert(is_mark)), ()) if na else largest


def _numbers(column: Any) -> Values:
    import pyarrow
    from pyarrow import compute, types

    if types.is_boolean(column.type):  # arrow casts no booleans to floats
        column = column.cast(pyarrow.int8())
    numbers = compute.cast(column, pyarrow.float64(), safe=False)
    if numbers.null_count:
        return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    # Arrow's to_numpy would import pandas, which takes a fifth of a second.
    return np.concatenate([np.empty(0), *map(np.from_dlpack, numbers.chunks)])
