"""What a cell of text looks like: a number, a unit, nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mine.command.tables.numbers import CURRENCIES, MARKS

MOST_CELLS = 100_000
"""Cells that are looked at, in a table of very many columns."""

_NUMBER = re.compile(
    rf"[+-]?\s*[{CURRENCIES}]?\s*[+-]?[\d.,' ]*\d[\d.,]*(e[+-]?\d+)?\s*[%{CURRENCIES}]?", re.I
)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf", re.I)
_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.I)
_POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.I)
_POINTED_THOUSAND = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_THOUSAND = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_UNIT = re.compile(r"[^\d]{1,20}|[A-Za-zµ/\[(]{1,19}[23][\])]?")
_MISSING = {"", "na", "n/a", "nan", "null", "#n/a", *(mark.casefold() for mark in MARKS)}

Row = Sequence[str]


def is_number(cell: str) -> bool:
    cell = cell.strip()
    return bool(_PLAIN.fullmatch(cell) or _NUMBER.fullmatch(cell))


def is_plain(cell: str) -> bool:
    cell = cell.strip()
    return bool(_PLAIN.fullmatch(cell) or _COMMA.fullmatch(cell))


def is_missing(cell: str) -> bool:
    return cell.strip().casefold() in _MISSING


def numeric_columns(
    body: Sequence[Row], kind: Callable[[str], bool] = is_number
) -> tuple[bool, ...]:
    """For each column whether it has numbers; the first row, which may hold units, is left out."""
    rows = body[1:] if len(body) > 2 else body
    rows = rows[: max(3, MOST_CELLS // max(len(rows[0]), 1))] if rows else rows
    return tuple(
        all(map(kind, there)) if (there := [c for c in cells if not is_missing(c)]) else False
        for cells in zip(*rows, strict=False)
    )


def is_units(body: Sequence[Row], numeric: Sequence[bool]) -> bool:
    if len(body) < 3:
        return False
    cells = [cell.strip() for cell, is_so in zip(body[0], numeric, strict=False) if is_so]
    named = [cell for cell in cells if not is_missing(cell)]
    return bool(named) and all(_UNIT.fullmatch(cell) and not is_number(cell) for cell in named)


def decimal_of(body: Sequence[Row], delimiter: str) -> str:
    cells = [cell.strip() for row in body for cell in row]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    points = [cell for cell in cells if _POINT.fullmatch(cell)]
    is_unclear = all(map(_THOUSAND.fullmatch, commas))
    if delimiter == "," or not commas or (points and is_unclear):
        return "."
    if not all(map(_POINTED_THOUSAND.fullmatch, points)):
        return "."
    if is_unclear:
        _check_clear(body, commas[0])
        return "," if delimiter == ";" else "."
    return ","


def _check_clear(body: Sequence[Row], example: str) -> None:
    """Refuses 950 above 1,234: the comma may part thousands, and may be the decimal sign."""
    for cells in zip(*body, strict=False):
        thousands = [bool(_THOUSAND.fullmatch(cell.strip())) for cell in cells]
        whole = [cell.strip().isdigit() for cell in cells]
        if any(thousands) and any(whole):
            raise ValueError(
                f"expected numbers of one meaning, got {example}, whose comma may part thousands "
                "or be the decimal sign: give --decimal . or --decimal ,"
            )
