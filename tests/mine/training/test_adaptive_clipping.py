"""Adaptive clipping against a loop over cells, and where a gradient is no number."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.training.adaptive_clipping import clipped_weight

NUMBERS = st.floats(-1e3, 1e3, width=32).filter(lambda v: v == 0 or abs(v) > 1e-15)


def clipped(g_u, g, beta):
    return clipped_weight(g_u, g, torch.full((len(g), 1), beta)) * g


def by_a_loop(g_u, g, beta):
    """min(|g_u|, |g_m|) g_m / |g_m| with g_m = beta g, in double precision, cell by cell."""
    found = []
    for u, m in zip(g_u.double().tolist(), (beta * g.double()).tolist(), strict=True):
        of_u, of_m = math.hypot(*u), math.hypot(*m)
        found.append([min(of_u, of_m) * v / of_m if of_m else 0.0 for v in m])
    return torch.tensor(found, dtype=torch.float64)


@given(st.integers(1, 4), st.floats(0.125, 8.0, width=32), st.data())
def test_it_is_the_papers_formula_of_each_cell(k, beta, data):
    def gradient():
        row = st.lists(NUMBERS, min_size=5, max_size=5)
        return torch.tensor(data.draw(st.lists(row, min_size=k, max_size=k)))

    g_u, g = gradient(), gradient()
    found = clipped(g_u, g, beta)
    torch.testing.assert_close(found.double(), by_a_loop(g_u, g, beta), rtol=1e-4, atol=1e-15)
    assert (found.norm(dim=1) <= g_u.norm(dim=1) * (1 + 1e-5)).all()


def test_a_gradient_that_is_short_enough_keeps_its_weight():
    g = torch.tensor([[0.3, -0.4]])
    assert torch.equal(clipped(torch.tensor([[3.0, 4.0]]), g, 2.0), 2.0 * g)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_has_no_weight_and_leaves_the_others(value):
    g_u, g = torch.ones(3, 4), torch.ones(3, 4) * 5
    g[1, 2] = value
    found = clipped_weight(g_u, g, torch.ones(3, 1))
    assert torch.allclose(found, torch.tensor([[0.2], [0.0], [0.2]]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_beside_an_adversarial_gradient_that_is_not_finite_nothing_is(value):
    g_u = torch.tensor([[1.0, value]])
    assert clipped_weight(g_u, torch.ones(1, 2), torch.ones(1, 1)).isnan().all()


def test_zero_norms_give_zero():
    zeros, ones = torch.zeros(2, 3), torch.ones(2, 3)
    assert not clipped(ones, zeros, 1.0).any() and not clipped(zeros, ones, 1.0).any()


@pytest.mark.parametrize("value", [1e30, 1e-30])
def test_a_gradient_whose_norm_single_precision_cannot_tell_has_no_weight(value):
    assert clipped_weight(torch.ones(1, 2), torch.full((1, 2), value), torch.ones(1, 1)) == 0.0
