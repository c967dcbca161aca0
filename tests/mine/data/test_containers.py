"""What may hold a user's rows: the same numbers, whatever holds them."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch

import mine
from mine.data.columns import as_columns
from mine.data.sentinels import sentinel

EAST = datetime.timezone(datetime.timedelta(hours=2))

TABLE = np.array([[1.5, -2.0], [0.0, 4.0], [3.0, 1.0]])


class Labelled:
    """What xarray's arrays have, as far as they are read here."""

    dims = ("row", "column")
    values = TABLE

    def to_numpy(self):
        return self.values


@pytest.mark.parametrize(
    "held",
    [
        np.ma.masked_array(TABLE), scipy.sparse.csr_array(TABLE), scipy.sparse.coo_matrix(TABLE),
        pl.LazyFrame(TABLE, schema=["a", "b"]), pa.table({"a": TABLE[:, 0], "b": TABLE[:, 1]}),
        pa.RecordBatch.from_arrays([pa.array(c) for c in TABLE.T], ["a", "b"]),
        {"a": TABLE[:, 0], "b": TABLE[:, 1].tolist()},
        {"a": pd.Series(TABLE[:, 0]), "b": torch.from_numpy(TABLE[:, 1:].copy())},
        Labelled(),
    ],
    ids=lambda held: f"{type(held).__module__}.{type(held).__name__}",
)  # fmt: skip
def test_numbers_are_the_same_whatever_holds_them(held):
    values, layout = as_columns("x", held)
    assert torch.equal(values, torch.from_numpy(TABLE))
    assert layout.levels == ((), ())


@pytest.mark.parametrize(
    "held",
    [
        ["b", "a", "b"], [["b"], ["a"], ["b"]], pa.array(["b", "a", "b"]),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays([0, 1, 0], pa.array(["b", "a"], pa.string_view())),
        pa.chunked_array([["b", "a"], ["b"]]),
        pa.table({"0": ["b", "a", "b"]}), {"0": ["b", "a", "b"]},
        np.ma.masked_array(["b", "a", "b"]), pd.Categorical(["b", "a", "b"]),
        pd.Index(["b", "a", "b"]), pd.array(["b", "a", "b"]),
    ],
    ids=lambda held: f"{type(held).__module__}.{type(held).__name__}",
)  # fmt: skip
def test_text_is_levels_whatever_holds_it(held):
    values, layout = as_columns("x", held)
    assert layout.levels == (("a", "b"),)
    assert values.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_a_row_of_a_list_may_hold_text_and_numbers():
    values, layout = as_columns("x", [[1, "a"], [2.5, "b"], [10, "a"]])
    assert values.tolist() == [[1, 1, 0], [2.5, 0, 1], [10, 1, 0]]
    assert layout.coded == (False, True, True)


def test_a_dictionary_of_numbers_holds_levels_whatever_holds_it():
    for held in (
        pa.array([10, 2, 10]).dictionary_encode(),
        pa.table({"0": pa.array([10, 2, 10]).dictionary_encode()}),
        pd.Series([10, 2, 10]).astype("category"),
    ):
        assert as_columns("x", held)[1].levels == (("10", "2"),)


@pytest.mark.parametrize(
    "held",
    [
        np.array(["1970-01-02", "1970-01-03T12"], dtype="datetime64[h]"),
        pd.Series(pd.to_datetime(["1970-01-02 00:00", "1970-01-03 12:00"])),
        pl.Series([datetime.datetime(1970, 1, 2), datetime.datetime(1970, 1, 3, 12)]),
        pa.array([datetime.datetime(1970, 1, 2), datetime.datetime(1970, 1, 3, 12)]),
        pd.Series(pd.to_timedelta([24, 60], unit="h")),
        [datetime.datetime(1970, 1, 2), datetime.datetime(1970, 1, 3, 12)],
        [
            datetime.datetime(1970, 1, 2, 2, tzinfo=EAST),
            datetime.datetime(1970, 1, 3, 14, tzinfo=EAST),
        ],
        pd.Series(pd.to_datetime(["1970-01-02 02:00", "1970-01-03 14:00"]).tz_localize(EAST)),
        pd.DatetimeIndex(["1970-01-02 00:00", "1970-01-03 12:00"]),
    ],
)
def test_dates_are_days(held):
    assert as_columns("x", held)[0].tolist() == [[1.0], [2.5]]


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_that_would_lose_digits_are_refused_or_left_out(dtype):
    """float64 takes 2^60 and 2^60 + 1 for one number."""
    ids = np.arange(2**60, 2**60 + 30).astype(dtype)
    for held in (ids, torch.from_numpy(ids), ids.tolist(), pd.DataFrame({"a": ids})):
        with pytest.raises(ValueError, match="integers beyond 2\\^53 lose their last digits"):
            as_columns("x", held)
    less = ids - ids.min() + 2**53 - 29
    assert as_columns("x", less)[0].unique().numel() == 30
    x = np.random.default_rng(0).normal(size=30)
    found = mine.pairwise(pd.DataFrame({"id": ids, "x": x, "y": x**3}), method="gaussian")
    assert found.left_out == {"id": "it has integers beyond 2^53"}


@pytest.mark.parametrize(
    "held",
    [
        np.ma.masked_array([1.0, 9e9, 2.0], mask=[0, 1, 0]),
        np.ma.masked_array([1, 9, 2], mask=[0, 1, 0]),
        np.ma.masked_array(["a", "x", "b"], mask=[0, 1, 0]),
        pd.Series(["a", pd.NA, "b"], dtype=object), pd.Series([True, None, False]),
        pa.array([1, None, 2]), pa.array(["a", None, "b"]), {"k": [1.0, None, 2.0]},
        pd.Series(pd.to_datetime(["2020-01-01", None, "2021-01-01"])), [["a"], [None], ["b"]],
        [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)], pd.array([1, None, 2]),
    ],
)  # fmt: skip
def test_what_is_missing_is_counted_whatever_holds_it(held):
    with pytest.raises(ValueError, match=r"nan or inf in 1 of 3 rows .missing, in column|1 of 3"):
        as_columns("x", held)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"a": [1, 2], "b": [1]}, r"equal length in x, got \{'a': 2, 'b': 1\}"),
        ({"a": TABLE}, "one column under the name 'a', got shape"),
        ({}, "must have rows and columns"),
        (scipy.sparse.eye_array(20_000, 20_000), "sparse array of shape .* take fewer columns"),
        (pd.DataFrame({"a": [1j], "b": [2j]}), "2 columns cannot be taken: column 'a'"),
        (pd.DataFrame({"a": [1, None], "b": ["u", None]}), "in column 'a', 'b'"),
    ],
)
def test_what_is_no_table_is_refused(held, message):
    with pytest.raises(ValueError, match=message):
        as_columns("x", held)


SPREAD = np.linspace(-2.0, 3.0, 50)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (np.append(SPREAD, [-999.0] * 3), (-999.0, 3)),
        (np.append(SPREAD, [9999.0] * 4), (9999.0, 4)),
        (np.append(SPREAD, [-1e30] * 3 + [np.nan]), (-1e30, 3)),
        (np.append(20 * SPREAD, [-99.0] * 3), (-99.0, 3)),
        (np.append(SPREAD, [-999.0] * 2), None),
        (SPREAD, None),
        (np.append(np.abs(SPREAD) + 1, [0.0] * 20), None),
        (np.append(np.zeros(50), [-999.0] * 9), None),
        (np.full(9, np.nan), None),
        (np.array([]), None),
    ],
)
def test_a_sentinel_repeats_and_stands_apart(column, found):
    assert sentinel(column) == found


def test_columns_without_sentinels_are_not_said_to_have_one():
    rng = np.random.default_rng(0)
    draws = [
        rng.normal, rng.standard_cauchy, lambda size: rng.poisson(3, size),
        lambda size: np.maximum(rng.normal(size=size), 0), lambda size: rng.pareto(1, size),
        lambda size: rng.normal(size=size).round(1),
        lambda size: np.exp(3 * rng.normal(size=size)),
    ]  # fmt: skip
    assert [draw for draw in draws for n in (50, 5000) if sentinel(1.0 * draw(size=n))] == []
