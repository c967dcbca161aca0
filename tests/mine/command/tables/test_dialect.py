"""The dialect of a table of text is recognised; what a user says goes before."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.command.tables.columns import Columns, read_columns
from mine.command.tables.opening import open_table
from mine.command.tables.reading import Reading

A, B = [1.25, -3.5, 1204.5, 0.0], [2.0, 7.5, -1.0, 10.0]
ROWS = "".join(f"{a},{b},u{i}\n" for i, (a, b) in enumerate(zip(A, B, strict=True)))
TABLE = "a,b,g\n" + ROWS


def recognised(content: str | bytes, asked: Reading | None = None) -> tuple[str, ...]:
    return opened(content, asked).recognised


def opened(content: str | bytes, asked: Reading | None = None):
    content = content.encode() if isinstance(content, str) else content
    return open_table("-", lambda: io.BytesIO(content), asked)


def read(content: str | bytes, names: Sequence[str] = "ab", **asked: object) -> Columns:
    return read_columns(opened(content, Reading(**asked)), names)  # type: ignore[arg-type]


def german(delimiter: str = ";") -> str:
    return TABLE.replace(",", delimiter).replace(".", ",")


WRITTEN: Mapping[str, tuple[str, str]] = {
    "as usual": (TABLE, ""),
    "semicolons": (TABLE.replace(",", ";"), "columns parted by ';'"),
    "tabs": (TABLE.replace(",", "\t"), "columns parted by tabs"),
    "pipes": (TABLE.replace(",", "|"), "columns parted by '|'"),
    "blanks": (
        "a  b   c\n" + "".join(f" {a:8}   {b:8} 7 \n" for a, b in zip(A, B, strict=True)),
        "columns parted by blanks",
    ),
    "decimal commas": (german(), "columns parted by ';'; decimal sign ','"),
    "decimal commas and tabs": (german("\t"), "columns parted by tabs; decimal sign ','"),
    "Excel's line": ("sep=;\n" + TABLE.replace(",", ";"), "columns parted by ';'"),
    "a title": ("People of 2024\n\n" + TABLE, "1 line above the rows"),
    "a title in a row": ("People of 2024,,\n" + TABLE, "1 line above the rows"),
    "comments": ("# by hand\n# twice, or so\n" + TABLE, ""),
    "comments between": (TABLE + "# the end\n", ""),
    "numpy's header and tabs": (
        "# a\tb\tg\n" + ROWS.replace(",", "\t"),
        "columns parted by tabs",
    ),
    "numpy's header": ("# a,b,g\n" + ROWS, ""),
    "units": (
        "a,b,g\nm,kg,-\n" + ROWS,
        "a row of units below the header",
    ),
    "units in brackets": ("a,b,g\n[m2],[%],\n" + ROWS, "a row of units below the header"),
    "trailing commas": ("a,b,g\n" + ROWS.replace("\n", ",\n"), ""),
    "trailing commas everywhere": (TABLE.replace("\n", ",\n"), ""),
    "R's row names": (
        "a,b,g\n" + "".join(f"r{i},{row}\n" for i, row in enumerate(ROWS.split())),
        "",
    ),
    "pandas' row numbers": (
        ",a,b,g\n" + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS.split())),
        "",
    ),
    "Windows' line ends": (TABLE.replace("\n", "\r\n"), ""),
    "old Macs' line ends": (TABLE.replace("\n", "\r"), ""),
    "old Macs' line ends and blanks": (
        "a  b   c\r" + "".join(f" {a:8}   {b:8} 7 \r" for a, b in zip(A, B, strict=True)),
        "columns parted by blanks",
    ),
}


@pytest.mark.parametrize(("content", "words"), WRITTEN.values(), ids=WRITTEN)
def test_every_way_to_write_a_table_gives_the_same_numbers(content: str, words: str) -> None:
    found = read(content)
    assert found.values["a"].tolist() == A and found.values["b"].tolist() == B
    said = "; ".join(recognised(content))
    assert words in said and bool(words) == bool(said.replace("line above the rows", ""))


NAMELESS = {
    "numbers": ("0.1,2,x\n0.3,1,y\n0.2,5,x\n", ("0", "1", "2"), 3),
    "numbers for names": ("0,1,2\n0.5,7,1\n0.2,3,9\n", ("0", "1", "2"), 2),
    "years": ("2019,2020,2021\n5,7,1\n2,3,9\n", ("2019", "2020", "2021"), 2),
    "text alone, repeated": ("u,x\nv,x\nu,y\nv,x\n", ("0", "1"), 4),
    "text alone, named": ("side,kind\nu,x\nv,y\nu,y\n", ("side", "kind"), 3),
}


@pytest.mark.parametrize(("content", "names", "rows"), NAMELESS.values(), ids=NAMELESS)
def test_a_first_row_like_all_others_is_no_header(
    content: str, names: tuple[str, ...], rows: int
) -> None:
    source = opened(content)
    assert source.names == names
    assert len(source.read(names[:1], ())[names[0]].values) == rows
    said = any("no header" in words for words in source.recognised)
    assert said == (names[:2] == ("0", "1") and rows > 2)
    with_header = opened(content, Reading(header=True))
    assert with_header.names == tuple(content.split("\n")[0].split(","))
    assert opened(content, Reading(header=False)).names[0] == "0"


ENCODINGS = ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_is_read_in_its_encoding(encoding: str) -> None:
    content = ("größe,art\n" + "1.5,ö\n2.5,ä\n" * 20).encode(encoding)
    found = read(content, ["größe", "art"])
    assert found.values["größe"].tolist() == [1.5, 2.5] * 20
    assert set(found.values["art"]) == {"ö", "ä"}
    assert bool(recognised(content)) == (encoding[:5] != "utf-8")


def test_a_letter_of_another_encoding_behind_the_head_is_refused_with_what_to_do() -> None:
    content = b"a,g\n" + b"1.5,u\n2.5,v\n" * 100_000 + "3.5,ö\n".encode("latin-1")
    with pytest.raises(ValueError, match="give --encoding latin-1"):
        read(content, ["a", "g"])
    assert read(content, ["a", "g"], encoding="latin-1").values["g"][-1] == "ö"


def test_what_a_user_says_goes_before_what_is_recognised() -> None:
    assert read(german(), delimiter=";", decimal=",").values["a"].tolist() == A
    assert recognised(german(), Reading(delimiter=";", decimal=",")) == ()
    above = "x,y\n1,2\n" + TABLE
    assert read(above, skip_rows=2).values["a"].tolist() == A
    marked = TABLE.replace("-3.5", "!1,2,3\n-3.5") + "!\n"
    assert read(marked, comment="!").values["a"].tolist() == A


def test_a_comma_that_may_mean_two_things_is_asked_for() -> None:
    content = "a;b\n1,234;1\n950;2\n1,100;3\n"
    with pytest.raises(ValueError, match=r"got 1,234, .* give --decimal \. or --decimal ,"):
        read(content)
    assert read(content, decimal=".").values["a"].tolist() == [1234.0, 950.0, 1100.0]
    assert read(content, decimal=",").values["a"].tolist() == [1.234, 950.0, 1.1]


@pytest.mark.parametrize("asked", [{}, {"decimal": ","}])
def test_points_part_thousands_beside_a_column_of_decimal_commas(asked: dict[str, str]) -> None:
    found = read("a;b\n1.234;0,5\n950;1,5\n2.100;-3,25\n", **asked)
    assert found.values["a"].tolist() == [1234.0, 950.0, 2100.0]
    assert found.values["b"].tolist() == [0.5, 1.5, -3.25]
    assert found.taken_as == {"a": "numbers without signs between thousands"}


def test_points_and_commas_before_three_digits_alone_are_read_the_english_way() -> None:
    found = read("a;b\n1.234;1,500\n2.100;2,500\n3.100;3,250\n")
    assert found.values["a"].tolist() == [1.234, 2.1, 3.1]
    assert found.values["b"].tolist() == [1500.0, 2500.0, 3250.0]


def test_quoted_decimal_commas_are_no_thousands() -> None:
    found = read('a,b\n"0,950",1\n"1,257",2\n2,3\n"0,125",4\n')
    assert found.values["a"].tolist() == [0.95, 1.257, 2.0, 0.125]
    assert found.taken_as == {"a": "numbers without decimal commas"}


@pytest.mark.parametrize("between", [", ", "; ", "| ", ",\t"])
def test_blanks_before_quotes_change_nothing(between: str) -> None:
    rows = [
        ["a", '"b, c"', '"g"'],
        ["0", '"1.5"', '"say ""u"""'],
        ["1", '"2.5"', "v"],
        ["2", "-3", '"w, ""x"", y"'],
        ["3", '""', '"z"'],
    ]
    found = read_columns(
        opened("\r\n".join(map(between.join, rows))), ["a", "b, c", "g"], drop=True
    )
    assert found.values["b, c"].tolist() == [1.5, 2.5, -3.0] and found.dropped == 1
    assert found.values["g"].tolist() == ['say "u"', "v", 'w, "x", y']


def test_a_header_of_more_than_a_megabyte_is_read() -> None:
    names = [f"c{i:06d}" for i in range(150_000)]
    row = ",".join(["1.5"] * len(names))
    content = ",".join(names) + "\n" + f"{row}\n{row.replace('1.5', '2.5')}\n"
    assert read(content, [names[-1]]).values[names[-1]].tolist() == [1.5, 2.5]


CELLS = st.floats(-1e9, 1e9).map(lambda v: round(v, 3))


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=3, max_size=20, unique_by=lambda row: row[0]),
    st.sampled_from([";", "\t", "|"]),
    st.booleans(),
)
def test_numbers_survive_a_delimiter_and_a_decimal_sign(
    rows: list[tuple[float, float]], delimiter: str, comma: bool
) -> None:
    lines = [delimiter.join(f"{v:.3f}" for v in row) for row in rows]
    body = "\n".join(lines).replace(".", "," if comma else ".")
    source = opened(f"a{delimiter}b\n{body}\n", Reading(decimal="," if comma else "."))
    found = source.read("ab", ())
    np.testing.assert_array_equal(found["a"].values, [a for a, _ in rows])
    np.testing.assert_array_equal(found["b"].values, [b for _, b in rows])


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_refused_in_one_line(text: str) -> None:
    assert "\n" not in complaint_about(text)


def complaint_about(text: str) -> str:
    try:
        source = opened(text)
        read_columns(source, source.names[:1], whole=True)
    except ValueError as error:
        return str(error)
    return ""
