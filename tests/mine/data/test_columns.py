"""Own data as columns of numbers: one meaning, whatever holds them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.data.columns import LEVELS, Layout, as_columns

TABLE = np.array([[1.5, -2.0], [0.0, 4.0], [3.0, 1.0]])


@pytest.mark.parametrize(
    "held",
    [
        TABLE, TABLE.astype(np.float32), TABLE.astype(">f8"), torch.from_numpy(TABLE.copy()),
        TABLE.tolist(), pd.DataFrame(TABLE), pl.DataFrame(TABLE, schema=["a", "b"]),
        pd.DataFrame(TABLE).astype("Float64"), TABLE.astype(object), np.asfortranarray(TABLE),
    ],
    ids=lambda held: f"{type(held).__module__}.{type(held).__name__}",
)  # fmt: skip
def test_numbers_are_the_same_whatever_holds_them(held):
    values, layout = as_columns("x", held)
    assert torch.equal(values, torch.from_numpy(TABLE))
    assert layout.levels == ((), ())


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.float16])
def test_whole_and_short_numbers_are_numbers(kind):
    values, _ = as_columns("x", np.array([3, 1, 2], dtype=kind))
    assert values.tolist() == [[3.0], [1.0], [2.0]]


TEXTS = ["b", "a", "b", "c"]
CODED = [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    "held",
    [
        np.array(TEXTS), np.array(TEXTS, dtype=object), pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="category"), pd.DataFrame({"k": TEXTS}), pl.Series(TEXTS),
        pl.Series(TEXTS, dtype=pl.Categorical), pl.DataFrame({"k": TEXTS}),
    ],
    ids=lambda held: f"{type(held).__module__}.{type(held).__name__}",
)  # fmt: skip
def test_categories_become_a_column_a_level_in_sorted_order(held):
    values, layout = as_columns("x", held)
    assert values.tolist() == CODED
    assert layout.levels == (("a", "b", "c"),)
    assert layout.coded == (True,) * 3
    assert layout.width == 3


@pytest.mark.parametrize("held", [np.array([True, False]), pd.Series([True, False])])
def test_booleans_are_categories(held):
    values, layout = as_columns("x", held)
    assert layout.levels == (("False", "True"),)
    assert values.tolist() == [[0, 1], [1, 0]]


def test_a_category_of_numbers_is_a_category():
    values, layout = as_columns("x", pd.Series([10, 2, 10]).astype("category"))
    assert layout.levels == (("10", "2"),)
    assert values.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_a_table_may_hold_both():
    frame = pd.DataFrame({"age": [30, 40, 50], "sex": ["m", "f", "m"]})
    for held in (frame, pl.from_pandas(frame), frame.to_numpy(dtype=object)):
        values, layout = as_columns("x", held)
        assert values.tolist() == [[30, 0, 1], [40, 1, 0], [50, 0, 1]]
        assert layout.coded == (False, True, True)
    assert as_columns("x", frame)[1].labels == ("age", "sex = f", "sex = m")


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30))
def test_a_layout_reads_other_rows_the_same_way(texts):
    _, layout = as_columns("x", np.array(list("abcd")))
    values, again = as_columns("x", np.array(texts), layout)
    assert again == layout
    assert ["abcd"[i] for i in values.argmax(1)] == texts


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (pd.Series(["a", None, "b"]), "x must be finite, got nan or inf in 1 of 3 rows"),
        (pl.Series(["a", None, None]), "in 2 of 3 rows .missing, in column"),
        (pd.Series([1.0, None]), "x must be finite"),
        (pl.Series([1, None]), "x must be finite"),
        (np.array([1.0, None], dtype=object), "nan or inf in 1 of 2 rows"),
        (pd.Series([1, None], dtype="Int64"), "nan or inf in 1 of 2 rows"),
        (np.arange(LEVELS + 1).astype(str), f"at most {LEVELS} levels .* drop an identifier"),
        (np.array([1j, 2j]), "x must be an array of numbers, got ndarray: its type is complex"),
        (torch.tensor([1j, 2j]), "give them as two columns"),
        (["a", None, "b"], "nan or inf in 1 of 3 rows"),
        ([[1, 2], [3]], "x must be an array of numbers"),
        (pd.DataFrame(), "must have rows and columns"),
        (np.empty((5, 0)), "must have shape"),
        (3.0, "must have shape"),
        (np.zeros((2, 2, 2)), "must have shape"),
        (None, "must have shape"),
    ],
)
def test_what_is_no_table_of_numbers_or_categories_is_refused(held, message):
    with pytest.raises(ValueError, match=message):
        as_columns("x", held)


def test_rows_of_another_shape_or_level_do_not_fit_a_layout():
    layout = Layout(("a", "b"), ((), ("u", "v")))
    with pytest.raises(ValueError, match="the 2 columns it was trained on, 1 of them categories"):
        as_columns("x", np.zeros((4, 2)), layout)
    with pytest.raises(ValueError, match="got 1 columns"):
        as_columns("x", pd.DataFrame({"b": ["u"]}), layout)
    with pytest.raises(ValueError, match="got 'w': train on rows that have it"):
        as_columns("x", pd.DataFrame({"a": [1.0], "b": ["w"]}), layout)


def test_columns_in_another_order_are_not_taken_for_each_other():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    _, layout = as_columns("x", frame)
    with pytest.raises(ValueError, match=r"in the order \['a', 'b'\], got \['b', 'a'\]"):
        as_columns("x", frame[["b", "a"]], layout)
    values, _ = as_columns("x", frame.rename(columns={"a": "c"}), layout)
    assert values.tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_what_is_read_is_a_copy():
    held = np.ones((3, 1))
    values, _ = as_columns("x", held)
    held[:] = 7
    assert values.tolist() == [[1.0]] * 3
