"""Marginal pairs: derangements derange, and gradients go back where features came from."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.pairs import Independent, Permutations, Shifts
from mine.sampling import DataSet, draw_block, unpack

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
    partners = pairing.take(y, b)
    assert partners.shape == (3, m, b, 1)
    assert not (partners == 100 + x.unsqueeze(1)).any()


@given(b=rows, m=st.integers(1, 2), seed=st.integers(0, 1000))
def test_shuffles_and_derangements_keep_each_y_once(b, m, seed):
    for kind in ("derangement", "shuffle"):
        _, y, pairing = batch_of(kind, b=b, m=m, seed=seed)
        partners = pairing.take(y, b).squeeze(-1).sort(-1).values
        wanted = y.squeeze(-1).sort(-1).values.unsqueeze(1).expand_as(partners)
        torch.testing.assert_close(partners, wanted)


def test_a_shuffle_pairs_about_one_row_a_batch_with_itself():
    kept = []
    for seed in range(200):
        x, y, pairing = batch_of("shuffle", k=1, b=20, m=1, seed=seed)
        kept.append((pairing.take(y, 20) == 100 + x.unsqueeze(1)).sum().item())
    mean = sum(kept) / len(kept)  # expectation 1, variance 1
    assert abs(mean - 1) < 4 / 200**0.5


def test_independent_partners_are_draws_of_their_own():
    x, y, pairing = batch_of("independent", k=1, b=6, m=3)
    assert y.shape[1] == 6 * 4
    assert pairing.take(y, 6).shape == (1, 3, 6, 1)
    torch.testing.assert_close(y[:, :6], 100 + x)


@pytest.mark.parametrize("kind", KINDS)
def test_adding_halves_is_adding_partners(kind):
    x, y, pairing = batch_of(kind)
    out = torch.empty(3, 2, 6, 1)
    pairing.add(x, y, out)
    torch.testing.assert_close(out, x.unsqueeze(1) + pairing.take(y, 6))


@pytest.mark.parametrize("kind", KINDS)
def test_add_back_is_the_transpose_of_add(kind):
    """<g, take(h)> = <add_back(g), h> for every h: the definition of a transpose."""
    _, y, pairing = batch_of(kind)
    h, g = torch.randn(3, y.shape[1], 4), torch.randn(3, 2, 6, 4)
    back = torch.zeros_like(h)
    pairing.add_back(g, back)
    torch.testing.assert_close((g * pairing.take(h, 6)).sum(), (back * h).sum())


def test_pairings_say_how_many_partners_they_give():
    index = torch.stack([torch.randperm(4) for _ in range(2)]).view(1, 2, 4)
    assert [p.m for p in (Shifts((1, 2)), Permutations.of(index), Independent(2))] == [2, 2, 2]
