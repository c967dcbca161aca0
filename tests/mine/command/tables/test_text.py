"""Text with a header line."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.command.tables.columns import Columns, read_columns
from mine.command.tables.opening import open_table
from mine.command.tables.source import Source

Opened = Callable[[Path], Source]
Numbers = Callable[..., Columns]
Write = Callable[..., Path]

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)


def test_stdin_is_csv() -> None:
    source = open_table("-", lambda: io.BytesIO(b"a,b\n1,2\n3,5\n"))
    np.testing.assert_array_equal(read_columns(source, ["b"]).values["b"], [2.0, 5.0])


@given(st.lists(FINITE, min_size=2, max_size=20, unique=True))
def test_csv_keeps_every_bit_of_a_number(values: list[float]) -> None:
    content = "a\n" + "\n".join(map(repr, values))
    source = open_table("-", lambda: io.BytesIO(content.encode()))
    assert read_columns(source, ["a"]).values["a"].tolist() == values


def test_numbers_are_what_python_reads_as_numbers(
    numbers: Numbers, text: Write, tmp_path: Path
) -> None:
    path = text(tmp_path, '\ufeffa,b\n +1.5 ,1\n"2",2\n-3e-2,3\n')
    assert numbers(path, "a").values["a"].tolist() == [1.5, 2.0, -0.03]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('\ufeffa,"b, c"\n', ("a", "b, c")),
        ('\n\n"of\ntwo lines",b\r\n', ("of\ntwo lines", "b")),
        (" a ,,b,a\n", (" a ", "", "b", "a")),
        ("a;b\n", ("a;b",)),
    ],
)
def test_a_header_is_the_first_line_with_its_quotes_resolved(
    opened: Opened, text: Write, tmp_path: Path, header: str, names: tuple[str, ...]
) -> None:
    assert opened(text(tmp_path, header + ",".join("1" * len(names)) + "\n")).names == names


def test_columns_that_are_not_named_are_not_parsed(
    numbers: Numbers, text: Write, tmp_path: Path
) -> None:
    garbage = "".join(f"{i},\\x{i}§ NaN?,{i * i}\n" for i in range(30))
    path = text(tmp_path, "a,garbage,b\n" + garbage)
    found = numbers(path, "a", "b")
    assert found.rows == 30 and not found.taken_as
    assert numbers(path, "garbage").taken_as == {"garbage": "categories (text)"}


@pytest.mark.parametrize("missing", ["", "NA", "nan", "NaN", "null", "  ", "?", ".", "-", "None"])
def test_what_stands_for_a_missing_value(
    numbers: Numbers, text: Write, tmp_path: Path, missing: str
) -> None:
    path = text(tmp_path, f"a,b\n1,1\n{missing},2\n3,3\n")
    assert numbers(path, "a", "b", drop=True).dropped == 1


BAD_TEXT = {
    "": "empty file",
    "\n": "header line and rows, got nothing",
    "a,b\n": "expected rows of data, got none",
    "a,b\n1,2\nx1,3\n": r"numbers in column 'a', got 'x1' in row 2: .*--categorical a",
    "a,b\n1,2\n1_000,3\n": "got '1_000' in row 2",
    "a,b\n1,2\n1,3\n": "every column must vary, got 1.0 in all 2 rows of 'a'",
    "a,b\n1,2\n1e300,3\n": r"up to 1e\+150 in size, got 1e\+300 in column 'a', row 2",
    "a,b\n1,2\ninf,3\n": "got inf in column 'a', row 2",
    "a,b\n1,2\n3\n": "expected 2 cells in each row, got 1 in row 2",
    "a,b\n1\0,2\n": "zero bytes in it, a binary",
}


@pytest.mark.parametrize(("content", "complaint"), BAD_TEXT.items())
def test_text_that_cannot_be_right_is_refused(
    numbers: Numbers, text: Write, tmp_path: Path, content: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as error:
        numbers(text(tmp_path, content), "a", "b")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0", b"PAR1\x15\x04\0", os.urandom(4096)]
)
def test_a_binary_is_no_csv(opened: Opened, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="rename it by what it holds"):
        opened(path)
