"""Splits: every row is tested once, and none trains the critic that it tests."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.data.split import Split


@given(n=st.integers(20, 200), folds=st.integers(1, 10), seed=st.integers(0, 9))
def test_every_row_is_tested_once_and_none_trains_where_it_is_tested(n, folds, seed):
    dealt = [
        Split(folds=folds, fold=f).deal(n, torch.Generator().manual_seed(seed))
        for f in range(folds)
    ]
    for parts in dealt:
        assert sorted(torch.cat(parts).tolist()) == list(range(n))
        assert len(parts[0]) >= Split(folds=folds).training_rows(n)
    assert len({len(validation) for _, validation, _ in dealt}) == 1
    if folds > 1:
        tested = torch.cat([test for _, _, test in dealt])
        assert sorted(tested.tolist()) == list(range(n))
