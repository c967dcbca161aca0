"""A row that is none is refused, with its place; no row is lost in silence."""

from __future__ import annotations

import io

import pytest

from mine.command.tables.columns import read_columns
from mine.command.tables.opening import open_table

ROWS = [f"{i},{i * i % 7},ok" for i in range(1, 41)]


def read(rows: list[str], header: str = "a,b,note", end: str = "\n") -> list[float | str]:
    content = ("\n".join([header, *rows]) + end).encode()
    values = read_columns(open_table("-", lambda: io.BytesIO(content)), "ab").values
    return values["a"].tolist()


def put(row: int, text: str, rows: list[str] = ROWS) -> list[str]:
    """The rows with this text for one of them."""
    return [*rows[: row - 1], text, *rows[row:]]


UNCLOSED = {
    "to the end": put(20, '20,1,"5 in'),
    "in the last row but one": put(39, '39,1,"5 in'),
    "to another": put(20, '20,1,"5 in', put(30, '30,1,"5 in')),
    "to a quote in a cell": put(20, '20,1,"5 in', put(30, '30,1,5" or 6"')),
}


@pytest.mark.parametrize("rows", UNCLOSED.values(), ids=UNCLOSED)
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_quote_that_nothing_closes_is_refused(rows: list[str], end: str) -> None:
    number = next(i for i, row in enumerate(rows, 1) if '"' in row)
    with pytest.raises(ValueError, match=rf"quotes that are closed, got one in row {number} \("):
        read(rows, end=end)


def test_a_quote_that_nothing_closes_is_refused_in_a_table_of_text() -> None:
    rows = ["u,v,x", "v,v,y", "u,u,x"] * 9
    with pytest.raises(ValueError, match=r"one in row 5 .* makes one cell of 3 lines"):
        read(put(5, 'u,v,"5 in', put(7, 'v,u,"7 in', rows)))
    assert len(read(put(5, 'u,v,"5 in,\nor u,v,x"', rows))) == 27


ROWS_ALL_THE_SAME = {
    "a cell of several lines": put(20, '20,1,"5 in,\nor 6, or 7\n"'),
    "quotes in a cell": put(20, '20,1,5"'),
    "doubled quotes": put(20, '20,1,"5"""', put(30, '30,1,"a ""b"", c"')),
    "empty lines": put(20, '20,1,"5"\n\n'),
    "a line of blanks": put(20, "20,1,ok\n   "),
    "a mark of DOS at the end": [*ROWS, "\x1a"],
}


@pytest.mark.parametrize("rows", ROWS_ALL_THE_SAME.values(), ids=ROWS_ALL_THE_SAME)
def test_no_row_is_lost_or_made_by_what_stands_in_cells_and_between_rows(rows: list[str]) -> None:
    assert read(rows) == list(map(float, range(1, 41)))


UNEVEN = {
    "a cell too few": (put(20, "20,1"), "got 2 in row 20 \\('20,1'\\): complete the row"),
    "a cell too many": (put(20, "20,1,ok,2"), "got 4 in row 20 .* quote a cell with ','"),
    "a footer": ([*ROWS, "40 rows"], "got 1 in row 41 .* delete the line if it is no row"),
    "below a cell of two lines": (put(20, '20,1,"x\ny"', put(30, "30")), "got 1 in row 30"),
    "in every other row": (
        [row if i % 2 else row.removesuffix(",ok") for i, row in enumerate(ROWS)],
        "got 2 in row 1",
    ),
}


@pytest.mark.parametrize(("rows", "complaint"), UNEVEN.values(), ids=UNEVEN)
def test_a_row_of_another_width_is_named(rows: list[str], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"expected 3 cells in each row, {complaint}"):
        read(rows)
