"""Rows left out for missing values, and rows that hang together: groups are cut with them."""

import numpy as np
import pandas as pd
import pytest

import mine
from mine.sklearn import mutual_info

RNG = np.random.default_rng(0)
WHO = np.repeat(np.arange(40), 10)
X = RNG.normal(size=40)[WHO] + RNG.normal(size=400)
Y = X + RNG.normal(size=400)
Z = RNG.normal(size=400)
HOLES = X.copy()
HOLES[[3, 50, 51, 390]] = np.nan
KEPT = ~np.isnan(HOLES)
TABLE = pd.DataFrame({"x": HOLES, "y": Y, "z": Z})
HOW = {"method": "gaussian", "drop_missing": True}


def test_groups_are_cut_by_the_rows_that_are_kept():
    cut = {"method": "gaussian", "groups": WHO[KEPT]}
    alone = mine.estimate(X[KEPT], Y[KEPT], **cut)
    found = mine.estimate(HOLES, Y, groups=WHO, **HOW)
    assert (found.nats, found.stderr) == (alone.nats, alone.stderr)
    (many,) = mine.estimate_many([(HOLES, Y)], groups=[WHO], **HOW)
    assert many == found

    c = mine.conditional(HOLES, Y, Z, groups=WHO, **HOW)
    of_kept = mine.conditional(X[KEPT], Y[KEPT], Z[KEPT], **cut)
    assert (c.nats, c.stderr) == (of_kept.nats, of_kept.stderr)

    for given in (TABLE, TABLE[["x", "z"]]):
        target = None if given is TABLE else TABLE["y"]
        m = mine.pairwise(given, target, groups=WHO, **HOW)
        e = next(e for pair, e in m.estimates.items() if set(pair) == {"x", "y"})
        assert (e.nats, e.stderr) == pytest.approx((alone.nats, alone.stderr))


def test_groups_that_were_cut_before_are_refused():
    with pytest.raises(ValueError, match="a value a row, got 396 for 400 rows"):
        mine.estimate(HOLES, Y, groups=WHO[KEPT], **HOW)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_group_is_refused_unless_its_row_is_left_out(missing):
    ids = [f"p{i}" for i in WHO]
    of_hole, of_row = (pd.Series(ids).mask(np.arange(400) == i, missing) for i in (3, 4))
    found = mine.estimate(HOLES, Y, groups=of_hole, **HOW)
    assert found == mine.estimate(HOLES, Y, groups=ids, **HOW)
    with pytest.raises(ValueError, match="groups must be known"):
        mine.estimate(HOLES, Y, groups=of_row, **HOW)


def test_groups_of_pandas_are_put_in_the_order_of_the_rows():
    x, y, who = pd.Series(X), pd.Series(Y), pd.Series(WHO)
    order = RNG.permutation(400)
    how = {"method": "gaussian"}
    plain = mine.estimate(X, Y, groups=WHO, **how)
    assert mine.estimate(x, y, groups=who[order], **how) == plain
    assert mine.estimate(X, y[order], groups=who, **how).stderr == (
        mine.estimate(X, Y[order], groups=WHO[order], **how).stderr
    )
    c = mine.conditional(x, y, Z, groups=who[order], **how)
    assert c == mine.conditional(X, Y, Z, groups=WHO, **how)
    table = pd.DataFrame({"x": X, "y": Y})
    m = mine.pairwise(table, groups=who[order], **how)
    assert m.estimates == mine.pairwise(table, groups=WHO, **how).estimates
    scores = mutual_info(table, pd.Series(Z)[order], groups=who[order[::-1]], **how)
    assert scores.tolist() == mutual_info(table, Z, groups=WHO, **how).tolist()
    with pytest.raises(ValueError, match="the rows and groups with the same index"):
        mine.estimate(x, y, groups=who.set_axis(range(1, 401)), **how)


@pytest.mark.parametrize("how", [{"order": "time"}, {"blocks": 2}])
def test_a_series_may_miss_rows_at_its_ends_alone(how):
    ends = X.copy()
    ends[[0, 1, 399]] = np.nan
    rest = slice(2, 399)
    found = mine.estimate(ends, Y, **how, **HOW)
    alone = mine.estimate(X[rest], Y[rest], "gaussian", **how)
    assert (found.nats, found.stderr) == (alone.nats, alone.stderr)
    for call in (
        lambda: mine.estimate(HOLES, Y, **how, **HOW),
        lambda: mine.conditional(Y, HOLES, Z, **how, **HOW),
        lambda: mine.pairwise(TABLE, **how, **HOW),
    ):
        with pytest.raises(ValueError, match="expected a series without gaps"):
            call()


def test_so_it_is_with_lags():
    ends = np.append(Y, [np.nan] * 2)
    x = np.append(X, [0.0, 0.0])
    found = mine.lagged(x, ends, range(-1, 2), **HOW)
    assert found.nats.tolist() == mine.lagged(X, Y, range(-1, 2), "gaussian").nats.tolist()
    assert all(e.warnings[-1].startswith("missing: 2 of 402") for e in found.estimates)
    with pytest.raises(ValueError, match="expected a series without gaps"):
        mine.lagged(HOLES, Y, range(-1, 2), **HOW)
    shuffled = pd.Series(Y)[::-1]
    by_index = mine.lagged(pd.Series(X), shuffled, range(-1, 2), "gaussian")
    assert by_index.nats.tolist() == mine.lagged(X, Y, range(-1, 2), "gaussian").nats.tolist()


def test_pairs_of_labels_with_groups_are_trained_on():
    quick = {"steps": 20, "hidden": (8,), "batch_size": 50, "groups": WHO}
    sex = RNG.choice(["f", "m"], 40)[WHO]
    table = TABLE[["y"]].assign(sex=sex, flat=1.0, side=Z > 0)
    m = mine.pairwise(table, **quick)
    assert {e.method for e in m.estimates.values()} == {"mine"} and m.constant == ("flat",)
    assert m.nats[2].tolist()[:2] == [0.0, 0.0]
    flat = mine.pairwise(table[["flat"]].assign(other=2.0), **quick)
    assert flat.nats[0, 1] == 0.0 and not flat.estimates
