"""Copies of many pairs end early where they show nothing (Besag and Clifford, 1991)."""

from __future__ import annotations

import numpy as np
import pytest

import mine
from mine.estimators import sequential

RNG = np.random.default_rng(100)
NOISE = RNG.normal(size=(300, 7))
TABLE = np.column_stack([NOISE, NOISE[:, 0] + 0.5 * RNG.normal(size=300)])


def test_a_pair_that_tells_has_all_copies_and_hopeless_ones_end_at_the_fifth_that_reaches_it():
    found = mine.pairwise(TABLE, method="gaussian", null=99)
    telling = found.estimates["0", "7"]
    assert len(telling.null) == 99 and telling.p_value == 0.01
    ended = [e for e in found.estimates.values() if len(e.null) < 99]
    assert len(ended) > 20
    for e in ended:
        assert sum(v >= e.nats for v in e.null) == sequential.HOPELESS
        assert e.null[-1] >= e.nats and e.p_value > 0.05
    assert sum(len(e.null) for e in found.estimates.values()) < 0.4 * 99 * len(found.estimates)


@pytest.mark.parametrize("method", ["gaussian", "ksg"])
def test_the_copies_are_those_of_a_pair_that_goes_on(method, monkeypatch):
    found = mine.pairwise(TABLE[:, :3], method=method, null=25)
    monkeypatch.setattr(sequential, "HOPELESS", 1000)
    whole = mine.pairwise(TABLE[:, :3], method=method, null=25)
    for pair, e in whole.estimates.items():
        assert len(e.null) == 25
        assert e.null[: len(found.estimates[pair].null)] == found.estimates[pair].null


def test_copies_of_trained_pairs_go_on_in_further_stacks(monkeypatch):
    monkeypatch.setattr(sequential, "HOPELESS", 1000)
    small = {"hidden": (8,), "steps": 20}
    found = mine.pairwise(TABLE[:, [0, 1, 7]], method="mine", null=20, **small)
    assert all(len(e.null) == 20 for e in found.estimates.values())
    assert all(len(set(e.null)) == len(e.null) for e in found.estimates.values())


def test_p_values_keep_their_level_where_nothing_is_told():
    """Of 231 independent pairs, p <= .05 in 5 %, up to three standard errors of that share."""
    columns = np.random.default_rng(101).normal(size=(200, 22))
    found = mine.pairwise(columns, method="gaussian", null=39)
    p = found.p_values[np.triu_indices(22, 1)]
    assert np.mean(p <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(p))


def test_ten_copies_or_fewer_are_all_made():
    found = mine.pairwise(TABLE[:, :4], method="gaussian", null=10)
    assert all(len(e.null) == 10 for e in found.estimates.values())
