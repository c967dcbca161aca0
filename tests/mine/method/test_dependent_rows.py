"""Values and errors of rows that hang together: partners, clusters, neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma

from mine.data.dependence import Clusters
from mine.data.grouped import Grouped
from mine.data.timed import Timed
from mine.method.gaussian import gaussian, gaussian_copula
from mine.method.held_out import HeldOutValues, Influence, far_shifts, held_out_values
from mine.method.ksg import ksg


@given(st.integers(3, 300), st.integers(1, 12), st.integers(1, 40))
def test_partners_are_different_shifts_by_the_distance_or_more(n, m, distance):
    shifts = far_shifts(n, m, distance)
    least = max(1, min(distance, n // 3))
    assert len(set(shifts)) == len(shifts) == min(m, n - 2 * least + 1)
    assert all(least <= s <= n - least for s in shifts)


class Product:
    """T(x, y) = x y."""

    def values(self, x, y, pairing, keep=True):
        joint, *partners = pairing.pair(y, x.shape[1])
        return (x * joint)[..., 0], torch.cat([(x * p)[..., 0] for p in partners], 1)


@pytest.mark.parametrize("n", [50, 1300])
def test_far_values_are_those_of_each_row_and_its_partners(n):
    x, y = torch.rand(2, 2, n, 1, generator=torch.Generator().manual_seed(0))
    values = held_out_values(Product(), x, y, 3, distance=7)
    shifts = far_shifts(n, 3, 7)
    assert torch.equal(values.joint, (x * y)[..., 0])
    for j, s in enumerate(shifts):
        assert torch.equal(values.marginal[:, j], (x * y.roll(-s, 1))[..., 0])
        # The row of x that has the row r of y is s rows before it.
        assert values.met[j].tolist() == [(r - s) % n for r in range(n)]


def test_the_error_of_clusters_is_that_of_their_sums():
    rows = torch.tensor([[1.0, 2.0, -3.0, 4.0, -4.0, 0.0]])
    clusters = Clusters(torch.tensor([0, 0, 1, 1, 2, 2]), 2, 1.5, 2.0)
    found = Influence(rows, torch.ones(1, 5, 6)).clustered([clusters]).stderr()
    assert float(found) == pytest.approx(2.0 * (1.5 * 3 / 2 * (9 + 1 + 16)) ** 0.5 / 6)


def test_clusters_of_single_rows_give_the_rows_error_but_for_the_pairs():
    n = 400
    generator = torch.Generator().manual_seed(0)
    joint = torch.randn(1, n, generator=generator)
    marginal = torch.randn(1, 10, n, generator=generator)
    met = torch.stack([torch.arange(n).roll(j + 1) for j in range(10)])
    alone = Clusters(torch.arange(n), 1, 1.0, 1.0)
    plain = HeldOutValues(joint, marginal, met).error(joint, marginal)
    own = HeldOutValues(joint, marginal, met, clusters=(alone,)).error(joint, marginal)
    assert 1.0 < float(own / plain) < 1.1


def test_repeating_every_row_of_a_group_widens_the_error_by_the_root_of_its_size():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 1))
    y = 0.6 * x + 0.8 * y
    once = gaussian(x, y)
    groups = Grouped(torch.arange(300).repeat_interleave(8)).of_all(2400)
    again = gaussian(x.repeat(8, 0), y.repeat(8, 0), groups)
    assert again.stderr == pytest.approx(once.stderr, rel=0.05)
    assert again.nats == pytest.approx(once.nats, abs=0.002)
    assert gaussian(x.repeat(8, 0), y.repeat(8, 0)).stderr < 0.5 * once.stderr


@pytest.mark.parametrize("estimate", [gaussian, gaussian_copula])
def test_groups_of_one_row_change_little(estimate):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 500, 1))
    plain, own = estimate(x, y + x), estimate(x, y + x, Grouped(torch.arange(500)).of_all(500))
    assert own.nats == pytest.approx(plain.nats, abs=0.002)
    assert own.stderr == pytest.approx(plain.stderr, rel=0.05)


def test_ksg_of_groups_of_one_row_is_ksg():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 2))
    own = ksg(x, y + x, dependence=Grouped(torch.arange(300)))
    assert own.nats == ksg(x, y + x).nats
    assert own.stderr == pytest.approx(ksg(x, y + x).stderr, rel=0.02)


@pytest.mark.parametrize("dependence", [Grouped(torch.arange(60) // 3), Timed(4)])
def test_ksg_looks_for_neighbours_among_rows_that_do_not_hang_together(dependence):
    rng = np.random.default_rng(1)
    n, k = 60, 3
    x, y = rng.normal(size=(2, n))
    y = y + x
    hidden = dependence.together(np.arange(n), n)
    terms = []
    for i in range(n):
        others = np.flatnonzero(~hidden[i])
        dx, dy = abs(x[others] - x[i]), abs(y[others] - y[i])
        eps = np.sort(np.maximum(dx, dy))[k - 1]
        counts = digamma((dx < eps).sum() + 1) + digamma((dy < eps).sum() + 1)
        terms.append(digamma(k) + digamma(len(others) + 1) - counts)
    assert ksg(x, y, k, dependence=dependence).nats == pytest.approx(np.mean(terms), abs=1e-12)


def test_ksg_says_where_few_groups_make_it_fall_short_and_covers_a_value_below_0():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(40), 20)
    x, y = rng.normal(size=(2, 40))[:, who] + 0.05 * rng.normal(size=(2, 800))
    found = ksg(x, y, dependence=Grouped(torch.from_numpy(who)))
    assert any(w.startswith("40 groups or blocks: KSG falls short") for w in found.warnings)
    assert found.nats < -0.1 and abs(found.nats) <= found.stderr
    assert ksg(x, y, dependence=Timed(1)).warnings == ()


def test_ksg_refuses_rows_that_hang_together_with_nearly_all():
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    with pytest.raises(ValueError, match="expected more than k = 3 rows that a row does not hang"):
        ksg(x, y, dependence=Timed(30))
