"""Rows that are none: a quote that nothing closes, a cell too few or too many.

A quote that nothing closes makes one cell of all rows below, and arrow says nothing of it:

    1,2,"5 in           one row of three cells, the last of which has three lines
    3,4,5 in
    5,6,7 in

So the rows are gone through, one by one, where arrow found fewer of them than there are lines, and
where it found one of another width.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from mine.command.tables.cells import Row, is_missing, is_plain
from mine.command.tables.dialect import Dialect

NO_ROW = " \t\r\n\x1a"
"""What a line may hold that is no row: blanks, and the mark that DOS ends a file with."""
_END = "\0"
_PIECE = 1 << 20
_LONGEST = (1 << 31) - 1


def lines_if_quoted(stream: Any) -> int:
    """How many lines there are in a stream with quotes; 0 where it has none. It is wound back."""
    lines, quoted, last = 0, False, b""
    for piece in iter(lambda: stream.read(_PIECE), b""):
        lines += piece.count(b"\n")
        quoted = quoted or b'"' in piece
        last = piece[-1:]
    stream.seek(0)
    return lines + (last != b"\n") if quoted else 0


def check_rows(lines: Iterable[str], dialect: Dialect) -> None:
    """Refuses the first row that is none.

    Args:
        lines: below the header.
        dialect: how they are written.
    """
    number, seen = 0, list[str]()

    def noted() -> Iterator[str]:
        for line in chain(lines, [_END]):
            seen.append(line)
            yield line

    with _cells_of_any_length():
        for cells in csv.reader(noted(), delimiter=dialect.delimiter):
            if cells == [_END]:
                return
            if "".join(seen).strip(NO_ROW):
                number += 1
                _check_row(f"row {number} ({_shown(seen[0])})", cells, seen, dialect)
            seen.clear()


def _check_row(where: str, cells: Row, lines: Sequence[str], dialect: Dialect) -> None:
    width, is_cut = len(dialect.names), cells[-1].endswith(_END)
    if is_cut or (len(lines) > 1 and (_is_loose(lines, dialect) or _has_rows(lines[1:], dialect))):
        raise ValueError(
            f"expected quotes that are closed, got one in {where} that makes one cell of "
            f"{len(lines) - is_cut} lines: close it, or double it where it stands for itself, and "
            "write a cell of several lines without line ends"
        )
    if len(cells) != width:
        raise ValueError(
            f"expected {width} cell{'s' * (width > 1)} in each row, got {len(cells)} in {where}: "
            f"complete the row, quote a cell with {dialect.delimiter!r} in it, or delete the line "
            "if it is no row"
        )


def _is_loose(lines: Iterable[str], dialect: Dialect) -> bool:
    """Whether letters stand behind a quote that closes, as in another cell it would open one."""
    try:
        return not list(csv.reader(lines, delimiter=dialect.delimiter, strict=True))
    except csv.Error:
        return True


def _has_rows(lines: Iterable[str], dialect: Dialect) -> bool:
    """Whether one of these lines of a cell is a row itself, with numbers in its place."""
    for cells in csv.reader(lines, delimiter=dialect.delimiter):
        pairs = zip(cells, dialect.numeric, strict=False)
        numbers = [cell for cell, is_so in pairs if is_so and not is_missing(cell)]
        if len(cells) == len(dialect.names) and numbers and all(map(is_plain, numbers)):
            return True
    return False


def _shown(line: str) -> str:
    line = line.strip(NO_ROW)
    return repr(line if len(line) <= 40 else line[:39] + "…")


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)
