"""What holds for every bound: the truth at the optimal critic, one value a stacked critic."""

import math

import pytest
import torch
from critic_values_example import (
    DISTORTIONS,
    PARTNERS,
    REPEATS,
    ROWS,
    TASKS,
    mean_and_error,
    optimal_values,
    paired_values,
    samples,
)
from hypothesis import given
from hypothesis import strategies as st

from mine.method.baseline import cross_fitted_tuba, tuba
from mine.method.bound import by_row, log_mean_exp
from mine.method.conditional_density import club, difference_of_entropies, likelihood, likelihoods
from mine.method.contrastive import infonce, interpolated
from mine.method.donsker_varadhan import donsker_varadhan, regularised
from mine.method.f_dime import hellinger, mean_log_ratio
from mine.method.f_divergence import f_divergence
from mine.method.jensen_shannon import jensen_shannon, smile
from mine.method.names import METHODS
from mine.tasks import CorrelatedGaussian


def of_x(task):
    """An arbitrary function C(x) of the row, on joint and on marginal pairs."""
    c = torch.sin(3 * samples(task)[0][:, 0]).view(REPEATS, ROWS).double()
    return c, c.repeat(1, PARTNERS)


TIGHT = {
    "dv": lambda j, m, c: donsker_varadhan(j, m),
    "dv, T + 3": lambda j, m, c: donsker_varadhan(3 + j, 3 + m),
    "f_divergence": lambda j, m, c: f_divergence(1 + j, 1 + m),
    "tuba, a = e^3": lambda j, m, c: tuba(3 + j, 3 + m, torch.full_like(j, 3.0)),
    "tuba, a(x)": lambda j, m, c: tuba(j + c[0], m + c[1], c[0]),
    "cross_fitted_tuba, T - 2": lambda j, m, c: cross_fitted_tuba(j - 2, m - 2),
    "regularised": lambda j, m, c: regularised(j, m, 0.1),
    "regularised, b = 2": lambda j, m, c: regularised(2 + j, 2 + m, 0.1, 2.0),
    "smile, tau = 20": lambda j, m, c: smile(j, m, 20.0),
    "mean_log_ratio": lambda j, m, c: mean_log_ratio(j, m),
    "mean_log_ratio, offset 1": lambda j, m, c: mean_log_ratio(1 + j, m, 1.0),
}


@pytest.mark.parametrize("task", TASKS, ids=repr)
@pytest.mark.parametrize("name", TIGHT)
def test_a_bound_is_tight_at_its_optimal_critic(name, task):
    mean, error = mean_and_error(TIGHT[name](*optimal_values(task), of_x(task)))
    assert abs(mean - task.mi) < 4 * error + 1e-3


LOWER = {
    "dv": donsker_varadhan,
    "f_divergence": f_divergence,
    "cross_fitted_tuba": cross_fitted_tuba,
    "regularised": regularised,
    "infonce": infonce,
    "interpolated": interpolated,
    "interpolated, alpha = 0.5": lambda j, m: interpolated(j, m, 0.5),
    "interpolated, alpha = 1": lambda j, m: interpolated(j, m, 1.0),
}


@pytest.mark.parametrize("name", LOWER)
@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_a_lower_bound_is_below_the_truth_at_another_critic(name, distortion):
    task = CorrelatedGaussian(1, 0.9)
    joint, marginal = (1 + DISTORTIONS[distortion](t) for t in optimal_values(task))
    assert LOWER[name](joint, marginal).mean() < task.mi - 0.02


@pytest.mark.parametrize("name", LOWER)
@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_a_lower_bound_is_not_above_the_truth_at_the_log_ratio(name, task):
    joint, marginal = (1 + t for t in optimal_values(task))
    mean, error = mean_and_error(LOWER[name](joint, marginal))
    assert mean < task.mi + 4 * error + 1e-3


@pytest.mark.parametrize("bound", [donsker_varadhan, cross_fitted_tuba, infonce])
@given(paired_values(), st.floats(-500, 500))
def test_a_constant_shift_is_ignored(bound, t, shift):
    moved = bound(t[0] + shift, t[1] + shift)
    assert moved.item() == pytest.approx(bound(*t).item(), rel=1e-6, abs=1e-7)


EVERY_BOUND = {
    **LOWER,
    "smile": smile,
    "mean_log_ratio": mean_log_ratio,
    "club": club,
    "difference_of_entropies": difference_of_entropies,
    "jensen_shannon": jensen_shannon,
    "hellinger": hellinger,
    "likelihood": likelihood,
    "likelihoods": likelihoods,
    **{f"curve of {name}": m.bound for name, m in METHODS.items() if m.objective},
    **{f"criterion of {name}": m.criterion for name, m in METHODS.items() if m.objective},
}


@pytest.mark.parametrize("name", EVERY_BOUND)
def test_a_bound_gives_one_value_a_stacked_critic(name):
    g = torch.Generator().manual_seed(0)
    t = torch.randn(3, 4, 10, generator=g), torch.randn(3, 4, 20, generator=g)
    stacked = EVERY_BOUND[name](*t)
    assert stacked.shape == (3, 4)
    for i, j in ((0, 0), (1, 2), (2, 3)):
        torch.testing.assert_close(stacked[i, j], EVERY_BOUND[name](*(v[i, j] for v in t)))


def test_marginal_values_are_filed_under_their_rows():
    t_joint, t_marginal = torch.zeros(2, 3), torch.arange(12.0).expand(2, 12)
    rows = by_row(t_joint, t_marginal)
    assert rows.shape == (2, 4, 3)
    assert rows[1, :, 2].tolist() == [2, 5, 8, 11]


@pytest.mark.parametrize("found", [0, 7])
def test_rows_without_as_many_partners_each_are_refused(found):
    with pytest.raises(
        ValueError, match=f"m marginal values for each of 3 joint ones, got {found}"
    ):
        infonce(torch.zeros(3), torch.zeros(found))


def test_log_mean_exp_does_not_overflow():
    t = torch.tensor([100.0, 1000.0, -1000.0])
    assert log_mean_exp(t).item() == pytest.approx(1000 - math.log(3))
