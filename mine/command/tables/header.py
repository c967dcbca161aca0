"""Whether the first row has the columns' names, and which they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mine.command.tables.cells import Row, is_missing, is_number, numeric_columns
from mine.command.tables.reading import Reading


def header_of(
    rows: Sequence[tuple[int, Row]], width: int, asked: Reading
) -> tuple[tuple[str, ...], list[Row], bool]:
    """The names, the rows below, and whether the first row has the names."""
    first, body = list(rows[0][1]), [row for _, row in rows[1:]]
    fitting = [row for row in body if len(row) == width]
    has_header = asked.header if asked.header is not None else _is_header(first, fitting)
    if not has_header:
        return tuple(map(str, range(width))), [first, *fitting], False
    if len(first) == width - 1 and fitting:
        trails = not any(row[-1].strip() for row in fitting)
        first = [*first, ""] if trails else ["", *first]
    return tuple(first), fitting, True


def _is_header(first: Row, body: Sequence[Row]) -> bool:
    """Whether the first row has other contents than the rows below."""
    if not body or len(first) != len(body[0]):
        return True
    numeric = numeric_columns(body)
    if not any(numeric):
        levels = list(zip(*body, strict=True))
        return not all(cell in level for cell, level in zip(first, levels, strict=True))
    cells = [cell for cell, is_number in zip(first, numeric, strict=True) if is_number]
    if not all(is_number(cell) or is_missing(cell) for cell in cells):
        return True
    if all(map(is_missing, cells)):
        return any(not is_missing(cell) for cell in first)
    return _counts_up(first) and not _counts_up(body[0])


def _counts_up(row: Row) -> bool:
    """Whether it has whole numbers one after the other, as pandas numbers columns, or years."""
    cells = [cell.strip() for cell in row if cell.strip()]
    if len(cells) < 2 or not all(re.fullmatch(r"\d+", cell) for cell in cells):
        return False
    first = int(cells[0])
    return (first == 0 or len(cells) > 2) and list(map(int, cells)) == list(
        range(first, first + len(cells))
    )
