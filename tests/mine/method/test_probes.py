"""What is measured of a critic itself: against closed forms, brute force and Monte Carlo."""

import math

import pytest
import torch
from torch import nn

import mine
from mine.critics.mlp import MLP, Modules, stack_modules
from mine.method import bounds
from mine.method.bounds import DV, MINE, log_mean_exp, normalised
from mine.method.held_out import held_out_values
from mine.method.method import METHODS
from mine.method.probes import _factors, _population, gibbs_divergence, gradient_errors
from mine.running.jobs import Job
from mine.running.workers import Done, run
from mine.tasks import CorrelatedGaussian, MultivariateNormal
from mine.training.loop import Training

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

# --------------------------------------------------------------- KL(P || G)


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
        dv, error = values.donsker_varadhan()
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


# ------------------------------------------------------------ minibatch gradients


def setting(n, k=1, hidden=(8,), scale=2.0):
    """Critics that are far from 0 and a population for each."""
    task = CorrelatedGaussian(1, 0.8)
    generators = [torch.Generator().manual_seed(i) for i in range(k)]
    critic = MLP(hidden).stack(1, 1, generators, "cpu")
    critic.theta *= scale
    rows = [task.sample(n, g) for g in generators]
    x, y = (torch.stack(side) for side in zip(*rows, strict=True))
    return critic, x, y


def gradient_by_autograd(critic, x, y, partners, objective, state, rate):
    """-grad of our objective's own surrogate, in the critic's parameters, and the next state."""
    w, v, b = (p[0].double().requires_grad_() for p in critic.views)

    def t(x, y):
        z = torch.cat([x, y, torch.ones_like(x)], -1).double() @ w
        return (nn.functional.elu(z) @ v + b).squeeze(-1)

    value, state = objective.surrogate(t(x, y)[None], t(x, partners)[None], state, rate)
    found = torch.autograd.grad(-value.sum(), (w, v, b))
    return torch.cat([g.flatten() for g in found]), tuple(s.detach() for s in state)


def test_bias_and_scatter_of_plain_dv_are_those_of_all_its_batches():
    """A small population, whose batches can all be enumerated."""
    n, batch = 60, 6
    critic, x, y = setting(n)
    g = [torch.Generator().manual_seed(1)]
    found = gradient_errors(critic, x, y, batch, 1.0, g, batches=2000)
    rate = torch.ones(1)
    of_all, rows = [], torch.arange(batch)
    for start in range(n):
        i = (start + rows) % n
        sides = x[0, i], y[0, i], y[0, (i + 1) % n]
        of_all.append(gradient_by_autograd(critic, *sides, DV, (), rate)[0])
    each = torch.stack(of_all)
    full, _ = gradient_by_autograd(critic, x[0], y[0], y[0].roll(-1, 0), DV, (), rate)
    bias = (each.mean(0) - full).norm() / full.norm()
    scatter = (each - each.mean(0)).square().sum(1).mean().sqrt() / full.norm()
    assert float(found.bias) == pytest.approx(float(bias), rel=0.1)
    assert float(found.scatter) == pytest.approx(float(scatter), rel=0.05)


def test_the_bias_of_the_moving_average_is_that_of_running_it():
    """Gradients of our surrogate with the average carried along, 8,000 batches of a frozen T."""
    n, batch, rate = 40, 4, 0.3
    critic, x, y = setting(n, scale=1.0)
    g = [torch.Generator().manual_seed(1)]
    found = gradient_errors(critic, x, y, batch, rate, g, batches=1500, histories=256)
    w, v, b = (p[0].double().requires_grad_() for p in critic.views)
    ones = torch.ones(n, 1)

    def t(x, y):
        return nn.functional.elu(torch.cat([x, y, ones], -1).double() @ w) @ v + b

    def jacobian(values):
        rows = [torch.autograd.grad(value, (w, v, b), retain_graph=True) for value in values]
        return torch.stack([torch.cat([p.flatten() for p in row]) for row in rows])

    joint, marginal = t(x[0], y[0])[:, 0], t(x[0], y[0].roll(-1, 0))[:, 0]
    of_joint, of_marginal = jacobian(joint), jacobian(marginal)
    joint, marginal = joint.detach(), marginal.detach()
    state, total, count = MINE.init(1, torch.device("cpu")), torch.zeros(len(of_joint[0])), 8000
    total, at = total.double(), torch.arange(batch)
    for step in range(count):
        i = (int(torch.randint(n, (), generator=g[0])) + at) % n
        sides = joint[None, i], marginal[None, i]
        *weights, state = MINE.descent(*sides, state, torch.tensor([rate]))
        if step >= 50:
            total += weights[0][0].double() @ of_joint[i] + weights[1][0].double() @ of_marginal[i]
    weights = DV.descent(joint[None], marginal[None], (), torch.ones(1))
    full = weights[0][0] @ of_joint + weights[1][0] @ of_marginal
    bias = (total / (count - 50) - full).norm() / full.norm()
    assert float(found.bias) == pytest.approx(float(bias), rel=0.35)


def test_with_the_full_partition_for_an_average_the_bias_is_exactly_0():
    critic, x, y = setting(500, k=2)
    g = [torch.Generator().manual_seed(k) for k in range(2)]
    known = normalised(lambda log_mean, state, rate: (torch.zeros_like(log_mean), state))
    found = gradient_errors(critic, x, y, 16, 0.1, g, known, batches=50)
    assert found.bias.abs().max() < 1e-12  # in double precision
    assert found.scatter.min() > 0.1


def test_the_bias_falls_as_1_over_b_and_in_proportion_to_a_small_rate():
    critic, x, y = setting(5000, k=3)

    def bias(batch, rate):
        g = [torch.Generator().manual_seed(k) for k in range(3)]
        return float(gradient_errors(critic, x, y, batch, rate, g, batches=150).bias.mean())

    assert bias(64, 1.0) / bias(256, 1.0) == pytest.approx(4.0, rel=0.3)
    assert bias(64, 0.1) / bias(64, 0.01) == pytest.approx(10.0, rel=0.3)
    assert bias(64, 0.1) < 0.3 * bias(64, 1.0)


def test_the_factor_is_that_of_our_own_objectives_weights():
    """A batch enters the normaliser by its mean alone, whatever its values are."""
    g = torch.Generator().manual_seed(0)
    t = torch.randn(4, 32, generator=g, dtype=torch.float64)
    state = bounds.ema_init((4,))
    state = tuple(s.double() for s in state)
    _, state = bounds.ema_update(state, torch.randn(4, generator=g).double(), torch.tensor(0.1))
    rate = torch.full((4,), 0.1, dtype=torch.float64)
    _, weights, _ = MINE.descent(t, t, state, rate)
    factor = _factors(MINE, log_mean_exp(t).exp().view(1, 4, 1), state, 0.1)
    torch.testing.assert_close(
        weights, torch.softmax(t, -1) * factor.view(4, 1), rtol=1e-6, atol=1e-12
    )


def test_the_full_gradient_is_one_of_all_rows_at_once():
    """2,500 rows in chunks, against autograd."""
    critic, x, y = setting(2500)
    found = _population(critic, x, y)
    full, _ = gradient_by_autograd(critic, x[0], y[0], y[0].roll(-1, 0), DV, (), torch.ones(1))
    assert torch.allclose((found.joint + found.marginal)[0], full, rtol=1e-4, atol=1e-6)


def test_a_module_of_ones_own_has_the_same_errors_as_the_same_perceptron():
    critic, x, y = setting(300)
    w, v, b = (p[0] for p in critic.views)

    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.v, self.b = (nn.Parameter(p.clone()) for p in (w, v, b))

        def forward(self, x, y):
            z = torch.cat([x, y, torch.ones_like(x)], -1) @ self.w
            return (nn.functional.elu(z) @ self.v + self.b).squeeze(-1)

    errors = [
        gradient_errors(one, x, y, 8, 0.1, [torch.Generator().manual_seed(3)], batches=20)
        for one in (critic, stack_modules([Same()]))
    ]
    for mine_, same in zip(*errors, strict=True):
        assert float(mine_) == pytest.approx(float(same), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 301])
def test_a_batch_that_the_population_cannot_give_is_refused(batch):
    critic, x, y = setting(300)
    with pytest.raises(ValueError, match=f"a batch of 2 to 300 rows.*got {batch}: take a smaller"):
        gradient_errors(critic, x, y, batch, 0.1, [torch.Generator()])


# ------------------------------------------------------------------- as methods


QUICK = Training(steps=40, batch_size=64)


def value_of(method, seed=0, critic=None):
    job = Job(SCALARS, method, seed, "probe", QUICK, critic or MLP((16,)), n_test=2000, partners=5)
    (done,) = [news for news in run([job], "cpu") if isinstance(news, Done)]
    return done.outcome


def test_reporting_another_value_trains_the_same_critic():
    """DV - F = e^(C - 1) - C only if all three are values of one critic on the same samples."""
    dv, f, constant = (value_of(m) for m in ("mine_f/dv", "mine_f", "mine_f/constant"))
    assert dv.nats > f.nats
    assert dv.nats - f.nats == pytest.approx(
        math.exp(constant.nats - 1.0) - constant.nats, abs=1e-6
    )


def test_a_probe_is_a_value_of_the_critic_that_its_pair_trains():
    dv, gibbs = value_of("mine_f/dv"), value_of("mine_f/gibbs")
    assert gibbs.nats == pytest.approx(SCALARS.mi - dv.nats, abs=4 * dv.stderr)
    assert gibbs.warnings == ()
    gradient = value_of("mine/gradient(batch=32, rate=1)")
    smaller = value_of("mine/gradient(batch=32, rate=0.1)")
    assert 0 < smaller.nats < 0.5 * gradient.nats < gradient.nats < gradient.stderr
    assert value_of("mine/gradient(batch=32, rate=1)") == gradient


def test_probes_have_names_and_parameters_as_methods_have():
    assert METHODS["mine/gradient"].parameters == {"batch": 64, "rate": 0.02}
    assert METHODS["dv/gibbs"].objective is DV
    assert {"gibbs", "gradient"}.isdisjoint(list(METHODS))
    for wrong, message in (
        ("mine/gradient(batch=1)", "batch must be a whole number >= 2"),
        ("mine/gradient(rate=0)", r"rate must be in \(0, 1\]"),
        ("gibbs", "trains nothing and is no estimate of I: .* 'mine/gibbs'"),
    ):
        with pytest.raises(ValueError, match=message):
            METHODS[wrong]


def test_a_probe_of_ones_own_rows_is_refused():
    x = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="mine/gibbs measures a critic on a task .* got rows"):
        mine.estimate(x, -x + 0.1 * x.flip(0), "mine/gibbs")


def test_a_users_module_can_be_probed_through_the_runner():
    found = value_of("mine/gibbs", critic=Modules(lambda dx, dy: Quadratic(0.0, 0.0, 0.0, 0.0)))
    assert 0.0 <= found.nats < SCALARS.mi
