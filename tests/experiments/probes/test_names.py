"""What is measured of a critic, by name: on the right of a pair, and of a task."""

import math

import pytest
import torch
from torch import nn

import mine
from experiments.probes.constant import constant
from experiments.probes.gibbs import gibbs
from experiments.probes.gradient import gradient
from experiments.probes.names import METHODS
from experiments.suite.claims.rows import PROBES
from mine.critics.mlp import MLP
from mine.critics.modules import Modules
from mine.data.columns import Layout
from mine.data.own_rows import Given, OwnRows
from mine.data.sources import Fresh
from mine.method.donsker_varadhan import DV
from mine.running.events import Done
from mine.running.jobs import Job
from mine.running.run import run
from mine.tasks import MultivariateNormal
from mine.training.settings import Training

SCALARS = MultivariateNormal(1, 1, (0.8,))
QUICK = Training(steps=40, batch_size=64)


class FromZero(nn.Module):
    """T = a x^2 + b xy + c y^2 + d, which starts at 0."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(4))

    def forward(self, x, y):
        a, b, c, d = self.weights
        return (a * x * x + b * x * y + c * y * y + d).sum(-1)


def value_of(method, seed=0, critic=None):
    job = Job(
        Fresh(SCALARS),
        METHODS[method],
        seed,
        "probe",
        QUICK,
        critic or MLP((16,)),
        n_test=2000,
        partners=5,
    )
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
    rows = OwnRows(Given(x, -x + 0.1 * x.flip(0)), (Layout.numbers(1), Layout.numbers(1)))
    with pytest.raises(ValueError, match="mine/gibbs measures a critic on a task .* got rows"):
        Job(rows, METHODS["mine/gibbs"])


@pytest.mark.parametrize("name", ["mine/gibbs", "mine/constant", "dv/gradient(batch=16)"])
def test_the_library_has_none_of_them_and_says_where_they_stand(name):
    x = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    assert METHODS[name].name == name
    with pytest.raises(KeyError, match="no method is called .* stands in experiments/probes"):
        mine.methods()[name]
    with pytest.raises(ValueError, match="method must be one of"):
        mine.estimate(x, x + x.flip(0), name)


def test_a_value_alone_is_refused_with_its_parameters_too():
    for name in ("constant", "gradient(batch=16)"):
        with pytest.raises(ValueError, match="trains nothing and is no estimate of I"):
            METHODS[name]


def test_a_users_module_can_be_probed_through_the_runner():
    found = value_of("mine/gibbs", critic=Modules(lambda dx, dy: FromZero()))
    assert 0.0 <= found.nats < SCALARS.mi


def test_the_tables_know_the_probes_by_name():
    assert {make().name for make in (constant, gibbs, gradient)} == PROBES
