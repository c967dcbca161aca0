"""Groups and stretches of a series are dealt, permuted and counted whole."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from mine.data.dependence import widening
from mine.data.grouped import Grouped
from mine.data.split import Split
from mine.data.timed import Timed

sizes = st.lists(st.integers(1, 30), min_size=20, max_size=40)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mixed(sizes, seed=0):
    """Groups of these sizes, whose rows stand anywhere."""
    ids = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return Grouped(ids[torch.randperm(len(ids), generator=generator(seed))])


def parts_of(dependence, n, folds, seed=0, share=1.0):
    return [
        Split(folds, fold, share, dependence).deal(n, generator(seed)) for fold in range(folds)
    ]


@given(sizes, st.sampled_from([1, 2, 5]), st.integers(0, 9))
def test_no_group_is_in_two_parts_and_every_row_is_tested_once(sizes, folds, seed):
    groups = mixed(sizes, seed)
    n = len(groups.ids)
    found = parts_of(groups, n, folds, seed)
    for parts in found:
        ids = [set(groups.ids[part].tolist()) for part in parts]
        assert all(ids) and not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])
        assert len(torch.cat(parts).unique()) == sum(map(len, parts))
        assert len(parts[0]) >= Split(folds, 0, 1.0, groups).training_rows(n)
    if folds > 1:
        assert torch.cat([test for _, _, test in found]).sort().values.equal(torch.arange(n))
    assert len({len(validation) for _, validation, _ in found}) == 1


@given(sizes, st.sampled_from([1, 5]), st.integers(0, 9))
def test_the_sizes_of_parts_do_not_depend_on_the_seed(sizes, folds, seed):
    groups = mixed(sizes)
    n = len(groups.ids)
    one, other = (parts_of(groups, n, folds, s) for s in (seed, seed + 100))
    assert [[len(v) for v in of] for of in one] == [[len(v) for v in of] for of in other]


def test_the_rows_of_a_group_stand_together():
    groups = mixed([7] * 30)
    train, _, test = parts_of(groups, 210, 5)[0]
    for part in (train, test):
        changes = (groups.ids[part].diff() != 0).sum() + 1
        assert changes == len(groups.ids[part].unique())


@given(st.integers(1, 9), st.sampled_from([1, 3, 5]), st.integers(120, 200))
def test_the_parts_of_a_series_are_a_blocks_length_apart(length, folds, n):
    found = parts_of(Timed(length), n, folds)
    for parts in found:
        for i, one in enumerate(parts):
            for other in parts[i + 1 :]:
                assert int((one[:, None] - other[None]).abs().min()) > length
        assert int(parts[2].max()) - int(parts[2].min()) == len(parts[2]) - 1
        assert len(parts[0]) >= Split(folds, 0, 1.0, Timed(length)).training_rows(n) > 0
    if folds > 1:
        assert torch.cat([test for _, _, test in found]).equal(torch.arange(n))
    assert len({len(validation) for _, validation, _ in found}) == 1


def test_a_copy_permutes_groups_and_leaves_each_whole():
    groups = mixed([7] * 30)
    taken = groups.permuted(210, generator())
    assert taken.sort().values.equal(torch.arange(210))
    others = [set(groups.ids[taken[groups.ids == g]].tolist()) for g in range(30)]
    assert all(len(of) == 1 for of in others) and [{g} for g in range(30)] != others


def test_a_group_that_takes_a_smaller_ones_rows_takes_them_again():
    groups = mixed([2] * 15 + [5] * 15)
    taken = groups.permuted(105, generator())
    for g in range(30):
        rows = taken[groups.ids == g]
        assert len(groups.ids[rows].unique()) == 1
        other = int(groups.ids[rows[0]])
        assert len(rows.unique()) == min(len(rows), groups.sizes[other])


@given(st.integers(1, 20), st.integers(0, 50))
def test_a_copy_of_a_series_is_a_shift_by_a_block_or_more(length, seed):
    taken = Timed(length).permuted(240, generator(seed))
    (shift,) = set(((taken - torch.arange(240)) % 240).tolist())
    assert length <= shift <= 240 - length


def test_the_sum_over_clusters_is_the_sum_over_their_rows():
    groups = mixed([1, 2, 3] * 8)
    clusters = groups.of_all(48)
    v = torch.arange(96.0).view(2, 48)
    found = clusters.sums(v)
    assert found.shape == (2, 24)
    assert all(found[1, g] == v[1, groups.ids == g].sum() for g in range(24))


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_error_of_blocks_is_that_of_the_mean_of_an_autoregressive_series(phi):
    """Its variance is (1 + phi) / ((1 - phi) n) of the series' own; 1,000 series of 600 rows."""
    n, time = 600, (1 + phi) / (1 - phi)
    shocks = np.random.default_rng(0).normal(size=(1000, n + 200))
    v = torch.from_numpy(lfilter([1.0], [1.0, -phi], shocks)[:, 200:].copy())
    clusters = Timed(int(np.ceil(2 * time))).of_all(n)
    sums = clusters.sums(v - v.mean(1, keepdim=True))
    found = (clusters.factor * sums.square().sum(1)).mean() / n**2
    assert float(found) == pytest.approx(float(v.mean(1).var()), rel=0.12)


def test_few_clusters_widen_an_interval_to_students():
    assert widening(7) == pytest.approx(2.3646 / 1.95996, abs=1e-4)
    assert widening(1e6) == pytest.approx(1.0, abs=1e-4)


def test_rows_that_hang_together_are_those_of_a_group_or_near_in_time():
    rows = np.array([0, 3])
    ids = torch.tensor([0, 1, 0, 1])
    assert Grouped(ids).together(rows, 4).tolist() == [
        [True, False, True, False],
        [False, True, False, True],
    ]
    assert Timed(2).together(rows, 4).tolist() == [
        [True, True, False, False],
        [False, False, True, True],
    ]
