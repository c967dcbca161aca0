"""A cell's batches depend on its key and seed alone."""

import pytest
import torch

from mine.data.batches import DataSet, Stream, block_steps, pairing
from mine.data.blocks import draw_block
from mine.data.generators import generator
from mine.tasks import CorrelatedGaussian

TASK = CorrelatedGaussian(3, 0.5)


def block(keys, kind="derangement", steps=4, batch=8, m=2):
    generators = [generator(0, "batches", key) for key in keys]
    return draw_block([Stream(TASK)] * len(keys), generators, steps, batch, kind, m)


@pytest.mark.parametrize("kind", ["derangement", "shuffle", "independent"])
def test_a_cells_batches_do_not_depend_on_its_neighbours(kind):
    alone, together = block(["b"], kind), block(["a", "b", "c"], kind)
    for one, many in zip(alone, together, strict=True):
        assert torch.equal(one[:, 0], many[:, 1])


def test_the_size_of_a_block_does_not_depend_on_the_stack():
    assert "k" not in block_steps.__annotations__
    assert block_steps(256, 40) * 256 * 40 * 4 <= 1 << 19
    assert block_steps(10**6, 100) == 1


@pytest.mark.parametrize(
    "other", [(1, "batches", "a"), (0, "test", "a"), (0, "batches", "b"), (0, "batches", "")]
)
def test_generators_differ_by_seed_purpose_and_key(other):
    reference = torch.randn(4, generator=generator(0, "batches", "a"))
    assert torch.equal(reference, torch.randn(4, generator=generator(0, "batches", "a")))
    assert not torch.equal(reference, torch.randn(4, generator=generator(*other)))


def test_a_data_sets_batches_are_drawn_without_replacement_within_an_epoch():
    x = torch.arange(20.0).unsqueeze(1)
    xs, ys = DataSet(x, -x).draw(6, 5, generator(0, "batches"))
    for epoch in (xs[:4], xs[4:]):
        rows = epoch.flatten()
        assert len(rows.unique()) == len(rows)
    assert torch.equal(ys, -xs)


def test_a_data_set_leaves_out_the_rows_that_do_not_fill_a_batch():
    x = torch.arange(11.0).unsqueeze(1)
    xs, _ = DataSet(x, x).draw(5, 4, generator(1, "batches"))
    assert xs.shape == (5, 4, 1)
    assert len(xs[:2].unique()) == len(xs[2:4].unique()) == 8


def test_a_shuffle_without_its_index_is_refused():
    with pytest.raises(ValueError, match="index and inverse"):
        pairing("shuffle", 1)
