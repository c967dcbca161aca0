"""The f-divergence form beside the bound of Donsker and Varadhan."""

import torch
from critic_values_example import values
from hypothesis import given

from mine.method.donsker_varadhan import donsker_varadhan
from mine.method.f_divergence import f_divergence


@given(values, values)
def test_dv_is_never_below_the_f_form(joint, marginal):
    t_joint, t_marginal = torch.tensor(joint).double(), torch.tensor(marginal).double()
    assert donsker_varadhan(t_joint, t_marginal) >= f_divergence(t_joint, t_marginal) - 1e-6
