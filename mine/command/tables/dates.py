"""Dates and times as numbers: days since 1970-01-01, with a fraction for the time of day."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mine.command.tables.source import DATES, Column, Values

DAY = 86_400
_DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y",
)  # fmt: skip
_TIMES = (
    "", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ", " %I:%M %p", " %I:%M:%S %p"
)  # fmt: skip
_FULL_YEAR = r"(^|\D)\d{4}(\D|$)"
_ZONE = r":\d\d(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)$"
_LOOKED_AT = 100
"""Values by which formats are tried before they read the whole column."""


def days_of_texts(name: str, texts: Any) -> Column | None:
    """Days, where all texts are dates of one format; None where they are not.

    Raises:
        ValueError: two formats read all of them, to other days: 03/04/2024; or one does, but to no
            day of the calendar: 2024-02-30; or the century is not said: 29.08.99; or only some
            have a time zone.
    """
    found = _by_format(name, texts)
    if (iso := _iso(name, texts)) is not None:
        found = [iso]
    if not found:
        return None
    if any(not np.array_equal(found[0], other, equal_nan=True) for other in found[1:]):
        raise ValueError(
            f"expected dates of one meaning in column {name!r}, got some that may have the day or "
            "the month first: write them as 2024-01-31"
        )
    return Column(found[0], DATES)


def _by_format(name: str, texts: Any) -> list[Values]:
    """Days by each format that reads all texts."""
    from pyarrow import compute

    read = {form: days for form in _formats(texts) if (days := _read(texts, form)) is not None}
    if not read:
        return []
    is_full = compute.match_substring_regex(texts, _FULL_YEAR)
    _check_all(name, texts, is_full, "years of four digits in the dates", "write 2024-01-31")
    is_real = {form: _is_real(texts, form) for form in read}
    real = [days for form, days in read.items() if not _misses(is_real[form])]
    if not real:
        first = next(iter(is_real.values()))
        _check_all(name, texts, first, "days of the calendar", "correct it or leave it empty")
    return real


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


def _check_all(name: str, texts: Any, found: Any, what: str, how: str) -> None:
    """Refuses the first text of which it is not so."""
    from pyarrow import compute

    if not _misses(found):
        return
    text = texts.filter(compute.invert(found))[0].as_py()
    raise ValueError(
        f"expected {what} in column {name!r}, got {text!r}: {how}, or give "
        f"--categorical {name} if the column holds categories"
    )


def _misses(found: Any) -> bool:
    from pyarrow import compute

    return compute.all(found).as_py() is False


def _is_real(texts: Any, form: str) -> Any:
    """Whether the day of the month is the one that was read: 30 February is read as 1 March."""
    import pyarrow
    from pyarrow import compute

    pattern = re.sub("%d", r"(?P<day>\\d+)", re.sub("%[^d]", r"\\w+", form))
    said = compute.struct_field(compute.extract_regex(texts, rf"^\s*{pattern}"), "day")
    days = compute.day(compute.strptime(texts, format=form, unit="s"))
    return compute.equal(said.cast(pyarrow.int64()), days)


def _iso(name: str, texts: Any) -> Values | None:
    """What arrow reads as a timestamp by itself, fractions of seconds and zones included."""
    import pyarrow
    from pyarrow import compute

    if not _all_match(compute.match_substring_regex(texts, r"^\d{4}-\d\d-\d\d([T ]|$)")):
        return None
    for zone in (None, "UTC"):
        for unit in ("us", "ns"):  # the years of the former are more, the digits of the latter
            try:
                return days_of(texts.cast(pyarrow.timestamp(unit, zone)))
            except pyarrow.ArrowInvalid:
                continue
    has_zone = compute.match_substring_regex(texts, _ZONE)
    if compute.any(has_zone).as_py():
        _check_all(
            name, texts, has_zone, "a time zone in all dates or in none", "write it everywhere"
        )
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
