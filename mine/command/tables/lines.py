"""Lines of text as rows of cells: what parts the cells, and which lines are no rows."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

from mine.command.tables.cells import Row, is_number
from mine.command.tables.reading import Reading

DELIMITERS = (",", ";", "\t", "|")
BLANKS = " "
"""The delimiter of columns with one blank or more between."""
COMMENTS = ("#", "%", "//")
LOOKED_AT = 200
"""Rows by which a dialect is recognised."""


def comment_of(lines: Sequence[str], asked: Reading) -> tuple[str, int]:
    """What comments begin with, and how many lines are skipped before anything is looked at."""
    if asked.comment is not None or asked.skip_rows is not None:
        return asked.comment or "", asked.skip_rows or 0
    first = next((line for line in lines if line.strip()), "")
    return next((mark for mark in COMMENTS if first.startswith(mark)), ""), 0


def mark_between(lines: Sequence[str]) -> str:
    """What a line among the rows begins with that is none. A row may begin so, too: see `Text`."""
    return next((m for m in COMMENTS[:1] if any(line.startswith(m) for line in lines)), "")


def close_quotes(line: str, delimiter: str) -> str:
    """A line without the blanks before quoted cells, which arrow does not take for quoted."""
    if delimiter in "\t " or '"' not in line:
        return line
    mark = re.escape(delimiter)
    return re.sub(rf'(^|{mark})[ \t]+(?="(?:[^"]|"")*"[ \t]*({mark}|\r?\n?$))', r"\1", line)


def rows_of(lines: Sequence[str], delimiter: str, comment: str) -> list[tuple[int, Row]]:
    """The first rows, each with the number of the line that it ends with. Comments are none.

    numpy writes a header as a comment: the last one above the rows, where it has as many cells.
    """
    plain, last = [close_quotes(line, delimiter) for line in lines], ""
    for i, line in enumerate(lines):
        if comment and line.startswith(comment):
            plain[i], last = "\n", line.removeprefix(comment).lstrip()
    found: list[tuple[int, Row]] = []
    place = 0
    source = (re.sub(r"[ \t]+", BLANKS, line.strip()) + "\n" for line in plain)
    reader = csv.reader(source if delimiter == BLANKS else iter(plain), delimiter=delimiter)
    try:
        for row in reader:
            if "".join(row).strip():
                found.append((reader.line_num, row))
            if len(found) > LOOKED_AT:
                break
    except csv.Error:
        if not found:
            raise ValueError(
                "expected cells of at most 131,072 letters in text, got a longer one: give the "
                "--delimiter that parts them"
            ) from None
    place = found[0][0] - 1 if found else 0
    if last and found and not _has_names(found[0][1]):
        title = re.sub(r"[ \t]+", BLANKS, last.strip()) if delimiter == BLANKS else last.strip()
        (named,) = csv.reader([title], delimiter=delimiter)
        if len(named) == len(found[0][1]) and len(named) > 1:
            return [(place, named), *found]
    return found


def _has_names(row: Row) -> bool:
    return not any(is_number(cell) for cell in row)


def delimiter_of(lines: Sequence[str], usual: str, comment: str) -> str:
    """The delimiter by which most lines have as many cells, each of which looks like one."""
    best, most = usual, (0.0, False, 0)
    for delimiter in (*DELIMITERS, BLANKS):
        try:
            rows = [row for _, row in rows_of(lines, delimiter, comment)]
        except ValueError:
            continue
        width = width_of(rows) if rows else 1
        if width < 2:
            continue
        share = sum(len(row) == width for row in rows) / len(rows)
        cells = [cell for row in rows[:50] for cell in row[:50]]
        clean = sum(not _is_odd(cell) for cell in cells) / len(cells)
        # Blanks stand in text of all kinds: they part columns of numbers alone.
        blank = delimiter == BLANKS
        if blank and (share < 1.0 or not all(map(is_number, rows[-1]))):
            continue
        score = round(share * clean - blank * 0.01, 3), delimiter == usual, width
        if score > most and share > 0.5:
            best, most = delimiter, score
    return best


def _is_odd(cell: str) -> bool:
    """Whether it has another delimiter in it, and is no number for all that."""
    return any(one in cell for one in DELIMITERS) and not is_number(cell)


def width_of(rows: Sequence[Row]) -> int:
    """How many cells most rows have; the last rows decide between two."""
    counts = Counter(len(row) for row in rows)
    most = max(counts.values())
    return next(len(row) for row in reversed(rows) if counts[len(row)] == most)


def is_named(rows: Sequence[tuple[int, Row]], width: int) -> bool:
    """Whether the first row names more columns than most rows have, and another row is as wide."""
    first = rows[0][1]
    is_wide = len(first) > width and any(len(row) == len(first) for _, row in rows[1:])
    return is_wide and _full(first) == len(first) and _has_names(first)


def rows_above(rows: Sequence[tuple[int, Row]], width: int) -> int:
    """How many rows stand above the header, or above the first row."""
    last = rows[-1][1]
    for i, (_, row) in enumerate(rows[:-1]):
        full = _full(row)
        is_title = full == 1 and bool(row[0].strip()) and _full(last) > 1
        if len(row) == width and not is_title:
            return i
        if len(row) == width - 1 and full > 1 and len(rows[i + 1][1]) == width:
            return i  # a header without a name for the last, or the first, column
        if len(row) == width - 1 == 1 and not rows[i + 1][1][-1].strip():
            return i
    return 0


def _full(row: Row) -> int:
    """How many cells have something in them."""
    return sum(bool(cell.strip()) for cell in row)
