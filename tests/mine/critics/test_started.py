"""What holds of every start: a stack is its cells, and training changes the network alone."""

from dataclasses import dataclass

import pytest
import torch
from scipy.signal import lfilter

from mine.critics.canonical import Canonical
from mine.critics.gaussianised import Gaussianised
from mine.critics.mapped_sides import CHUNK_ROWS
from mine.critics.mixture import Mixed
from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.critics.started import Started
from mine.critics.starts import inputs_of, network_of, started
from mine.critics.variates import MOST
from mine.data.pairs import Shifts
from mine.data.ranks import normal_scores
from mine.tasks import Flow, MultivariateNormal, PairMixture, Spiral, Warped

NETWORK = MLP((8,))
NORMAL = MultivariateNormal(4, 4, pairs=(0.8, 0.6))
ROWS = 3_000


@dataclass(frozen=True)
class Case:
    """A start, and a law in which it finds more than others do."""

    name: str
    start: Started
    task: object
    plain: tuple[bool, bool] = (False, True)  # of its own law and of a normal one


CASES = [
    Case("copula", Residual(NETWORK), NORMAL, (False, False)),
    Case("mixture", Mixed(NETWORK), PairMixture(4, (0.0, 0.3), (0.9, -0.6))),
    Case("gaussianised", Gaussianised(NETWORK), Warped(NORMAL, Flow(seed=21), Flow(seed=22))),
    Case("variates", Canonical(NETWORK), Warped(NORMAL, Spiral(speed=0.3), Spiral(speed=0.3))),
]
of_every_start = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def drawn(task, seed):
    """Normal scores of each column, as the candidates get them."""
    rows = task.sample(ROWS, torch.Generator().manual_seed(seed))
    x, y = (torch.from_numpy(normal_scores(v.double().numpy())).float() for v in rows)
    return x, y


def stacked(case, rows, first=0):
    """A critic of each of these rows, with output layers that are not 0."""
    generators = [torch.Generator().manual_seed(first + k) for k in range(len(rows))]
    critic = case.start.stack(4, 4, generators, "cpu")
    critic.fit(rows)
    for k in range(len(rows)):
        critic.views[-2][k].normal_(generator=torch.Generator().manual_seed(first + k))
    return critic


@of_every_start
def test_a_stack_is_its_single_critics(case):
    rows = [drawn(case.task, 0), drawn(NORMAL, 1)]
    stack = stacked(case, rows)
    assert tuple(stack.plain.tolist()) == case.plain
    x, y = (torch.stack(of) for of in zip(*rows, strict=True))
    together = stack.values(x, y, Shifts(2))[0].clone()
    for k, (a, b) in enumerate(rows):
        alone = stacked(case, [(a, b)], k).values(a[None], b[None], Shifts(2))[0]
        assert torch.allclose(alone[0], together[k], atol=1e-4)


@of_every_start
def test_the_critic_of_mapped_rows_is_the_critic_of_the_rows(case):
    """To rounding, and also of rows that are mapped in several chunks."""
    rows = [drawn(case.task, 0), drawn(NORMAL, 1)]
    critic = stacked(case, rows)
    long = [tuple(v.repeat(2, 1) for v in of) for of in rows]
    assert 2 * ROWS > CHUNK_ROWS
    whole = [
        of.clone() for of in critic.values(*map(torch.stack, zip(*long, strict=True)), Shifts(2))
    ]
    mapped = [critic.mapped(k, of) for k, of in enumerate(long)]
    once = critic.of_mapped.values(*map(torch.stack, zip(*mapped, strict=True)), Shifts(2))
    for of, again in zip(whole, once, strict=True):
        assert torch.allclose(of, again, atol=1e-4)
    assert critic.of_mapped.theta is critic.theta
    assert mapped[0][0].shape[-1] == inputs_of(case.start, 4, 4)[0]


@of_every_start
def test_where_y_is_nearly_x_every_value_is_finite(case):
    """Its noise is too large to be called none, and its correlation is 1 in float32."""
    random = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, ROWS, 4, generator=random, dtype=torch.float64)
    x, y = (torch.from_numpy(normal_scores(v.numpy())).float() for v in (x, x + 1e-4 * noise))
    for values in stacked(case, [(x, y)]).values(x[None], y[None], Shifts(2)):
        assert values.isfinite().all()


def test_a_mixture_is_seen_in_a_series_as_in_rows_in_random_order():
    """Partners of held-out rows are far away: neighbours in a series are nearly the same."""
    law, random = CASES[1].task, torch.Generator().manual_seed(5)
    shocks = torch.randn(2, 12_000, 8, generator=random, dtype=torch.float64)
    series = torch.from_numpy(lfilter([(1 - 0.98**2) ** 0.5], [1, -0.98], shocks.numpy(), axis=1))
    a, b = series[0, :, :4], series[1, :, :4]
    rho = torch.tensor(law.rhos)[(series[0, :, 4] > 0).long(), None]
    y = rho * a + (1 - rho.square()).sqrt() * b
    rows = [torch.from_numpy(normal_scores(v[2000:].numpy())).float() for v in (a, y)]
    order = torch.randperm(len(rows[0]), generator=random)
    for x, y in (rows, [v[order] for v in rows]):
        critic = Mixed(NETWORK).stack(4, 4, [random], "cpu")
        critic.fit([(x, y)])
        assert not critic.plain.any()


@of_every_start
def test_training_changes_the_network_alone(case):
    x, y = drawn(case.task, 0)
    critic = stacked(case, [(x, y)])
    before = {name: of.clone() for name, of in critic.buffers.items()}
    critic.values(x[None], y[None], Shifts(1))
    critic.backward(torch.ones(1, ROWS), torch.zeros(1, ROWS))
    assert critic.grad.any()
    assert all(torch.equal(before[name], of) for name, of in critic.buffers.items())


@of_every_start
def test_it_has_no_value_that_another_model_could_train_through(case):
    critic = case.start.stack(1, 1, [torch.Generator()], "cpu")
    with pytest.raises(TypeError, match="fitted to fixed rows"):
        critic.differentiable(torch.zeros(1, 4, 1), torch.zeros(1, 4, 1), Shifts(1))


@of_every_start
def test_a_start_has_a_name_and_gives_its_network_back(case):
    assert started(NETWORK, case.name) == case.start
    assert network_of(case.start) == NETWORK
    assert inputs_of(case.start, 4, 4) == ((MOST, MOST) if case.name == "variates" else (4, 4))
