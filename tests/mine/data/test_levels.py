"""Levels: what is a label, and how its rows are spread."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.data.columns import as_columns
from mine.data.levels import codes_of, is_discrete, spread
from mine.data.split import Split

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("columns", "discrete"),
    [
        (RNG.choice(["a", "b"], 100), True),
        (np.arange(100).astype(str), True),  # one column that is said to be a label
        (RNG.integers(0, 5, 100), True),
        (RNG.integers(0, 2, 100) * 0.1, True),
        (RNG.integers(0, 30, 1000), False),  # 30 values: numbers
        (np.arange(35) % 8, False),  # fewer than five rows a value
        (RNG.normal(size=100), False),
        (np.where(RNG.random(100) < 0.9, 0.0, RNG.normal(size=100)), False),
        (pd.DataFrame({"a": RNG.choice(["l", "r"], 100), "b": RNG.integers(0, 3, 100)}), True),
        (pd.DataFrame({"a": RNG.choice(["l", "r"], 100), "b": RNG.normal(size=100)}), False),
        (RNG.integers(0, 6, (100, 4)), False),  # 1,296 combinations
    ],
)
def test_labels_are_text_or_numbers_of_few_values(columns, discrete):
    assert is_discrete(*as_columns("x", columns)) == discrete


def test_equal_rows_are_one_level():
    rows = RNG.integers(0, 3, (200, 3)).astype(float)
    codes, expected = codes_of(rows), np.unique(rows, axis=0, return_inverse=True)[1]
    assert codes.max() == expected.max()
    assert len(set(zip(codes.tolist(), expected.tolist(), strict=True))) == codes.max() + 1


@given(
    strata=st.lists(st.integers(0, 4), min_size=1, max_size=150).map(np.array),
    parts=st.integers(1, 7),
)
def test_every_level_is_spread_over_all_parts(strata, parts):
    sizes = tuple(len(of) for of in np.array_split(strata, parts))
    part = spread(strata, sizes)
    assert np.bincount(part, minlength=parts).tolist() == list(sizes)
    for level in set(strata.tolist()):
        found = np.bincount(part[strata == level], minlength=parts)
        expected = (strata == level).mean() * np.array(sizes)
        assert (abs(found - expected) < 2).all()


@given(n=st.integers(20, 200), folds=st.integers(1, 10), share=st.sampled_from([1.0, 0.5]))
def test_strata_change_which_rows_a_part_has_and_not_how_many(n, folds, share):
    strata = np.arange(n) % 10 // 9
    for fold in range(folds):
        split = Split(folds, fold, share)
        plain, even = (
            split.deal(n, torch.Generator().manual_seed(0), of) for of in (None, strata)
        )
        assert [len(part) for part in even] == [len(part) for part in plain]
        for part in even:
            assert abs(strata[part.numpy()].sum() - len(part) * strata.mean()) < 3
        if share == 1.0:
            assert sorted(torch.cat(even).tolist()) == list(range(n))


def test_every_row_is_tested_once_with_strata_too():
    strata = np.arange(103) % 7
    tests = [Split(5, f).deal(103, torch.Generator().manual_seed(1), strata)[2] for f in range(5)]
    assert sorted(torch.cat(tests).tolist()) == list(range(103))
