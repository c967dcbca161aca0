"""Work on one column of a table is done once, and gives what it gives without sharing."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import mine
from mine.data import shared_work as module
from mine.data.shared_work import once_a_column, shared_work

METHODS = "gaussian", "gaussian_copula", "ksg"


@pytest.fixture
def counted():
    """A marked function, and what it was called with."""
    calls = []

    @once_a_column
    def doubled(v, times=2):
        calls.append(v)
        return v * times

    return doubled, calls


def table(n=120):
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    return pd.DataFrame({
        "normal": z + rng.normal(size=n), "other": z + rng.normal(size=n), "far": z + 1e8,
        "cauchy": rng.standard_cauchy(n), "walk": np.cumsum(rng.normal(size=n)),
        "rounded": rng.normal(size=n).round(2), "count": rng.poisson(3, n).astype(float),
        "line": 3 - 2 * z, "huge": (z + rng.normal(size=n)) * 1e250,
        "twice": np.repeat(rng.normal(size=n // 2), 2), "outlier": np.append(z[1:], 1e6),
        "sorted": np.sort(rng.integers(0, 4, n)), "label": np.where(z > 0, "a", "b"),
        "constant": np.ones(n),
    })  # fmt: skip


def same(found, expected):
    """Also where a standard error is nan."""
    return repr(found) == repr(expected) and found.reasons == expected.reasons


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_of_a_table_is_bit_for_bit_what_estimate_gives(method):
    """Of at most 30 pairs: beyond, none gets a second look."""
    rows = table()[["cauchy", "far", "line", "rounded", "twice", "label"]]
    found = mine.pairwise(rows, method=method)
    assert len(found.estimates) == 15
    for (a, b), e in found.estimates.items():
        assert same(e, mine.estimate(rows[a], rows[b], method))


@pytest.mark.parametrize("method", [*METHODS, "plugin"])
def test_sharing_changes_no_bit(method, monkeypatch):
    rows = table()
    if method == "plugin":
        rows = rows[["count", "sorted", "label"]]
    shared = mine.pairwise(rows, method=method, null=1)
    monkeypatch.setattr(module, "MOST", 0.0)
    alone = mine.pairwise(rows, method=method, null=1)
    assert shared.nats.tobytes() == alone.nats.tobytes()
    assert shared.stderr.tobytes() == alone.stderr.tobytes()
    assert len(shared.estimates) == (3 if method == "plugin" else 78)
    for pair, e in shared.estimates.items():
        assert same(e, alone.estimates[pair]) and math.isfinite(e.null[0])


def test_it_is_done_once_for_a_column_its_views_and_its_results(counted):
    doubled, calls = counted
    columns = [torch.arange(6.0).reshape(3, 2), torch.ones(3, 1)]
    with shared_work(columns):
        for _ in range(2):
            assert doubled(columns[0]).tolist() == [[0, 2], [4, 6], [8, 10]]
            assert doubled(columns[0].numpy()[:, 1]).tolist() == [2, 6, 10]
            assert doubled(columns[0][:2], 3).tolist() == [[0, 3], [6, 9]]
            assert doubled(doubled(columns[1])).tolist() == [[4]] * 3
    assert len(calls) == 5


def test_other_arrays_and_other_calls_are_computed_anew(counted):
    doubled, calls = counted
    column = torch.ones(3, 1)
    doubled(column)
    with shared_work([column]):
        doubled(column)
        for i in range(3):  # may come to stand where the one before stood
            assert doubled(torch.full((3, 1), float(i))).tolist() == [[2 * i]] * 3
    column += 1
    with shared_work([column]):
        assert doubled(column).tolist() == [[4]] * 3
    assert len(calls) == 6


def test_beyond_a_share_of_the_memory_nothing_is_kept(counted, monkeypatch):
    doubled, calls = counted
    monkeypatch.setattr(module, "MOST", 0.0)
    column = torch.ones(3, 1)
    with shared_work([column]):
        doubled(column)
        doubled(column)
    assert len(calls) == 2


def test_a_column_is_ranked_once_not_once_for_each_pair(monkeypatch):
    """Was 1.2 ms a pair, nearly all of it for what one column tells."""
    seen = []
    middle_ranks = mine.data.ranks.middle_ranks
    monkeypatch.setattr(
        "mine.data.ranks.middle_ranks", lambda v: seen.append(len(v)) or middle_ranks(v)
    )
    mine.pairwise(np.random.default_rng(0).normal(size=(50, 12)), method="gaussian")
    assert len(seen) <= 2 * 12
