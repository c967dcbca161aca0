"""Canonical variates of nonlinear features, and the critic that starts from them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.critics.canonical import ALL, Canonical, StackedCanonical
from mine.critics.features import cosines_of_radius, groups_of, radius_of, sizes, weights
from mine.critics.mlp import MLP
from mine.critics.variates import CHOICES, MOST_FEATURES, MOST_ROWS, choices_of
from mine.data.pairs import Shifts
from mine.tasks import MultivariateNormal, Spiral, Warped

NETWORK = MLP((8,))


def spiral(dim=3, speed=0.3) -> Warped:
    base = MultivariateNormal(dim_x=dim, dim_y=dim, pairs=[0.8, 0.7])
    return Warped(base, Spiral(speed=speed, plane=[0, 1]), Spiral(speed=speed, plane=[1, 2]))


def drawn(task, n, seed=0):
    x, y = task.sample(n, torch.Generator().manual_seed(seed))
    return x.float(), y.float()


def fitted(x, y) -> StackedCanonical:
    critic = Canonical(NETWORK).stack(
        x.shape[1], y.shape[1], [torch.Generator().manual_seed(0)], "cpu"
    )
    critic.fit([(x, y)])
    return critic


def bound(critic, x, y) -> float:
    joint, marginal = critic.values(x[None], y[None], Shifts(4), keep=False)
    return float(joint.mean() - marginal.double().exp().mean().log())


def normal_rows(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------ features


@given(st.integers(1, 15))
def test_each_group_has_the_features_that_it_says(d):
    z = normal_rows(20, d)
    groups = groups_of(z[None], radius_of(z)[None, None], ALL)
    wanted = {name: size for name, size in sizes(d).items() if size}
    assert {name: of.shape for name, of in groups.items()} == {
        name: (1, 20, size) for name, size in wanted.items()
    }
    assert {name: len(of) for name, of in weights(d).items()} == sizes(d)


def test_the_cosines_are_those_of_the_docstring():
    z = normal_rows(50, 2)
    radius = radius_of(z)
    groups = groups_of(z[None], radius[None, None], ALL)
    logs = (z.square().mean(1) + 1e-6).log()
    u = torch.sigmoid(1.7 * (logs - radius[0]) * radius[1])
    k = torch.arange(1, cosines_of_radius(2) + 1)
    radial = torch.cos(math.pi * k * u[:, None])
    assert torch.allclose(groups["radial"][0], radial, atol=1e-4)
    turned = radial[:, :, None] * z[:, None]
    assert torch.allclose(groups["turned"][0], turned.flatten(1), atol=1e-4)
    wave = torch.cos(math.pi * 5 * torch.sigmoid(1.7 * z))
    assert torch.allclose(groups["waves"][0, :, 6:8], wave, atol=1e-4)


# ------------------------------------------------------------------------ variates


def test_a_spiral_is_unrolled():
    """The two variates of a spiral are the two coordinates of the normal law behind it."""
    base = MultivariateNormal(dim_x=3, dim_y=3, pairs=[0.8, 0.7])
    x, y = drawn(spiral(), 20_000)
    latent, _ = drawn(base, 20_000)  # the same seed: the rows before the maps
    critic = fitted(x, y)
    variates = critic.side(x[None], "x")[0][:, :2]
    both = torch.corrcoef(torch.cat([variates, latent[:, :2]], 1).T)[:2, 2:].abs()
    assert both.diagonal().min() > 0.9


def test_the_start_is_below_the_truth_and_far_above_what_is_linear():
    task = spiral()
    critic = fitted(*drawn(task, 5_000))
    assert 0.65 * task.mi < bound(critic, *drawn(task, 20_000, 1)) < task.mi


@pytest.mark.parametrize("draw", ["product", "radius", "wave"])
def test_relations_that_have_no_linear_part_are_seen(draw):
    x = normal_rows(4_000, 1 if draw == "wave" else 2)
    of = {
        "product": lambda: x[:, :1] * x[:, 1:],
        "radius": lambda: (x.square().sum(1, keepdim=True) - 2.0) / 2.0,
        "wave": lambda: torch.cos(math.pi * 4 * torch.special.ndtr(x)),
    }[draw]()
    y = of + 0.5 * normal_rows(4_000, 1, 1)
    critic = fitted(x[:3_000], y[:3_000])
    assert bound(critic, x[3_000:], y[3_000:]) > 0.3


@pytest.mark.parametrize("law", ["independent", "linear"])
def test_where_nothing_nonlinear_is_found_the_critic_is_zero(law):
    x = normal_rows(2_000, 3)
    y = normal_rows(2_000, 3, 1) + (x if law == "linear" else 0.0)
    critic = fitted(x, y)
    assert not any(critic.buffers[name].any() for name in ("of_x", "of_y", "rho"))
    assert not critic.values(x[None], y[None], Shifts(1))[0].any()


@given(st.integers(20, 50_000), st.integers(1, 1_000), st.integers(1, 1_000))
def test_no_more_features_than_half_of_the_rows_or_than_a_limit(n, dx, dy):
    first, *others = choices_of(n, dx, dy)
    assert first == CHOICES[0]
    for groups in others:
        count = max(sum(sizes(d)[name] for name in groups) for d in (dx, dy))
        assert count <= min(n / 2, MOST_FEATURES)


def test_many_columns_or_few_rows_have_no_variates():
    x, y = normal_rows(60, 300), normal_rows(60, 300, 1)
    assert fitted(x, y).blank.all()


def test_of_many_rows_some_are_looked_at():
    x, y = drawn(spiral(), 3 * MOST_ROWS)
    some = fitted(x[::3], y[::3]).buffers
    assert all(torch.equal(of, some[name]) for name, of in fitted(x, y).buffers.items())


def test_constant_columns_change_nothing():
    x, y = drawn(spiral(), 3_000)
    constant = torch.cat([x, torch.zeros(3_000, 1)], 1)
    task_rows = drawn(spiral(), 5_000, 1)
    more = torch.cat([task_rows[0], torch.zeros(5_000, 1)], 1), task_rows[1]
    assert bound(fitted(constant, y), *more) == pytest.approx(
        bound(fitted(x, y), *task_rows), abs=0.05
    )
