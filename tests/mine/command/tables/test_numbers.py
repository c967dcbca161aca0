"""Numbers and dates as people and programs write them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.command.tables.numbers import column_of_texts

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def column(*texts: str | None, decimal: str | None = None):
    return column_of_texts("a", pa.array(texts, pa.large_string()), decimal)


@pytest.mark.parametrize(
    ("texts", "values", "taken_as"),
    [
        (["1", "2.5", "-3e-2", "+.5", "7."], [1, 2.5, -0.03, 0.5, 7], ""),
        (["$ 0.13", "-$2", "$1,000.5"], [0.13, -2, 1000.5], "'$' and signs between thousands"),
        (["3 €", "4,5 €"], [3, 4.5], "'€' and decimal commas"),
        (["12.6%", "5 %", "0.5"], [0.126, 0.05, 0.5], "'%'"),
        (["101,257.30", "7"], [101257.3, 7], "signs between thousands"),
        (["1.257,30", "0,5"], [1257.3, 0.5], "signs between thousands and decimal commas"),
        (["1 257", "12\xa0345,5"], [1257, 12345.5], "signs between thousands and decimal commas"),
        (["1'257.5", "3"], [1257.5, 3], "signs between thousands"),
        (["0,5", "1,25"], [0.5, 1.25], "decimal commas"),
        (["0,950", "1,257", "2"], [0.95, 1.257, 2], "decimal commas"),
        (["-0,950", "-1,257"], [-0.95, -1.257], "decimal commas"),
        (["950", "1,257"], [950, 1257], "signs between thousands"),
        (["0.950", "1.257"], [0.95, 1.257], ""),
    ],
)
def test_what_stands_beside_the_digits_is_taken_off(texts, values, taken_as) -> None:
    found = column(*texts)
    assert found.values.tolist() == values
    assert found.taken_as == (f"numbers without {taken_as}" if taken_as else "")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1.234", "950"], [1234, 950]),
        (["-1.234", "1.234.567"], [-1234, 1234567]),
        (["1.234", "950", "0,5"], [1234, 950, 0.5]),
        (["1.234 €", "950 €"], [1234, 950]),
        (["0.234", "1.234"], [0.234, 1.234]),
        (["1.234", "0.5", "0,5"], [1.234, 0.5, 0.5]),
    ],
)
def test_points_part_thousands_where_commas_are_decimal_unless_one_cannot(texts, values) -> None:
    assert column(*texts, decimal=",").values.tolist() == values


@given(st.lists(FINITE, min_size=1))
def test_every_bit_of_a_number_is_kept(values: list[float]) -> None:
    assert column(*map(repr, values)).values.tolist() == values


@pytest.mark.parametrize("mark", ["?", ".", "-", "--", "None", "*", "", " ", " NA"])
def test_marks_are_missing_among_numbers_and_dates(mark: str) -> None:
    assert np.isnan(column("1", mark, "2").values).tolist() == [False, True, False]
    assert np.isnan(column("2020-01-01", mark).values).tolist() == [False, True]


def test_what_a_user_says_is_missing_is_missing_in_every_column() -> None:
    texts = pa.array(["1", "gone", "2"]), pa.array(["u", "gone", "v"])
    numbers, levels = (column_of_texts("a", one, na=("gone",)).values for one in texts)
    assert np.isnan(numbers).tolist() == [False, True, False]
    assert levels.tolist() == ["u", None, "v"]


def test_a_question_mark_is_missing_in_every_column() -> None:
    assert column("Private", " ?", "State-gov").values.tolist() == ["Private", None, "State-gov"]


def test_marks_are_levels_among_levels() -> None:
    """In a column of + and - the second is no missing value."""
    assert column("+", "-", "+").values.tolist() == ["+", "-", "+"]
    assert column("None", "some").taken_as == "categories (text)"


def test_a_few_texts_among_numbers_are_errors_and_many_are_levels() -> None:
    with pytest.raises(ValueError, match=r"got 'x1' in row 2: correct it, or give --na 'x1'"):
        column("1", "x1", "2")
    with pytest.raises(ValueError, match=r"got 'x' in row 1 \(and 1 more\): .*--categorical a"):
        column("x", "y", "2", "3")
    assert column("x", "y", "2").values.tolist() == ["x", "y", "2"]
    with pytest.raises(ValueError, match=r"got '\$5' in row 1"):
        column("$5", "€3", "1", "2")


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["1970-01-02", "1970-01-11"], [1, 10]),
        (["1970-01-02T12:00:00", "1970-01-03T00:00:00"], [1.5, 2]),
        (["1970-01-02 06:00:00.5Z", "1970-01-03 00:00:00Z"], [1.25 + 0.5 / 86400, 2]),
        (["13.01.1970", "02.01.1970"], [12, 1]),
        (["01/13/1970", "01/02/1970"], [12, 1]),
        (["2 Jan 1970", "13 Jan 1970"], [1, 12]),
        (["1970-01-02 12:00:00.000000001", "1970-01-03 00:00:00.123456789"], [1.5, 2 + 1.4288e-6]),
        (["1970-01-02 12:00:00.000000001Z", "1970-01-03 01:00:00+01:00"], [1.5, 2]),
        (["01/13/1970 12:00 PM", "01/02/1970 12:00 AM"], [12.5, 1]),
        (["2 January 1970", "28 Feb 1970"], [1, 58]),
        (["29.02.1972", "28.2.1971"], [789, 423]),
    ],
)
def test_dates_are_days(texts: list[str], days: list[float]) -> None:
    found = column(*texts)
    assert found.values.tolist() == pytest.approx(days)
    assert found.taken_as == "days since 1970 (dates)"


@pytest.mark.parametrize(
    "texts",
    [
        ("29.08.99", "01.01.00"),
        ("12/31/98", "01/13/99"),
        ("31-Dec-98", "13-Jan-99"),
        ("2 Jan 98", "13 Jan 1999"),
        ("99-08-29 12:30", "00-01-01 01:00"),
    ],
)
def test_years_of_two_digits_are_of_no_century(texts: tuple[str, ...]) -> None:
    """They were the years 0 to 99."""
    with pytest.raises(
        ValueError, match=f"of four digits in the dates in column 'a', got '{texts[0]}'"
    ):
        column(*texts)


@pytest.mark.parametrize(
    "text", ["2024-02-30", "31.04.2024", "02/30/2024", "30 Feb 2024", "2023-02-29 12:00:00"]
)
def test_the_thirtieth_of_february_is_no_day(text: str) -> None:
    with pytest.raises(ValueError, match=f"days of the calendar in column 'a', got '{text}'"):
        column(text.replace("30", "28").replace("29", "28").replace("31", "30"), text)


def test_a_time_zone_stands_in_all_rows_or_in_none() -> None:
    with pytest.raises(
        ValueError, match=r"in all dates or in none in column 'a', got '1970-01-02T00"
    ):
        column("1970-01-02T00:00:00Z", "1970-01-02T00:00:00")
    assert column("1970-01-01T02:00:00+0200", "1970-01-02T00:00:00Z").values.tolist() == [0.0, 1.0]


def test_dates_of_two_meanings_are_refused() -> None:
    with pytest.raises(ValueError, match="day or the month first: write them as 2024-01-31"):
        column("03/04/2024", "05/06/2024")
    assert column("03/03/2024", "05/05/2024").taken_as == "days since 1970 (dates)"
