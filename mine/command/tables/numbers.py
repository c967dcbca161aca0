"""Numbers written as text: with signs of currency, per cent, grouped digits, decimal commas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine.command.tables.source import TEXT, Column, Values

PLAIN = r"(?i)^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?(inf|infinity)$"
"""What is a number without further ado."""
NOTHING = ("", "?")
"""What stands for a missing value in every column of text: UCI's files have question marks."""
WORDS = ("#N/A", "N/A", "n/a", "#NA", "NA", "NULL", "null", "NaN", "nan", "-NaN", "-nan")
"""The same, in a file of text: arrow's list."""
MARKS = ("?", ".", "-", "--", "None", "none", "<NA>", "*")
"""What stands for a missing value in a column of numbers or dates. Elsewhere it may be a level."""
_BLANK = r" '\x{a0}\x{202f}"
_ENGLISH = rf"^[+-]?[1-9]\d{{0,2}}([,{_BLANK}]\d{{3}})+(\.\d*)?$"
_GERMAN = rf"^[+-]?[1-9]\d{{0,2}}([.{_BLANK}]\d{{3}})+(,\d*)?$"
"""Numbers with a sign between thousands, in two countries of many. None begins with 0."""
CURRENCIES = "$€£¥"
_LONG = r"^[+-]?\d{16,300}(\.0*)?$"
"""Whole numbers that may be beyond what float64 has."""
_HALF = 0.5
"""Share of numbers in a column from which on the rest are errors, and no categories."""


@dataclass(frozen=True)
class _Signs:
    """What is written beside the digits of a column."""

    texts: Any
    is_percent: Any
    names: tuple[str, ...]


def column_of_texts(
    name: str, column: Any, decimal: str | None = None, na: Sequence[str] = ()
) -> Column:
    """A column of text as numbers, dates or categories, whichever it holds.

    Args:
        name: of the column, for errors.
        column: pyarrow's strings, null where a value is missing.
        decimal: the decimal sign; None for what is recognised.
        na: what the user says stands for a missing value.

    Raises:
        ValueError: most of its values are numbers, and one is not: its row is named.
    """
    from pyarrow import compute

    from mine.command.tables.dates import days_of_texts

    place, different = _different(column)
    texts = _trimmed(different, na)
    marked = _without(texts, (*MARKS, *WORDS))
    signs = _bare(marked, decimal)
    is_number = _booleans(compute.match_substring_regex(signs.texts, PLAIN))
    is_there = ~_booleans(marked.is_null())
    often = np.bincount(place[place >= 0], minlength=len(texts))
    count, there = int(often[is_number].sum()), int(often[is_there].sum())
    if count == there:
        taken = "numbers without " + " and ".join(signs.names) if signs.names else ""
        return Column(_at(place, _numbers(signs), np.nan), taken, _rounded(signs.texts))
    if count >= _HALF * there:
        wrong = _at(place, is_there & ~is_number, False)
        raise ValueError(_typo(name, wrong, marked[int(place[np.argmax(wrong)])].as_py()))
    if (days := days_of_texts(name, marked)) is not None:
        return Column(_at(place, days.values, np.nan), days.taken_as)
    return Column(_at(place, texts_of(texts), None), TEXT)


def _different(column: Any) -> tuple[NDArray[np.int64], Any]:
    """Where each row's text stands among the different ones, -1 where it is missing; and these."""
    import pyarrow
    from pyarrow import compute

    encoded = column.dictionary_encode()
    if isinstance(encoded, pyarrow.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pyarrow.ChunkedArray):  # of no chunk
        encoded = pyarrow.array([], column.type).dictionary_encode()
    place = compute.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return place.astype(np.int64), encoded.dictionary


def _at(place: NDArray[np.int64], values: Values, missing: Any) -> Values:
    """The values at these places; what is missing at -1."""
    return np.append(values, np.array([missing], values.dtype))[place]


def _booleans(found: Any) -> NDArray[np.bool_]:
    from pyarrow import compute

    return np.asarray(compute.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)


def levels_of_texts(column: Any, na: Sequence[str] = ()) -> Values:
    """A column of text as categories, read as `column_of_texts` reads them."""
    place, different = _different(column)
    return _at(place, texts_of(_trimmed(different, na)), None)


def _trimmed(texts: Any, na: Sequence[str]) -> Any:
    from pyarrow import compute

    return _without(compute.utf8_trim_whitespace(texts), (*NOTHING, *na))


def texts_of(column: Any) -> Values:
    """Strings of pyarrow's as objects: str, or None."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)


def _without(texts: Any, marks: Sequence[str]) -> Any:
    """Null where a text is one of these."""
    import pyarrow
    from pyarrow import compute

    is_mark = compute.is_in(texts, value_set=pyarrow.array(marks, texts.type))
    return compute.if_else(is_mark, pyarrow.scalar(None, texts.type), texts)


def _bare(texts: Any, decimal: str | None) -> _Signs:
    """Texts without what stands beside the digits, with a decimal point."""
    from pyarrow import compute

    is_percent = compute.ends_with(texts, "%")
    if _all(compute.match_substring_regex(texts, PLAIN)) and not (
        decimal == "," and _has_pointed_thousands(texts)
    ):
        return _Signs(texts, is_percent, ())
    found, names = texts, []
    has_sign = _any(compute.match_substring_regex(found, f"[{CURRENCIES}]"))
    for sign in CURRENCIES if has_sign else "":
        pattern = rf"^([+-]?)\s*[{sign}]\s*|\s*[{sign}]$"
        if _any(compute.match_substring_regex(found, pattern)):
            found = compute.replace_substring_regex(found, pattern, r"\1")
            names.append(repr(sign))
    if len(names) > 1:  # of two currencies: no numbers of one unit
        return _Signs(texts, is_percent, ())
    if _any(is_percent):
        found = compute.replace_substring_regex(found, r"\s*%$", "")
        names.append("'%'")
    comma = decimal == "," or (decimal is None and _has_decimal_comma(found))
    group, grouped = (".", _GERMAN) if comma else (",", _ENGLISH)
    is_grouped = compute.match_substring_regex(found, grouped)
    if _any(is_grouped) and not (comma and _any(_pointed(found, False))):
        digits = compute.replace_substring_regex(found, f"[{group}{_BLANK}]", "")
        found = compute.if_else(is_grouped, digits, found)
        names.append("signs between thousands")
    if comma:
        has_point = compute.match_substring(found, ".")
        found = compute.if_else(
            has_point, found, compute.replace_substring(found, ",", ".", max_replacements=1)
        )
        names += ["decimal commas"] * (decimal is None)
    return _Signs(found, is_percent, tuple(names))


def _has_decimal_comma(texts: Any) -> bool:
    """Whether commas stand where none between thousands could, and points between these alone."""
    from pyarrow import compute

    english, german = (
        compute.match_substring_regex(texts, f"{PLAIN}|{grouped}")
        for grouped in (_ENGLISH, rf"{_GERMAN}|^[+-]?\d*,\d+$")
    )
    return not _all(english) and _all(german) and not _any(_pointed(texts, False))


def _has_pointed_thousands(texts: Any) -> bool:
    """Whether points part thousands in all texts that have some."""
    return _any(_pointed(texts, True)) and not _any(_pointed(texts, False))


def _pointed(texts: Any, thousands: bool) -> Any:
    """Where a text has points that part thousands, or others."""
    from pyarrow import compute

    grouped = compute.match_substring_regex(texts, _GERMAN)
    has_point = compute.match_substring(texts, ".")
    return compute.and_(has_point, grouped if thousands else compute.invert(grouped))


def _any(found: Any) -> bool:
    from pyarrow import compute

    return bool(compute.any(found).as_py())


def _all(found: Any) -> bool:
    from pyarrow import compute

    return compute.all(found).as_py() is not False


def _numbers(signs: _Signs) -> Values:
    import pyarrow
    from pyarrow import compute

    texts = compute.utf8_ltrim(signs.texts, "+")
    numbers = np.array(texts.cast(pyarrow.float64()).to_numpy(zero_copy_only=False), np.float64)
    percent = compute.fill_null(signs.is_percent, False).to_numpy(zero_copy_only=False)
    numbers[percent] /= 100.0
    return numbers


def _rounded(texts: Any) -> int | None:
    """A whole number in digits alone that float64 has not."""
    from pyarrow import compute

    long = texts.filter(compute.match_substring_regex(texts, _LONG))
    whole = (int(text.partition(".")[0]) for text in long.to_pylist())
    return next((one for one in whole if int(float(one)) != one), None)


def _typo(name: str, wrong: NDArray[np.bool_], text: str) -> str:
    row, more = int(np.argmax(wrong)), int(wrong.sum()) - 1
    return (
        f"expected numbers in column {name!r}, got {_short(text)} in row {row + 1}"
        + (f" (and {more} more)" if more else "")
        + f": correct it, or give --na {_short(text)} if it stands for a missing value, or "
        f"--categorical {name} if the column holds categories"
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
