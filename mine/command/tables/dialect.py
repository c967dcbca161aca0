"""The dialect of a table of text, recognised by its first lines.

    People of 2024              lines above the header: a title, comments, empty lines
    # made by hand
    height;weight               the header
    m;kg                        a row of units
    1,82;80,5                   rows, each with as many cells

What is recognised is what most lines have in common. The user is told, and can say otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mine.command.tables.cells import decimal_of, is_plain, is_units, numeric_columns
from mine.command.tables.header import header_of
from mine.command.tables.lines import (
    BLANKS,
    close_quotes,
    comment_of,
    delimiter_of,
    is_named,
    mark_between,
    rows_above,
    rows_of,
    width_of,
)
from mine.command.tables.reading import Reading

NAMES = {"\t": "tabs", BLANKS: "blanks"}
MOST_LINES = 2000
"""Lines that are looked at."""


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written.

    Attributes:
        delimiter: between columns; `BLANKS` for one blank or more.
        decimal: "." or ",".
        names: of the columns.
        start: how many lines stand above the first row.
        rows: how many rows were looked at.
        numeric: for each column, whether these rows have numbers in it with no signs beside.
        has_loose_quotes: whether blanks stand before quoted cells.
        comment: what lines between the rows begin with that are no rows; "" for none.
        recognised: what was found, in words, where it is not the usual.
    """

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    start: int
    rows: int
    numeric: tuple[bool, ...]
    comment: str
    has_loose_quotes: bool = False
    recognised: tuple[str, ...] = ()


def dialect_of(text: str, usual: str, asked: Reading, path: str) -> Dialect:
    """The dialect of a table that begins with this text.

    Args:
        text: its first lines.
        usual: the delimiter that its name promises.
        asked: what the user says; it goes before what is recognised.
        path: for errors.

    Raises:
        ValueError: there is neither header nor row, or the decimal sign cannot be told.
    """
    lines = re.split(r"(?<=\n)", text)[:MOST_LINES]
    said = asked
    if lines and lines[0].startswith("sep=") and asked.delimiter is None:  # Excel's
        asked = replace(asked, delimiter=lines[0][4:].strip("\r\n") or "\t")
        lines[0] = "\n"
    comment, skipped = comment_of(lines, asked)
    delimiter = asked.delimiter or delimiter_of(lines[skipped:], usual, comment)
    rows = [(end + skipped, row) for end, row in rows_of(lines[skipped:], delimiter, comment)]
    if not rows:
        raise ValueError(f"expected a header line and rows, got nothing in {path!r}")
    width = width_of([row for _, row in rows])
    if is_named(rows, width):
        width = len(rows[0][1])
    above = 0 if asked.skip_rows is not None else rows_above(rows, width)
    names, body, has_header = header_of(rows[above:], width, asked)
    numeric = numeric_columns(body)
    units = has_header and is_units(body, numeric)
    last = above + has_header + units - 1
    found = Dialect(
        delimiter=delimiter,
        decimal=asked.decimal or decimal_of(body[units:], delimiter),
        names=names,
        start=rows[last][0] if last >= 0 else skipped,
        rows=len(body) - units,
        numeric=numeric_columns(body[units:], is_plain),
        comment=comment or mark_between(lines),
        has_loose_quotes=any(close_quotes(line, delimiter) != line for line in lines),
    )
    title = rows[above - 1][0] if above else 0
    return replace(found, recognised=_words(found, said, usual, title, has_header, units))


def _words(
    found: Dialect, said: Reading, usual: str, title: int, has_header: bool, units: bool
) -> tuple[str, ...]:
    """What was recognised, where it is not the usual and the user did not say it."""
    words = [
        (
            found.delimiter != (said.delimiter or usual),
            f"columns parted by {_named(found.delimiter)}",
        ),
        (found.decimal != (said.decimal or "."), f"decimal sign {found.decimal!r}"),
        (title, f"{title} {'line' if title == 1 else 'lines'} above the rows"),
        (
            not has_header and said.header is None,
            f"no header: columns are 0 to {len(found.names) - 1}",
        ),
        (units, "a row of units below the header"),
    ]
    return tuple(text for is_so, text in words if is_so)


def _named(delimiter: str) -> str:
    return NAMES.get(delimiter, repr(delimiter))
