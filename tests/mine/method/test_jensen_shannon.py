"""Jensen-Shannon at the log-ratio, beside Hellinger; and SMILE beside Donsker and Varadhan."""

import math

import torch
from critic_values_example import DISTORTIONS, mean_and_error, optimal_values, values
from hypothesis import given

from mine.method.donsker_varadhan import donsker_varadhan
from mine.method.f_dime import hellinger
from mine.method.jensen_shannon import jensen_shannon, smile
from mine.tasks import CorrelatedGaussian


def test_jensen_shannon_and_hellinger_are_tight_at_the_log_ratio():
    """Both distances of a Gaussian's P and Q: by quadrature, and by the affinity's closed form."""
    rho = 0.8
    task = CorrelatedGaussian(1, rho)
    x = torch.linspace(-9, 9, 2001).double()
    grid = torch.stack(torch.meshgrid(x, x, indexing="ij"), -1)
    ratio = task.log_ratio(grid[..., :1].flatten(0, 1), grid[..., 1:].flatten(0, 1))
    q = torch.exp(-0.5 * grid.square().sum(-1)).flatten() / (2 * math.pi) * (x[1] - x[0]) ** 2
    p = q * ratio.exp()
    middle = ((p + q) / 2).clamp(min=1e-300)
    twice_js = (p * (p.clamp(min=1e-300) / middle).log()).sum() + (
        q * (q.clamp(min=1e-300) / middle).log()
    ).sum()
    affinity = (1 - rho**2) ** 0.25 / (1 - rho**2 / 4) ** 0.5
    t = optimal_values(task)
    for bound, wanted in ((jensen_shannon, twice_js.item()), (hellinger, 2 - 2 * affinity)):
        mean, error = mean_and_error(bound(*t))
        assert abs(mean - wanted) < 4 * error + 1e-5
        for distort in DISTORTIONS.values():
            assert bound(*map(distort, t)).mean() < wanted - 1e-3


@given(values, values)
def test_smile_is_dv_where_nothing_is_clipped(joint, marginal):
    t = torch.tensor(joint).double(), torch.tensor(marginal).double()
    assert smile(*t, math.inf) == smile(*t, 20.0) == donsker_varadhan(*t)


def test_smile_at_the_log_ratio_is_off_by_the_log_of_what_the_clip_left():
    task, tau = CorrelatedGaussian(1, 0.9), 0.5
    x = torch.linspace(-9, 9, 3001).double()
    grid = torch.stack(torch.meshgrid(x, x, indexing="ij"), -1)
    ratio = task.log_ratio(grid[..., :1].flatten(0, 1), grid[..., 1:].flatten(0, 1))
    q = torch.exp(-0.5 * grid.square().sum(-1)).flatten() / (2 * math.pi) * (x[1] - x[0]) ** 2
    left = (q * ratio.clamp(-tau, tau).exp()).sum()
    mean, error = mean_and_error(smile(*optimal_values(task), tau))
    assert abs(mean - (task.mi - left.log().item())) < 4 * error + 1e-3
