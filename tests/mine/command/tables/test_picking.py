"""Columns are named on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.command.tables.picking import check_apart, pick

NAMES = ("height", "weight", "age", "a, b")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["height, age"], ("height", "age")),
        (["age", "height"], ("age", "height")),
        (["a, b"], ("a, b",)),
        (["weight,", "a, b"], ("weight", "a, b")),
    ],
)
def test_columns_are_named_by_commas_or_one_by_one(asked: list[str], found: tuple) -> None:
    assert pick(asked, NAMES, "--x") == found


@given(st.sampled_from(NAMES[:3]), st.data())
def test_a_name_with_one_letter_lost_is_suggested(name: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(name) - 1))
    with pytest.raises(ValueError, match=f"did you mean .*{name}"):
        pick([name[:cut] + name[cut + 1 :]], NAMES, "--x")


def test_names_that_cannot_be_right_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got 'zzz': give one of 'height', .*"):
        pick(["zzz"], NAMES, "--x")
    with pytest.raises(ValueError, match="expected columns for --x, got none"):
        pick([" , "], NAMES, "--x")
    with pytest.raises(ValueError, match="each column once in --y, got 'age'"):
        pick(["age,age"], NAMES, "--y")
    with pytest.raises(ValueError, match="different columns for --x and --y, got 'age'"):
        check_apart(["age", "height"], ["age"])


def test_a_name_that_two_columns_have_is_refused_where_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match="different names, got 'a' 2 times"):
        pick(["a"], ["a", "b", "a"], "--x")
    assert pick(["b"], ["a", "b", "a"], "--x") == ("b",)
