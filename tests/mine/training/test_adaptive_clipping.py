"""Adaptive clipping against a loop over cells, and where a gradient is no number."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.training.adaptive_clipping import adaptive_clip, norms

NUMBERS = st.floats(-1e3, 1e3, width=32)


def by_a_loop(g_u, g_m):
    """min(|g_u|, |g_m|) g_m / |g_m|, in double precision, one cell after the other."""
    found = []
    for u, m in zip(g_u.double().tolist(), g_m.double().tolist(), strict=True):
        of_u, of_m = math.hypot(*u), math.hypot(*m)
        found.append([min(of_u, of_m) * v / of_m if of_m else 0.0 for v in m])
    return torch.tensor(found, dtype=torch.float64)


@given(st.integers(1, 4), st.data())
def test_it_is_the_papers_formula_of_each_cell(k, data):
    def gradient():
        row = st.lists(NUMBERS, min_size=5, max_size=5)
        return torch.tensor(data.draw(st.lists(row, min_size=k, max_size=k)))

    g_u, g_m = gradient(), gradient()
    found = adaptive_clip(g_u, g_m)
    torch.testing.assert_close(found.double(), by_a_loop(g_u, g_m), rtol=1e-4, atol=1e-30)
    assert (norms(found) <= norms(g_u) * (1 + 1e-5)).all()


def test_a_gradient_that_is_short_enough_stays_as_it_is():
    g_m = torch.tensor([[0.3, -0.4]])
    assert torch.allclose(adaptive_clip(torch.tensor([[3.0, 4.0]]), g_m), g_m)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_adds_nothing_and_leaves_the_others(value):
    g_u, g_m = torch.ones(3, 4), torch.ones(3, 4) * 5
    g_m[1, 2] = value
    found = adaptive_clip(g_u, g_m)
    assert torch.equal(found[1], torch.zeros(4))
    assert torch.allclose(found[[0, 2]], torch.ones(2, 4))


def test_zero_norms_give_zero():
    zeros, ones = torch.zeros(2, 3), torch.ones(2, 3)
    assert not adaptive_clip(ones, zeros).any() and not adaptive_clip(zeros, ones).any()


def test_norms_of_huge_and_tiny_numbers_are_finite_and_exact():
    found = norms(torch.tensor([[3e30, 4e30], [3e-30, 4e-30]]))
    torch.testing.assert_close(found, torch.tensor([[5e30], [5e-30]]))
