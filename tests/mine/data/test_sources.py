"""Sources: each deals the same rows to equal seeds and keys, and no row to two parts."""

import dataclasses

import pytest
import torch

from mine.data.columns import Layout
from mine.data.generators import generator
from mine.data.own_rows import Given, OwnRows
from mine.data.sources import Fixed, Fresh, Source, of_task
from mine.data.split import Split
from mine.tasks import CorrelatedGaussian

TASK = CorrelatedGaussian(2, 0.5)
CPU = torch.device("cpu")
LAYOUTS = Layout.numbers(2), Layout.numbers(2)
GIVEN = Given(*TASK.sample(40, generator(1, "given")))
SOURCES = [
    Fresh(TASK),
    Fixed(TASK, 30),
    OwnRows(GIVEN, LAYOUTS),
    OwnRows(Fixed(TASK, 40), LAYOUTS, "copula", Split(4, 1)),
]


@pytest.mark.parametrize("source", SOURCES)
def test_equal_seeds_and_keys_are_dealt_the_same_rows_and_others_are_not(source):
    assert isinstance(source, Source)
    one, again = (source.deal(0, "a", 10, CPU).test for _ in range(2))
    assert all(torch.equal(v, w) for v, w in zip(one, again, strict=True))
    for seed, key in ((1, "a"), (0, "b")):
        other = source.deal(seed, key, 10, CPU).test
        assert not torch.equal(other[0], one[0])


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_says_what_it_deals(source):
    rows, dx, dy = source.sizes
    dealt = source.deal(0, "a", 10, CPU)
    x, y = dealt.batches.draw(2, 5, generator(0, "batches"))
    assert (x.shape, y.shape) == ((2, 5, dx), (2, 5, dy))
    assert len(dealt.test[0]) == (10 if source.split is None else len(dealt.test[1]))
    assert (dealt.validation is None) == (source.split is None)
    if rows:
        assert len(source.all_rows(0, "a")[0]) == rows
        assert len(dealt.seen[0]) == dealt.n_train <= rows
    else:
        assert dealt.seen is dealt.n_train is None


def test_fresh_samples_have_no_last_row():
    with pytest.raises(ValueError, match="a stream of fresh samples has no last row"):
        Fresh(TASK).all_rows(0, "")


def test_a_fixed_set_is_trained_on_and_tested_on_other_samples():
    dealt = Fixed(TASK, 30).deal(0, "a", 30, CPU)
    assert torch.equal(dealt.seen[0], Fixed(TASK, 30).all_rows(0, "a")[0])
    assert not set(dealt.seen[0][:, 0].tolist()) & set(dealt.test[0][:, 0].tolist())


def test_a_fixed_set_without_rows_is_refused():
    with pytest.raises(ValueError, match="a fixed set has rows, got n=0: give n"):
        Fixed(TASK, 0)


def test_rows_of_a_task_are_split_as_given_rows_are():
    rows = Fixed(TASK, 40).all_rows(0, "a")
    given, drawn = (
        OwnRows(table, LAYOUTS).deal(0, "a", 0, CPU) for table in (Given(*rows), Fixed(TASK, 40))
    )
    for part in ("seen", "validation", "test"):
        for v, w in zip(getattr(given, part), getattr(drawn, part), strict=True):
            assert torch.equal(v, w)


def test_a_copy_has_the_same_columns_in_other_pairs():
    own = OwnRows(GIVEN, LAYOUTS)
    x, y = own.all_rows(0, "a")
    of_copy, again, other = (
        dataclasses.replace(own, copy=copy).all_rows(0, "a") for copy in (1, 1, 2)
    )
    assert torch.equal(of_copy[0], x) and not torch.equal(of_copy[1], y)
    assert torch.equal(of_copy[1].sort(0).values, y.sort(0).values)
    assert torch.equal(of_copy[1], again[1]) and not torch.equal(of_copy[1], other[1])


def test_a_task_is_fresh_or_fixed_and_a_source_is_itself():
    assert of_task(TASK) == Fresh(TASK) and of_task(TASK, 5) == Fixed(TASK, 5)
    own = OwnRows(GIVEN, LAYOUTS)
    assert of_task(own) is own
    with pytest.raises(ValueError, match="a finite set deals itself, got n=5"):
        of_task(own, 5)
