"""Rows that pair up: aligned by their index, and complete where that is asked for."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

import mine
from mine.estimators.rows import as_pair
from mine.sklearn import mutual_info

RNG = np.random.default_rng(0)
A = RNG.normal(size=100)
B = A + RNG.normal(size=100)
PLAIN = mine.estimate(A, B, method="gaussian")


def test_series_pair_up_by_their_labels():
    order = RNG.permutation(100)
    shuffled = pd.Series(B)[order]
    assert mine.estimate(pd.Series(A), shuffled, method="gaussian") == PLAIN
    assert mine.estimate(pd.DataFrame(A), shuffled.to_frame(), method="gaussian") == PLAIN
    whole = mine.conditional(A, B, A * B, method="gaussian")
    found = mine.conditional(
        pd.Series(A), shuffled, pd.Series(A * B)[order[::-1]], method="gaussian"
    )
    assert found == whole


def test_arrays_pair_up_by_place():
    labelled = pd.Series(B, index=range(5, 105))
    assert mine.estimate(A, labelled, method="gaussian") == PLAIN
    assert mine.estimate(pl.Series(A), labelled, method="gaussian") == PLAIN


@pytest.mark.parametrize("index", [range(5, 105), [0] * 100, list("ab") * 50])
def test_other_labels_are_refused_unless_they_are_equal(index):
    with pytest.raises(ValueError, match=r"expected x and y with the same index.*\.to_numpy\(\)"):
        mine.estimate(pd.Series(A), pd.Series(B, index=index), method="gaussian")
    same = pd.Series(A, index=index), pd.Series(B, index=index)
    assert mine.estimate(*same, method="gaussian") == PLAIN


@pytest.mark.parametrize(
    "holed",
    [
        np.append(B, np.nan), np.ma.masked_array(np.append(B, 1e6), mask=[0] * 100 + [1]),
        pd.Series([*B, None]), pl.Series([*B, None]), [*B, float("nan")],
        pd.DataFrame({"b": [*B, np.nan]}),
    ],
    ids=lambda held: f"{type(held).__module__}.{type(held).__name__}",
)  # fmt: skip
def test_rows_with_missing_values_are_left_out_where_that_is_asked_for(holed):
    x = np.append(A, 7.0)
    with pytest.raises(ValueError, match=r"1 of 101 rows.*drop_missing=True"):
        mine.estimate(x, holed, method="gaussian")
    found = mine.estimate(x, holed, method="gaussian", drop_missing=True)
    assert (found.nats, found.n_test) == (PLAIN.nats, 100)
    assert found.warnings[-1].startswith("missing: 1 of 101 rows were left out")
    kept = as_pair(x, holed, drop_missing=True)[0].kept
    assert kept is not None and np.flatnonzero(~kept).tolist() == [100]


def test_asking_to_drop_changes_nothing_where_nothing_is_missing():
    assert mine.estimate(A, B, method="gaussian", drop_missing=True) == PLAIN


def test_too_few_complete_rows_blame_the_columns():
    table = pd.DataFrame({"a": A, "empty": [1.0, *[np.nan] * 99]})
    with pytest.raises(ValueError, match=r"got 1 of 100 \(missing are 99 in 'empty' of x\)"):
        mine.estimate(table, B, drop_missing=True)


def test_infinite_values_are_not_missing():
    with pytest.raises(ValueError, match="must be finite"):
        mine.estimate(np.append(A, np.inf), np.append(B, 0.0), drop_missing=True)


@pytest.mark.parametrize("method", ["auto", "mine", "ksg", "gaussian", "gaussian_copula"])
def test_a_sentinel_is_warned_of_by_all_methods(method):
    """The methods that train nothing took it for a number in silence."""
    x, y = np.append(A, [-999.0] * 5), np.append(B, RNG.normal(size=5))
    quick = {"steps": 5, "hidden": (4,)} if mine.methods()[method].trains else {}
    e = mine.estimate(x, y, method, **quick)
    (found,) = [w for w in e.warnings if w.startswith("sentinel")]
    assert "'0' of x (-999 in 5 rows)" in found and e.verdict != "reliable"
    plain = mine.estimate(A, B, method, **quick)
    assert not [w for w in plain.warnings if w.startswith("sentinel")]


def test_a_sentinel_beside_labels_and_in_a_table_is_warned_of():
    x = np.append(A, [-999.0] * 5)
    label = np.append(np.where(A > 0, "a", "b"), ["a"] * 5)
    e = mine.estimate(x, label)
    assert e.chosen == "mixed" and any(w.startswith("sentinel") for w in e.warnings)
    table = np.stack([x, np.append(B, RNG.normal(size=5)), RNG.normal(size=105)], 1)
    pairs = mine.pairwise(table, method="ksg").estimates
    said = [pair for pair, e in pairs.items() if any(w.startswith("sentinel") for w in e.warnings)]
    assert said == [("0", "1"), ("0", "2")]


HOLDERS = {
    "list": lambda v: v.tolist(),
    "dict": lambda v: {"a": v},
    "masked": np.ma.masked_array,
    "sparse": lambda v: scipy.sparse.csr_array(v[:, None]),
    "arrow array": pa.array,
    "arrow table": lambda v: pa.table({"a": v}),
    "lazy frame": lambda v: pl.LazyFrame({"a": v}),
    "xarray": lambda v: Labelled(v),
}
TEXT = np.where(A > 0, "up", "down")


class Labelled:
    """What xarray's arrays have, as far as they are read."""

    dims = ("row",)

    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return self.values


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_every_call_takes_whatever_holds_the_rows(hold):
    x, y, z = (hold(v) for v in (A, B, A * B))
    assert mine.estimate(x, y, "gaussian") == PLAIN
    assert mine.estimate(x, y, "gaussian", drop_missing=True) == PLAIN
    assert mine.estimate_many([(x, y)], "gaussian") == [PLAIN]
    plain = mine.conditional(A, B, A * B, "gaussian")
    assert mine.conditional(x, y, z, "gaussian").nats == plain.nats
    assert mutual_info(A[:, None], y, method="gaussian").tolist() == [PLAIN.nats]


@pytest.mark.parametrize("hold", [HOLDERS[k] for k in HOLDERS if k != "sparse"])
def test_text_is_levels_in_every_call(hold):
    plain = mine.estimate(A, TEXT)
    assert plain.chosen == "mixed" and mine.estimate(hold(A), hold(TEXT)) == plain
    assert mine.estimate(hold(TEXT), hold(TEXT)).share == 1.0


def test_tables_of_all_kinds_have_one_matrix():
    rows = np.stack([A, B, A * B], 1)
    names = list("abc")
    plain = mine.pairwise(rows, method="gaussian").nats
    for held in (
        dict(zip(names, rows.T, strict=True)), pa.table(dict(zip(names, rows.T, strict=True))),
        pl.LazyFrame(rows, schema=names), scipy.sparse.csr_array(rows), np.ma.masked_array(rows),
        rows.tolist(),
    ):  # fmt: skip
        found = mine.pairwise(held, method="gaussian").nats
        np.testing.assert_array_equal(found, plain)
        scores = mutual_info(held, TEXT)
        np.testing.assert_array_equal(scores, mutual_info(rows, TEXT))
