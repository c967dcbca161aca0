"""Marginal pairs: derangements derange, and gradients go back where features came from."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.data.batches import DataSet, unpack
from mine.data.blocks import draw_block
from mine.data.pairs import Independent, Permutations, Shifts, partners

KINDS = ("derangement", "shuffle", "independent")
rows = st.integers(3, 9)


def batch_of(kind, k=3, b=6, m=2, d=1, seed=0):
    generators = [torch.Generator().manual_seed(seed + i) for i in range(k)]
    x = torch.arange(40.0).unsqueeze(1).expand(40, d)
    sources = [DataSet(x, 100.0 + x)] * k
    tensors = draw_block(sources, generators, 2, b, kind, m)
    return unpack(kind, m, [t[1] for t in tensors])


@given(b=rows, m=st.integers(1, 2), seed=st.integers(0, 1000))
def test_a_derangement_never_pairs_a_row_with_itself(b, m, seed):
    x, y, pairing = batch_of("derangement", b=b, m=m, seed=seed)
    met = partners(pairing, y, b)
    assert met.shape == (3, m, b, 1)
    assert not (met == 100 + x.unsqueeze(1)).any()


@given(b=rows, m=st.integers(1, 2), seed=st.integers(0, 1000))
def test_shuffles_and_derangements_keep_each_y_once(b, m, seed):
    for kind in ("derangement", "shuffle"):
        _, y, pairing = batch_of(kind, b=b, m=m, seed=seed)
        met = partners(pairing, y, b).squeeze(-1).sort(-1).values
        wanted = y.squeeze(-1).sort(-1).values.unsqueeze(1).expand_as(met)
        torch.testing.assert_close(met, wanted)


def test_a_shuffle_pairs_about_one_row_a_batch_with_itself():
    kept = []
    for seed in range(200):
        x, y, pairing = batch_of("shuffle", k=1, b=20, m=1, seed=seed)
        kept.append((partners(pairing, y, 20) == 100 + x.unsqueeze(1)).sum().item())
    mean = sum(kept) / len(kept)  # expectation 1, variance 1
    assert abs(mean - 1) < 4 / 200**0.5


def test_independent_partners_are_draws_of_their_own():
    x, y, pairing = batch_of("independent", k=1, b=6, m=3)
    assert y.shape[1] == 6 * 4
    assert partners(pairing, y, 6).shape == (1, 3, 6, 1)
    torch.testing.assert_close(y[:, :6], 100 + x)


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_the_joint_rows_and_then_the_partners(kind):
    _, y, pairing = batch_of(kind)
    joint, *others = pairing.pair(pairing.extend(y), 6)
    assert torch.equal(joint, y[:, :6])
    assert torch.equal(torch.stack(others, 1), partners(pairing, y, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_pair_backward_is_the_transpose_of_pair(kind):
    """<g, pair(h)> = <pair_backward(g), h> for every h: the definition of a transpose."""
    _, y, pairing = batch_of(kind)
    rows = pairing.extend(y).shape[1]
    h, g = torch.randn(3, rows, 4), torch.randn(3, 3, 6, 4)
    back = torch.full_like(h, torch.nan)  # whatever was there is gone
    pairing.pair_backward(g, back)
    together = (g * torch.stack(pairing.pair(h, 6), 1)).sum()
    torch.testing.assert_close(together, (back * h).sum())


def test_pairings_say_how_many_partners_they_give():
    index = torch.stack([torch.randperm(4) for _ in range(2)]).view(1, 2, 4)
    assert [p.m for p in (Shifts(2), Permutations.of(index), Independent(2))] == [2, 2, 2]
