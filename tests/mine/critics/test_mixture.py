"""Mixtures of normals fitted to the rows of both sides, and the critic that starts from them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mine.critics.components import (
    MOST,
    MOST_COLUMNS,
    NONE,
    ROWS_A_COLUMN,
    Components,
    agreement,
    belonging,
    counts_of,
    first_groups,
    fit_components,
    sides_of,
)
from mine.critics.mixture import Mixed, StackedMixed, log_ratios
from mine.critics.mlp import MLP
from mine.data.pairs import Shifts
from mine.data.ranks import normal_scores
from mine.tasks import Mixture, MultivariateNormal, PairMixture, StudentT

NETWORK = MLP((8,))
REGIMES = PairMixture(dim=4, shifts=(0.0, 0.3), rhos=(0.9, -0.6))


def drawn(task, n, seed=0):
    x, y = task.sample(n, torch.Generator().manual_seed(seed))
    return x.float(), y.float()


def fitted(x, y) -> StackedMixed:
    critic = Mixed(NETWORK).stack(
        x.shape[1], y.shape[1], [torch.Generator().manual_seed(0)], "cpu"
    )
    critic.fit([(x, y)])
    return critic


def start(critic, x, y) -> torch.Tensor:
    """T of rows (n, dx) and (n, dy) before any training."""
    return critic.values(x[None], y[None], Shifts(1), keep=False)[0][0].clone()


def covariance(seed, d):
    root = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T + 0.5 * torch.eye(d, dtype=torch.float64)


# ------------------------------------------------------------------------ fitting


def test_the_components_of_well_separated_clusters_are_found():
    near, far = (
        MultivariateNormal(1, 1, pairs=(0.8,)),
        MultivariateNormal(1, 1, pairs=(-0.5,), mean=(6.0, 6.0)),
    )
    x, y = Mixture((near, far), (0.25, 0.75)).sample(20_000, torch.Generator().manual_seed(0))
    found = fit_components(
        torch.cat([x, y], 1).double(), first_groups(agreement(x.double(), y.double()), 2)
    )
    order = found.mean[:, 0].argsort()
    assert found.weight[order].tolist() == pytest.approx([0.25, 0.75], abs=0.01)
    of = (found.root @ found.root.transpose(1, 2))[order]
    assert of[:, 0, 1].tolist() == pytest.approx([0.8, -0.5], abs=0.03)


def test_no_round_lowers_the_likelihood_of_components_without_a_prior(monkeypatch):
    """The theorem of Dempster, Laird and Rubin, 1977."""
    monkeypatch.setattr("mine.critics.components.PRIOR", 0.0)
    monkeypatch.setattr("mine.critics.components.ROUNDS", 1)
    x, y = (v.double() for v in drawn(REGIMES, 3_000))
    z, belongs, last = torch.cat([x, y], 1), first_groups(agreement(x, y), 2), -math.inf
    for _ in range(8):
        of = fit_components(z, belongs)
        belongs = belonging(of, z)
        law = torch.distributions.MultivariateNormal(of.mean, scale_tril=of.root)
        now = float((of.weight.log() + law.log_prob(z[:, None])).logsumexp(1).mean())
        assert now >= last - 1e-9
        last = now


@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, MOST), st.integers(0, 99))
@settings(max_examples=20)
def test_the_log_ratio_is_that_of_the_mixture(dx, dy, count, seed):
    random = torch.Generator().manual_seed(seed)
    covariances = torch.stack([covariance(seed + i, dx + dy) for i in range(count)])
    weight = torch.rand(count, generator=random, dtype=torch.float64) + 0.1
    mean = torch.randn(count, dx + dy, generator=random, dtype=torch.float64)
    of = Components(weight / weight.sum(), mean, torch.linalg.cholesky(covariances))
    rows = torch.randn(2, 7, dx + dy, generator=random, dtype=torch.float64)

    def log_density(columns, z):
        law = torch.distributions.MultivariateNormal(
            mean[:, columns], covariances[:, columns][:, :, columns]
        )
        return (of.weight.log() + law.log_prob(z[:, None])).logsumexp(1)

    x, y = rows[0, :, :dx], rows[1, :, dx:]
    buffers = {name: v[None] for name, v in vars(sides_of(of, dx)).items()}
    joint, beside = (v[0] for v in log_ratios(buffers, x[None], y[None], Shifts(1)))
    columns = torch.arange(dx + dy)
    for values, partner in ((joint, y), (beside, y.roll(-1, 0))):
        exact = log_density(columns, torch.cat([x, partner], 1))
        exact = exact - log_density(columns[:dx], x) - log_density(columns[dx:], partner)
        assert torch.allclose(values, exact, atol=1e-6)


@given(st.integers(1, 100_000), st.integers(2, 2 * MOST_COLUMNS))
def test_no_component_has_few_rows(n, d):
    counts = counts_of(n, d)
    assert all(count * d * ROWS_A_COLUMN <= n and count <= MOST for count in counts)
    assert not (d > MOST_COLUMNS and counts)


def test_a_component_without_rows_is_no_mixture():
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    belongs = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(50, 2)
    assert fit_components(z, belongs) is None


# ------------------------------------------------------------------------ the start


def test_the_start_is_near_the_truth_where_the_law_is_a_mixture():
    critic = fitted(*drawn(REGIMES, 10_000))
    x, y = drawn(REGIMES, 20_000, 1)
    of_joint, of_marginal = critic.values(x[None], y[None], Shifts(1), keep=False)
    value = float(of_joint.mean() - of_marginal.double().exp().mean().log())
    assert value == pytest.approx(REGIMES.mi, abs=0.03)
    assert torch.corrcoef(torch.stack([start(critic, x, y), REGIMES.log_ratio(x, y)]))[0, 1] > 0.99


@pytest.mark.parametrize(
    "task",
    [
        MultivariateNormal(3, 3, pairs=(0.8, 0.5)),
        MultivariateNormal(2, 2, pairs=(0.0, 0.0)),
        StudentT(MultivariateNormal(2, 2, pairs=(0.6, 0.0)), dof=3),
    ],
    ids=["normal", "independent", "student"],
)
def test_where_a_copula_does_as_well_there_is_one_component(task):
    x, y = (torch.from_numpy(normal_scores(v.numpy())).float() for v in drawn(task, 3_000))
    critic = fitted(x, y)
    assert critic.plain.all()
    assert (critic.buffers["levels"][0, 2] > NONE).sum() == 1


def test_one_component_is_the_normal_law():
    task = MultivariateNormal(2, 3, pairs=(0.8, 0.5))
    critic = fitted(*drawn(task, 50_000))
    x, y = drawn(task, 1_000, 1)
    assert torch.allclose(start(critic, x, y), task.log_ratio(x, y).float(), atol=0.2)


@pytest.mark.parametrize(
    "harm", ["constant", "repeated", "few rows", "two values", "many columns"]
)
def test_rows_that_no_mixture_fits_are_left_alone_or_give_finite_values(harm):
    x, y = drawn(REGIMES, 2_000)
    x, y = {
        "constant": (torch.cat([x, torch.ones(2_000, 1)], 1), y),
        "repeated": (torch.cat([x, x], 1), y),
        "few rows": (x[:30], y[:30]),
        "two values": ((x > 0).float(), y),
        "many columns": (x.repeat(1, 40), y),
    }[harm]
    assert start(fitted(x, y), x, y).isfinite().all()


def test_columns_that_are_one_in_large_units_are_no_mixture():
    z = torch.randn(300, 1, generator=torch.Generator().manual_seed(0)).mul(1e9).round()
    x, y = (
        torch.cat([z, 2 * z], 1),
        z + 1e9 * torch.randn(300, 1, generator=torch.Generator().manual_seed(1)),
    )
    critic = fitted(x, y)
    assert critic.plain.all()
    assert start(critic, x, y).isfinite().all()


def test_very_many_columns_take_no_memory_for_components():
    critic = Mixed(MLP((2,))).stack(1_000, 200, [torch.Generator()], "cpu")
    assert sum(of.numel() for of in critic.buffers.values()) < 1.1 * (1_000**2 + 200**2)
    x, y = torch.zeros(50, 1_000), torch.zeros(50, 200)
    critic.fit([(x, y)])
    assert critic.plain.all() and not start(critic, x, y).any()
