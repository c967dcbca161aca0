"""One-to-one maps of each side to normal columns, and the critic that starts from them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mine.critics.gaussianisation import (
    KNOTS,
    LAYERS,
    MOST_COLUMNS,
    are_bent,
    fit_layers,
    levels,
    mapped,
    nothing,
    rotations,
)
from mine.critics.gaussianised import Gaussianised, StackedGaussianised
from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.data.pairs import Shifts
from mine.data.ranks import normal_scores
from mine.tasks import CorrelatedGaussian, Flow, MultivariateNormal, StudentT, Warped

NETWORK = MLP((8,))
BASE = MultivariateNormal(5, 5, pairs=(0.8, 0.6))
BENT = Warped(BASE, Flow(seed=21), Flow(seed=22))


def drawn(task, n, seed=0):
    """Normal scores of each column, as the candidate gets them."""
    rows = task.sample(n, torch.Generator().manual_seed(seed))
    return tuple(torch.from_numpy(normal_scores(v.double().numpy())) for v in rows)


def fitted(x, y) -> StackedGaussianised:
    critic = Gaussianised(NETWORK).stack(
        x.shape[1], y.shape[1], [torch.Generator().manual_seed(0)], "cpu"
    )
    critic.fit([(x.float(), y.float())])
    return critic


def bound(critic, x, y) -> float:
    joint, marginal = critic.values(x[None].float(), y[None].float(), Shifts(4), keep=False)
    return float(joint.mean() - marginal.double().exp().mean().log())


# ------------------------------------------------------------------------ the maps


@given(st.integers(2, 5), st.integers(0, 99))
@settings(max_examples=15)
def test_the_maps_are_one_to_one(d, seed):
    """Each column's map increases, and a rotation loses nothing: two rows never meet."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(400, d, generator=random, dtype=torch.float64)
    turned, knots = fit_layers(z)
    assert torch.allclose(turned @ turned.transpose(1, 2), torch.eye(d, dtype=z.dtype), atol=1e-9)
    assert (knots.diff(dim=-1) > 0.0).all()
    a, b = (torch.randn(50, d, generator=random, dtype=torch.float64) * 3 for _ in range(2))
    far = mapped(a[None], turned[None], knots[None]) - mapped(b[None], turned[None], knots[None])
    assert (far.norm(dim=-1) > 1e-3 * (a - b).norm(dim=-1)).all()


def test_layers_of_nothing_change_nothing():
    z = 3 * torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned, knots = (of.expand(2, *of.shape) for of in nothing(3))
    assert torch.allclose(mapped(z, turned, knots), z, atol=1e-9)


def test_a_layer_gives_the_turned_columns_their_normal_scores():
    z = torch.rand(4_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned, knots = fit_layers(z)
    first = mapped(z[None], turned[None, :1], knots[None, :1])[0]
    shares = (torch.arange(KNOTS, dtype=z.dtype) + 0.5) / KNOTS
    assert torch.allclose(first.quantile(shares, dim=0).T, levels().expand(2, KNOTS), atol=0.01)
    assert turned.shape == rotations(2).shape == (LAYERS, 2, 2)


def test_bent_columns_become_nearly_normal():
    _, y = drawn(BENT, 5_000)
    assert are_bent(y)
    turned, knots = fit_layers(y)
    assert not are_bent(mapped(y[None], turned[None], knots[None])[0])


@pytest.mark.parametrize("seed", range(20))
def test_sides_that_are_normal_are_not_bent(seed):
    for task in (
        MultivariateNormal(10, 10, pairs=(0.5, 0.3), within=0.2),
        StudentT(MultivariateNormal(3, 3, pairs=(0.5,) * 3), dof=4),
    ):
        assert not any(map(are_bent, drawn(task, 2_000, seed)))


def test_one_column_and_very_many_are_left_as_they_are():
    z = torch.randn(500, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    many = (z**2).expand(500, MOST_COLUMNS + 1)
    assert not are_bent(z**2) and not are_bent(many)
    for v in (z**2, many):
        turned, knots = fit_layers(v)
        assert not len(turned) and torch.equal(mapped(v[None], turned[None], knots[None])[0], v)
    critic = Gaussianised(MLP((2,))).stack(1_000, 1, [torch.Generator()], "cpu")
    assert sum(of.numel() for of in critic.buffers.values()) < 1.1 * 1_000**2


# ------------------------------------------------------------------------ the start


def test_the_start_finds_most_of_what_bent_sides_hide_from_a_copula():
    rows, more = drawn(BENT, 5_000), drawn(BENT, 20_000, 1)
    critic = fitted(*rows)
    assert not critic.plain.any()
    copula = Residual(NETWORK).stack(5, 5, [torch.Generator().manual_seed(0)], "cpu")
    copula.fit([tuple(v.float() for v in rows)])
    lost, lost_before = BENT.mi - bound(critic, *more), BENT.mi - bound(copula, *more)
    assert -0.01 < lost < 0.6 * lost_before


def test_maps_of_each_side_alone_make_no_information():
    x, y = drawn(BENT, 5_000)
    y = y[torch.randperm(5_000, generator=torch.Generator().manual_seed(0))]
    turned, knots = fit_layers(x)
    critic = fitted(x, y)
    assert critic.plain.all()
    assert bound(critic, *drawn(BENT, 5_000, 1)) < 0.01
    a = mapped(x[None], turned[None], knots[None])[0]
    assert torch.corrcoef(torch.cat([a, y], 1).T)[:5, 5:].abs().max() < 0.06


@pytest.mark.parametrize("task", [CorrelatedGaussian(3, 0.7), BASE])
def test_where_no_side_is_bent_the_start_is_the_copula_s(task):
    x, y = drawn(task, 2_000)
    critic = fitted(x, y)
    copula = Residual(NETWORK).stack(
        x.shape[1], y.shape[1], [torch.Generator().manual_seed(0)], "cpu"
    )
    copula.fit([(x.float(), y.float())])
    assert critic.plain.all()
    assert bound(critic, x, y) == pytest.approx(bound(copula, x, y), abs=1e-4)
