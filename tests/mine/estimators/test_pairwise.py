"""All pairs of columns in one run: the same numbers as pair by pair, in a matrix."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mine
from mine.estimators.pairwise import SMALL

QUICK = {"steps": 40, "hidden": (8,), "batch_size": 50}
RNG = np.random.default_rng(0)
A = RNG.normal(size=300)
TABLE = pd.DataFrame({"a": A, "b": A + RNG.normal(size=300), "c": RNG.normal(size=300)})
MIXED = TABLE.assign(kind=np.where(A > 0, "up", np.where(A > -1, "low", "down")))


def test_the_matrix_is_what_single_calls_give():
    found = mine.pairwise(MIXED, **QUICK)
    assert found.names == ("a", "b", "c", "kind")
    assert len(found.estimates) == 6
    for (one, other), e in found.estimates.items():
        method = "mixed" if other == "kind" else "mine"
        options = {} if method == "mixed" else {**SMALL, **QUICK}
        alone = mine.estimate(MIXED[one], MIXED[other], method, **options)
        assert e.method == method
        assert e.nats == pytest.approx(alone.nats, abs=1e-4)
        i, j = found.names.index(one), found.names.index(other)
        assert found.nats[i, j] == found.nats[j, i] == e.nats
        assert found.stderr[i, j] == found.stderr[j, i] == e.stderr
    assert np.isnan(np.diag(found.nats)).all() and np.isnan(np.diag(found.stderr)).all()


def test_dependent_columns_stand_out():
    nats = mine.pairwise(TABLE, **QUICK | {"learning_rate": 0.01, "steps": 100}).nats
    assert nats[0, 1] > 0.08 > max(nats[0, 2], nats[1, 2])


def test_the_best_of_many_independent_columns_tell_nothing_on_other_rows():
    """Truth 0. On the rows of the choice they look related by chance: docs/own-data.md says so."""
    rng = np.random.default_rng(0)
    table, target = rng.normal(size=(600, 100)), rng.normal(size=600)
    first, others = slice(0, 300), slice(300, 600)
    alone = mine.pairwise(table[first], target[first], "gaussian_copula").nats[-1, :-1]
    best = np.argsort(-alone)[:5]
    same, other = (
        mine.estimate(table[rows][:, best], target[rows], "gaussian_copula").interval()
        for rows in (first, others)
    )
    assert same[0] > 0.0 and other[0] < 0.0 < other[1]


def test_arrays_and_frames_give_the_same_matrix():
    reference = mine.pairwise(TABLE, **QUICK)
    for held in (TABLE.to_numpy(), pl.from_pandas(TABLE), TABLE.to_numpy().tolist()):
        assert np.array_equal(mine.pairwise(held, **QUICK).nats, reference.nats, equal_nan=True)
    assert mine.pairwise(TABLE.to_numpy(), **QUICK).names == ("0", "1", "2")


@pytest.mark.parametrize("target", ["a", "b", "c"])
def test_a_target_is_paired_with_every_other_column_and_these_not_with_each_other(target):
    found = mine.pairwise(TABLE, target=target, **QUICK)
    whole = mine.pairwise(TABLE, **QUICK)
    i = found.names.index(target)
    assert found.names == whole.names
    assert set(found.estimates) == {pair for pair in whole.estimates if target in pair}
    assert found.nats[i] == pytest.approx(whole.nats[i], abs=1e-4, nan_ok=True)
    assert np.isfinite(found.nats).sum() == 4


def test_a_target_may_be_rows_of_its_own():
    named = mine.pairwise(TABLE, target=pd.Series(A**2, name="square"), **QUICK)
    bare = mine.pairwise(TABLE, target=A**2, **QUICK)
    assert named.names == ("a", "b", "c", "square")
    assert bare.names == ("a", "b", "c", "target")
    assert np.array_equal(named.nats, bare.nats, equal_nan=True)
    assert set(bare.estimates) == {(name, "target") for name in "abc"}


def test_a_frame_has_the_names_on_both_sides():
    frame = mine.pairwise(TABLE, **QUICK).frame()
    assert list(frame.index) == list(frame.columns) == ["a", "b", "c"]
    assert frame.loc["a", "b"] == frame.loc["b", "a"]


def test_every_pair_has_copies_of_its_own():
    found = mine.pairwise(TABLE, null=4, **QUICK)
    assert all(len(e.null) == 4 for e in found.estimates.values())
    assert found.estimates["a", "b"].null != found.estimates["a", "c"].null


def test_q_values_are_the_p_values_of_all_pairs_adjusted_together():
    found = mine.pairwise(TABLE, method="gaussian", null=99)
    above = np.triu_indices(3, 1)
    assert np.array_equal(found.q_values, found.q_values.T, equal_nan=True)
    p, q = found.p_values[above], found.q_values[above]
    assert p[0] == 0.01 and q[0] == pytest.approx(0.03)
    assert p.tolist() == [e.p_value for e in found.estimates.values()]
    assert q.tolist() == pytest.approx(benjamini_hochberg(p))
    assert np.isnan(mine.pairwise(TABLE, method="gaussian").q_values).all()
    constant = mine.pairwise(TABLE.assign(k=1.0), method="gaussian", null=99)
    assert constant.q_values[above][:2] == pytest.approx(found.q_values[above][:2])
    assert np.isnan(constant.q_values[3]).all()


def benjamini_hochberg(p):
    """By its definition: the least of m p / rank over the ranks from a value's own."""
    ranked, m = sorted(p), len(p)
    return [min(m * v / (1 + i) for i, v in enumerate(ranked) if v >= one) for one in p]


def test_the_same_call_twice_gives_the_same_bits():
    one, two = (mine.pairwise(MIXED, seed=3, **QUICK).nats for _ in range(2))
    assert np.array_equal(one, two, equal_nan=True)


def test_ksg_makes_a_matrix_too():
    assert mine.pairwise(TABLE, method="ksg").nats[0, 1] > 0.2


def test_columns_that_tell_nothing_are_zeros_and_identifiers_are_left_out():
    table = TABLE.assign(k=1.0, i=[f"id {i}" for i in range(300)], n=range(1, 301))
    found, whole = mine.pairwise(table, **QUICK), mine.pairwise(TABLE, **QUICK)
    assert found.names == ("a", "b", "c", "k", "i", "n") and found.constant == ("k",)
    reasons = {"i": "it has 300 levels, more than 200", "n": "it counts the rows"}
    assert found.left_out == reasons
    assert found.estimates == whole.estimates
    assert found.nats[3, :3].tolist() == found.stderr[:3, 3].tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(found.nats[4:]).all() and np.isnan(found.nats[3, 3])
    of_counter = mine.pairwise(table, target="n", method="gaussian")
    assert set(of_counter.estimates) == {("a", "n"), ("b", "n"), ("c", "n")}
    assert of_counter.left_out == {"i": reasons["i"]}


def test_rows_with_missing_values_are_left_out_of_all_pairs_where_that_is_asked_for():
    holes = TABLE.copy()
    holes.loc[[3, 9], "b"] = np.nan
    found = mine.pairwise(holes.assign(none=np.nan), drop_missing=True, method="gaussian")
    rest = mine.pairwise(TABLE.drop([3, 9]), method="gaussian")
    assert np.array_equal(found.nats[:3, :3], rest.nats, equal_nan=True)
    assert found.left_out == {"none": "it has no values"}
    assert found.estimates["a", "c"].warnings[-1].startswith("missing: 2 of 300 rows were left")


def test_a_target_is_aligned_with_the_table_by_its_index():
    target = pd.Series(A**2, name="square")
    shuffled = mine.pairwise(TABLE, target=target[::-1], method="gaussian")
    in_order = mine.pairwise(TABLE, target=target, method="gaussian")
    assert np.array_equal(shuffled.nats, in_order.nats, equal_nan=True)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (TABLE[["a"]], {}, "two columns or more, got 1"),
        (TABLE.assign(k=1.0), {"target": "k"}, "got column k of the table constant"),
        (TABLE.set_axis(["a", "b", "a"], axis=1), {}, "different names, got 'a' twice"),
        (TABLE, {"target": "d"}, r"a target among the columns \['a', 'b', 'c'\], got 'd'"),
        (TABLE, {"target": A[:100]}, "the table and target must pair up .* 300 and 100 rows"),
        (TABLE[:10], {}, "at least 20 rows"),
        (TABLE.assign(k="a"), {"target": "k"}, "column k = a of the table constant"),
        (TABLE.assign(k=1j, l=2j), {}, "2 columns cannot be taken: column 'k' .* column 'l' "),
        (TABLE, {"target": pd.Series(A, range(1, 301))}, "target with the same index"),
        (TABLE.where(TABLE < 2), {}, "must be finite"),
        (TABLE, {"method": "gan"}, "method must be one of"),
        (TABLE, {"stepz": 3}, "unknown option 'stepz'"),
    ],
)
def test_tables_that_cannot_be_right_are_refused(table, options, message):
    with pytest.raises(ValueError, match=message):
        mine.pairwise(table, **options)
