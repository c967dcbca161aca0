"""Batches of all cells from few launches: each cell's own, and as `draw_block` gives them.

The code is the same on both devices, so it is tried here on the CPU.
"""

import itertools

import pytest
import torch

from mine.data import blocks
from mine.data.batches import DataSet, Stream
from mine.data.blocks import draw_block, draw_by_few_launches
from mine.data.generators import generator
from mine.tasks import (
    AdditiveUniform,
    CorrelatedGaussian,
    Folded,
    MultivariateNormal,
    NoiseChannel,
    StudentT,
    Warped,
)

OF_NOISE = (
    CorrelatedGaussian(2, 0.6),
    MultivariateNormal(2, 3, (0.5, -0.7), rotation=1, mean=(1.0,) * 5, scale=(2.0,) * 5),
    NoiseChannel("cube", 0.3, 2),
    AdditiveUniform(0.2, 2),
    Warped(NoiseChannel("cube", 0.3, 2), map_x="cube"),
    Folded(CorrelatedGaussian(2, -0.9), fold_x="square", fold_y="abs"),
)
STUDENT = StudentT(MultivariateNormal(2, 2))
KINDS = ["derangement", "shuffle", "independent"]


def data_set(k):
    x = torch.arange(20.0).unsqueeze(1) + 100 * k
    return DataSet(x, -x)


def few(sources, keys, kind="derangement", steps=4, batch=8, m=2):
    generators = [generator(0, "batches", key) for key in keys]
    return draw_by_few_launches(sources, generators, steps, batch, kind, m)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "source",
    [Stream(CorrelatedGaussian(2, 0.6)), Stream(STUDENT), data_set(0)],
    ids=["noise", "loop", "data"],
)
def test_a_cells_batches_do_not_depend_on_its_neighbours(kind, source):
    alone, together = few([source], "b", kind), few([source] * 3, "abc", kind)
    for one, many in zip(alone, together, strict=True):
        assert torch.equal(one[:, 0], many[:, 1])
    for many in together[:2]:
        assert not torch.equal(many[:, 0], many[:, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_cells_batches_do_not_depend_on_other_tasks_beside_it(kind):
    tasks = [CorrelatedGaussian(2, 0.6), STUDENT, NoiseChannel(dim=2)]
    sources = [Stream(task) for task in [*tasks, tasks[0]]]
    together = few(sources, "abcd", kind)
    for k, key in enumerate("abcd"):
        for one, many in zip(few([sources[k]], [key], kind), together, strict=True):
            assert torch.equal(one[:, 0], many[:, k])


@pytest.mark.parametrize("kind", KINDS)
def test_the_shapes_are_those_of_a_cpu_and_the_next_block_is_another(kind):
    sources = [Stream(CorrelatedGaussian(3, 0.5)), Stream(CorrelatedGaussian(3, 0.7))]
    generators = [generator(0, "batches", key) for key in "ab"]
    first, second = (draw_by_few_launches(sources, generators, 4, 8, kind, 2) for _ in "12")
    wanted = draw_block(sources, generators, 4, 8, kind, 2)
    for a, b, c in zip(first, second, wanted, strict=True):
        assert a.shape == b.shape == c.shape and a.dtype == c.dtype
        assert not torch.equal(a, b)


def test_a_state_of_the_generators_gives_the_same_block_again():
    g = generator(0, "batches")

    def draw():
        return draw_by_few_launches([data_set(0)], [g], 4, 8, "derangement", 2)[0]

    state = g.get_state()
    first, second = draw(), draw()
    g.set_state(state)
    assert torch.equal(first, draw()) and torch.equal(second, draw())


@pytest.mark.parametrize("task", OF_NOISE, ids=repr)
def test_samples_from_noise_have_the_tasks_distribution(task):
    """By means, correlations of values and of squares, and the optimal critic's mean, I."""
    x, y = (v[:, 0].flatten(0, 1) for v in few([Stream(task)], "a", steps=40, batch=2000)[:2])
    p, q = task.sample(80_000, generator(1, "sample"))
    assert x.dtype == p.dtype and x.shape == p.shape and y.shape == q.shape
    ours, theirs = (torch.cat([a, b, a**2, b**2], 1).double() for a, b in ((x, y), (p, q)))
    scale = theirs.std(0)
    torch.testing.assert_close(ours.mean(0) / scale, theirs.mean(0) / scale, rtol=0, atol=0.03)
    torch.testing.assert_close(torch.corrcoef(ours.T), torch.corrcoef(theirs.T), rtol=0, atol=0.04)
    assert task.log_ratio(x, y).mean().item() == pytest.approx(task.mi, rel=0.03)


def test_a_task_that_makes_its_samples_in_another_way_says_so():
    assert not hasattr(STUDENT, "noise_columns")
    assert not hasattr(Warped(STUDENT, map_x="cube"), "noise_columns")
    few([Stream(Warped(STUDENT, map_x="cube"))], "a")


def test_a_data_sets_batches_are_drawn_without_replacement_within_an_epoch(monkeypatch):
    for ordered in (1 << 26, 1):  # at once, and cell by cell
        monkeypatch.setattr(blocks, "ORDERED", ordered)
        xs, ys = few([data_set(0), data_set(1)], "ab", steps=6, batch=5)
        assert torch.equal(ys, -xs)
        for k, part in itertools.product(range(2), (slice(0, 4), slice(4, 6))):
            rows = xs[part, k].flatten()
            assert len(rows.unique()) == len(rows)
            assert 100 * k <= rows.min() and rows.max() < 100 * k + 20


def test_a_shuffles_indices_are_permutations_with_their_inverses():
    _, _, index, inverse = few([Stream(CorrelatedGaussian())] * 2, "ab", "shuffle")
    assert index.shape == (4, 2, 2, 8)
    assert torch.equal(index.gather(-1, inverse), torch.arange(8).expand_as(index))


def test_a_batch_larger_than_the_data_set_is_refused():
    with pytest.raises(ValueError, match="batch must fit"):
        few([data_set(0)], "a", batch=21)


@pytest.mark.cuda
@pytest.mark.parametrize("kind", KINDS)
def test_on_cuda_blocks_are_drawn_so_and_stay_there(kind):
    sources = [Stream(CorrelatedGaussian(2, 0.6))] * 3
    ways = [
        draw(sources, [generator(0, "batches", key, "cuda") for key in "abc"], 4, 8, kind, 2)
        for draw in (draw_block, draw_by_few_launches)
    ]
    for one, other in zip(*ways, strict=True):
        assert one.is_cuda and torch.equal(one, other)
