"""Dates and times as numbers: days since 1970-01-01, with a fraction for the time of day."""

from __future__ import annotations

from typing import Any

import numpy as np

from mine.command.tables.source import DATES, Column, Values

DAY = 86_400
_DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ")
_LOOKED_AT = 100
"""Values by which formats are tried before they read the whole column."""


def days_of_texts(name: str, texts: Any) -> Column | None:
    """Days, where all texts are dates of one format; None where they are not.

    Raises:
        ValueError: two formats read all of them, to other days: 03/04/2024.
    """
    found = [days for form in _formats(texts) if (days := _read(texts, form)) is not None]
    if (iso := _iso(texts)) is not None:
        found = [iso]
    if not found:
        return None
    if any(not np.array_equal(found[0], other, equal_nan=True) for other in found[1:]):
        raise ValueError(
            f"expected dates of one meaning in column {name!r}, got some that may have the day or "
            "the month first: write them as 2024-01-31"
        )
    return Column(found[0], DATES)


def days_of(column: Any) -> Values | None:
    """Days of pyarrow's dates and times; None for another type."""
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_date(kind):
        kind = pyarrow.timestamp("ms")
        column = column.cast(kind)
    if types.is_time(kind):
        column = column.cast(pyarrow.time64("ns") if types.is_time64(kind) else kind)
        kind = column.type
    if not (types.is_timestamp(kind) or types.is_duration(kind) or types.is_time(kind)):
        return None
    whole = column.cast(pyarrow.int32() if types.is_time32(kind) else pyarrow.int64())
    units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    numbers = whole.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, np.float64) / (DAY * units)


def _iso(texts: Any) -> Values | None:
    """What arrow reads as a timestamp by itself, fractions of seconds and zones included."""
    import pyarrow
    from pyarrow import compute

    if not _all_match(compute.match_substring_regex(texts, r"^\d{4}-\d\d-\d\d([T ]|$)")):
        return None
    for kind in (pyarrow.timestamp("us"), pyarrow.timestamp("us", "UTC")):
        try:
            return days_of(texts.cast(kind))
        except pyarrow.ArrowInvalid:
            continue
    return None


def _all_match(found: Any) -> bool:
    from pyarrow import compute

    return compute.all(found).as_py() is True


def _formats(texts: Any) -> list[str]:
    """The formats that read the first values."""
    first = texts.drop_null().slice(0, _LOOKED_AT)
    if not len(first):
        return []
    forms = [day + time for day in _DAYS for time in _TIMES]
    return [form for form in forms if _read(first, form) is not None]


def _read(texts: Any, form: str) -> Values | None:
    """Days by one format; None where it does not read all texts."""
    import pyarrow
    from pyarrow import compute

    try:
        return days_of(compute.strptime(texts, format=form, unit="s"))
    except pyarrow.ArrowInvalid:
        return None
