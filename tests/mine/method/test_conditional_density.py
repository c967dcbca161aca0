"""CLUB, the difference of entropies and their likelihoods at the true densities."""

import math

import pytest
import torch
from critic_values_example import REPEATS, ROWS, TASKS, mean_and_error, optimal_values, samples

from mine.method.conditional_density import club, difference_of_entropies, likelihood, likelihoods
from mine.tasks import CorrelatedGaussian


def log_densities(task):
    """log p(y | x) on joint and on marginal pairs, and log p(y) of the partners: y is normal."""
    _, y, partners = samples(task)
    normal = torch.distributions.Normal(0.0, 1.0)
    log_y = normal.log_prob(y).sum(-1).view(REPEATS, ROWS).double()
    log_partners = [normal.log_prob(p).sum(-1).view(REPEATS, ROWS) for p in partners]
    log_other = torch.stack(log_partners, 1).flatten(1).double()
    t_joint, t_marginal = optimal_values(task)
    return t_joint + log_y, t_marginal + log_other, log_other


@pytest.mark.parametrize("task", [t for t in TASKS if isinstance(t, CorrelatedGaussian)], ids=repr)
def test_club_at_the_true_density_is_the_truth_and_the_reverse_divergence(task):
    """I + KL(p(x) p(y) || p(x, y)) = d rho^2 / (1 - rho^2): an upper bound that is not tight."""
    joint, marginal, _ = log_densities(task)
    mean, error = mean_and_error(club(joint, marginal))
    assert abs(mean - task.dim * task.rho**2 / (1 - task.rho**2)) < 4 * error + 1e-6
    assert mean > task.mi - 4 * error - 1e-6


@pytest.mark.parametrize("task", [t for t in TASKS if isinstance(t, CorrelatedGaussian)], ids=repr)
def test_the_difference_of_entropies_is_the_truth_at_the_true_densities(task):
    joint, _, other = log_densities(task)
    mean, error = mean_and_error(difference_of_entropies(joint, other))
    assert abs(mean - task.mi) < 4 * error + 1e-6


def test_likelihoods_are_greatest_at_the_true_densities():
    joint, _, other = log_densities(CorrelatedGaussian(1, 0.9))
    for s in (0.8, 1.25):  # a normal density of another width: log N(y; 0, s) in place of log N(y)
        wrong = other / s**2 - math.log(s) + (1 / s**2 - 1) * 0.5 * math.log(2 * math.pi)
        assert likelihoods(joint, wrong).mean() < likelihoods(joint, other).mean() - 0.01
    assert likelihood(joint, other).mean() == joint.mean(-1).mean()
