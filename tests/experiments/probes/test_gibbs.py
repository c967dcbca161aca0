"""KL(P || G) of a critic: against closed forms and Monte Carlo."""

import pytest
import torch
from torch import nn

from experiments.probes.gibbs import gibbs_divergence
from mine.critics.mlp import MLP
from mine.critics.modules import stack_modules
from mine.method.donsker_varadhan import held_out_donsker_varadhan
from mine.method.held_out import held_out_values
from mine.tasks import MultivariateNormal

SCALARS = MultivariateNormal(1, 1, (0.8,))


class Quadratic(nn.Module):
    """T = a x^2 + b xy + c y^2 + d: its Gibbs density is normal."""

    def __init__(self, a, b, c, d):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([a, b, c, d]))

    def forward(self, x, y):
        a, b, c, d = self.weights
        return (a * x * x + b * x * y + c * y * y + d).sum(-1)


def normal_divergence(rho, a, b, c):
    """KL(P || G) of normals: P of that correlation, G of precision 1 - 2 [[a, b/2], [b/2, c]]."""
    p = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64)
    precision = torch.eye(2, dtype=torch.float64) - torch.tensor([[2 * a, b], [b, 2 * c]]).double()
    product = precision @ p
    return float(0.5 * (product.trace() - 2.0 - product.logdet()))


QUADRATICS = [
    (0.0, 0.0, 0.0, 0.0),  # G is Q, and the divergence is I
    (0.1, 0.4, -0.2, 3.0),
    (-0.3, 0.9, -0.6, -1.0),
    (-0.8889, 2.2222, -0.8889, 0.3),  # the best critic of rho .8: G is P
]


@pytest.mark.parametrize("weights", QUADRATICS)
def test_the_gibbs_divergence_of_a_quadratic_critic_is_that_of_two_normals(weights):
    critic = stack_modules([Quadratic(*weights)])
    value, error = gibbs_divergence(critic, [SCALARS])
    expected = normal_divergence(0.8, *weights[:3])
    assert float(value) == pytest.approx(expected, abs=1e-5)
    assert float(error) < 1e-4


def test_of_no_critic_it_is_the_information_and_of_the_best_one_nothing():
    zero, best = (gibbs_divergence(stack_modules([Quadratic(*w)]), [SCALARS])[0]
                  for w in (QUADRATICS[0], QUADRATICS[3]))  # fmt: skip
    assert float(zero) == pytest.approx(SCALARS.mi, abs=1e-6)
    assert float(best) == pytest.approx(0.0, abs=1e-5)


def test_it_is_what_donsker_and_varadhan_lacks_by_monte_carlo():
    """A network that nobody trained, two correlations in one stack."""
    tasks = [SCALARS, MultivariateNormal(1, 1, (0.3,))]
    starts = [torch.Generator().manual_seed(k) for k in range(2)]
    critic = MLP((32,)).stack(1, 1, starts, "cpu")
    critic.theta *= 2.0
    found, _ = gibbs_divergence(critic, tasks)
    n = 50_000
    for k, task in enumerate(tasks):
        x, y = task.sample(n, torch.Generator().manual_seed(7))
        values = held_out_values(critic, x.expand(2, n, 1), y.expand(2, n, 1), 1)
        dv, error = held_out_donsker_varadhan(values)
        assert abs(float(found[k]) - (task.mi - float(dv[k]))) < 4 * float(error[k])
        assert float(found[k]) > 0.01


def test_the_grid_refuses_what_it_cannot_hold():
    def critic(dx, dy):
        return MLP((4,)).stack(dx, dy, [torch.Generator().manual_seed(0)], "cpu")

    wide = MultivariateNormal(1, 1, (0.5,), scale=(6.0, 1.0))
    with pytest.raises(ValueError, match="a mass of 0.8.* there: take a task of unit scale"):
        gibbs_divergence(critic(1, 1), [wide])
    with pytest.raises(ValueError, match="got 2 and 1 columns: take a task of one dimension"):
        gibbs_divergence(critic(1, 1), [MultivariateNormal(2, 1)])
