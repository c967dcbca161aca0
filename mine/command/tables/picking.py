"""The columns that an option names."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mine.spelling import did_you_mean

_SHOWN = 6
"""Names in an error."""


def pick(asked: Sequence[str], names: Sequence[str], option: str) -> tuple[str, ...]:
    """The columns that an option names, each once.

    Args:
        asked: words of the option: a column, columns with commas between, or an array of several
            columns.
        names: of the table's columns.
        option: its name, for errors.
    """
    found = [name for text in asked for name in _named(text, names, option)]
    if not found:
        raise ValueError(f"expected columns for {option}, got none: give {_some(names)}")
    _check_each_once(found, names, option)
    return tuple(found)


def check_apart(x: Sequence[str], y: Sequence[str]) -> None:
    both = [name for name in x if name in y]
    if both:
        raise ValueError(
            f"expected different columns for --x and --y, got {both[0]!r} in both: leave it out "
            "of one, or every column tells all of itself"
        )


def _check_each_once(found: Sequence[str], names: Sequence[str], option: str) -> None:
    same = next((name for name in found if names.count(name) > 1), None)
    if same is not None:
        raise ValueError(
            f"expected columns of different names, got {same!r} {names.count(same)} times in the "
            "table: rename them"
        )
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ValueError(
            f"expected each column once in {option}, got {twice[0]!r} more often: leave one out"
        )


def _named(text: str, names: Sequence[str], option: str) -> list[str]:
    if text in names:  # a name may have commas in it
        return [text]
    if len(same := [name for name in names if plain(name) == plain(text)]) == 1:
        return same
    parts = [part.strip() for part in text.split(",")]
    return [name for part in parts if part for name in _columns(part, names, option)]


def _columns(part: str, names: Sequence[str], option: str) -> list[str]:
    """One column, or all columns of one array."""
    if part in names:
        return [part]
    if len(same := [name for name in names if plain(name) == plain(part)]) == 1:
        return same
    of_array = [name for name in names if name.rpartition(":")[0] == part]
    if not of_array:
        near = did_you_mean(part, names) or f"give one of {_some(names)}"
        raise ValueError(
            f"expected a column of the table for {option}, got {_short(part)!r}: {near}"
        )
    return of_array


def plain(name: str) -> str:
    """A name without blanks around it, its letters composed: files write one name in two ways."""
    return unicodedata.normalize("NFC", name).strip(" \t\r\n\ufeff\xa0")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(_short(name)) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:59] + "…"
