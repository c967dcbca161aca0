"""InfoNCE and I_alpha: their ceilings, their limits, and what they ignore."""

import math

import pytest
import torch
from critic_values_example import mean_and_error, optimal_values, paired_values
from hypothesis import given
from hypothesis import strategies as st

from mine.method.bound import by_row
from mine.method.contrastive import infonce, interpolated
from mine.method.f_divergence import f_divergence
from mine.method.names import METHODS
from mine.tasks import CorrelatedGaussian


def test_infonce_tends_to_the_truth_as_partners_grow():
    task = CorrelatedGaussian(1, 0.5)
    t_joint, t_marginal = optimal_values(task, 60, 500)
    gaps = []
    for m in (1, 4, 15, 60):
        mean, error = mean_and_error(infonce(t_joint, t_marginal[:, : m * 500]))
        assert mean < task.mi + 4 * error
        gaps.append(task.mi - mean)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.01


@given(paired_values())
def test_infonce_never_exceeds_log_of_one_more_than_its_partners(t):
    m = len(t[1]) // len(t[0])
    assert infonce(*t) <= math.log(1 + m) + 1e-9


@given(paired_values(), paired_values())
def test_infonce_ignores_a_function_of_x(t, other):
    n = min(len(t[0]), len(other[0]))
    t_joint, rows, c = t[0][:n], by_row(*t)[:, :n], other[0][:n]
    moved = infonce(t_joint + c, (rows + c).flatten())
    assert moved.item() == pytest.approx(infonce(t_joint, rows.flatten()).item(), abs=1e-9)


@given(paired_values(), st.floats(0.001, 1.0))
def test_the_interpolated_bound_never_exceeds_its_ceiling(t, alpha):
    m = len(t[1]) // len(t[0])
    ceiling = METHODS[f"interpolated(alpha={alpha})"].ceiling(m)
    assert interpolated(*t, alpha) <= ceiling + 1e-9


@given(paired_values())
def test_the_interpolated_bound_is_the_f_form_at_alpha_0(t):
    assert interpolated(*t, 0.0).item() == pytest.approx(f_divergence(*t).item(), rel=1e-9)


@given(paired_values())
def test_the_interpolated_bound_is_infonce_with_one_partner_less_at_alpha_1(t):
    rows = by_row(*t)
    m = len(rows)
    fewer = [torch.cat([rows[:j], rows[j + 1 :]]) for j in range(m)]
    if m == 1:
        wanted = 0.0
    else:
        wanted = torch.stack([infonce(t[0], f.flatten()) for f in fewer]).mean().item()
    assert interpolated(*t, 1.0).item() == pytest.approx(wanted, abs=1e-9)


def test_a_small_alpha_costs_little_and_halves_the_error():
    task = CorrelatedGaussian(1, 0.9)
    t = tuple(1 + v for v in optimal_values(task))
    assert task.mi - interpolated(*t, 0.01).mean() < 0.02
    task = CorrelatedGaussian(5, 0.8)
    t = tuple(1 + v for v in optimal_values(task))
    assert interpolated(*t, 0.1).std() < 0.5 * f_divergence(*t).std()
