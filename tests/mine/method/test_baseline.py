"""TUBA: below the truth on few rows, and below the bound of Donsker and Varadhan."""

import pytest
import torch
from critic_values_example import ROWS, optimal_values, paired_values
from hypothesis import given
from hypothesis import strategies as st

from mine.method.baseline import cross_fitted_tuba, tuba
from mine.method.donsker_varadhan import donsker_varadhan
from mine.tasks import CorrelatedGaussian


def test_the_cross_fitted_value_is_below_the_truth_on_average_where_dv_is_above():
    """Eight rows of one partner each: the log of a mean of few terms is too small."""
    task = CorrelatedGaussian(1, 0.9)
    t_joint, t_marginal = (t[:, :ROWS].reshape(-1, 8) for t in optimal_values(task))
    few = len(t_joint) ** 0.5
    dv, tuba_ = donsker_varadhan(t_joint, t_marginal), cross_fitted_tuba(t_joint, t_marginal)
    assert dv.mean() > task.mi + 4 * dv.std() / few
    assert tuba_.mean() < task.mi + 4 * tuba_.std() / few


@given(paired_values(), st.floats(-5, 5))
def test_dv_is_never_below_tuba_with_a_constant_baseline(t, c):
    assert donsker_varadhan(*t) >= tuba(*t, torch.full_like(t[0], c)) - 1e-6


def test_one_row_has_no_halves():
    with pytest.raises(ValueError, match="two rows or more"):
        cross_fitted_tuba(torch.zeros(1), torch.zeros(4))
