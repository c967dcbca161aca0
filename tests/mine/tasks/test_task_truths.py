"""Truths of the task families by a second road: scipy's densities, quadrature, sums, margins."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from mine.tasks import (
    AdditiveUniform,
    ClassLabel,
    CorrelatedGaussian,
    Flow,
    Folded,
    Joined,
    JointTable,
    Mixture,
    MixtureMargins,
    MultivariateNormal,
    NoiseChannel,
    PairMixture,
    Rotation,
    Spiral,
    StepUniform,
    StudentT,
    SwissRoll,
    Warped,
    Wiggly,
    ZeroInflatedPoisson,
    mixture,
)

N = 20_000
LOG2 = math.log(2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def within(values: np.ndarray, truth: float, stderr: float = 0.0) -> bool:
    error = math.hypot(values.std() / math.sqrt(len(values)), stderr)
    return bool(abs(values.mean() - truth) <= 4 * error)


# Normal and Student

DISPERSIONS = [
    MultivariateNormal(2, 2, within=0.5, across=0.5),
    MultivariateNormal(3, 3, (0.8, 0.8), within=0.1),
    MultivariateNormal(2, 4, (0.9, 0.4), rotation=7),
    MultivariateNormal(1, 2, (0.5,), mean=(1.0, 2.0, 3.0), scale=(0.1, 3.0, 1.0)),
    MultivariateNormal(4, 1, (0.3,), within=-0.2, across=0.1, rotation=0),
]


@pytest.mark.parametrize("dof", [math.inf, 1, 2, 3, 5, 0.7])
@pytest.mark.parametrize("normal", DISPERSIONS, ids=repr)
def test_elliptical_truth_and_log_ratio_are_scipys(normal, dof):
    """I = h(X) + h(Y) - h(X, Y), and log p(x, y) - log p(x) - log p(y), by scipy."""
    task = normal if dof == math.inf else StudentT(normal, dof)
    dx, s = task.dim_x, normal.covariance
    mean = np.array(normal.mean or [0.0] * len(s))

    def density(i: slice):
        if dof == math.inf:
            return stats.multivariate_normal(mean[i], s[i, i])
        return stats.multivariate_t(mean[i], s[i, i], df=dof)

    of_x, of_y, of_both = density(slice(dx)), density(slice(dx, None)), density(slice(None))
    assert task.mi == pytest.approx(of_x.entropy() + of_y.entropy() - of_both.entropy(), abs=1e-9)
    x, y = (v.double().numpy() for v in task.sample(N, generator()))
    ratio = of_both.logpdf(np.hstack([x, y])) - of_x.logpdf(x) - of_y.logpdf(y)
    assert within(ratio, task.mi)
    ours = task.log_ratio(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    assert np.allclose(ours, ratio, atol=1e-7)


@pytest.mark.parametrize("normal", DISPERSIONS, ids=repr)
def test_normal_samples_have_the_mean_and_covariance(normal):
    z = torch.cat(normal.sample(4 * N, generator(5)), 1).double().numpy()
    scale = np.sqrt(np.diag(normal.covariance))
    mean = np.array(normal.mean or [0.0] * len(scale))
    assert np.allclose((z.mean(0) - mean) / scale, 0, atol=4.5 / math.sqrt(4 * N))
    off = (np.cov(z.T) - normal.covariance) / np.outer(scale, scale)
    assert np.allclose(off, 0, atol=4.5 * math.sqrt(2 / (4 * N)))


@given(
    pairs=st.lists(st.floats(-0.95, 0.95), max_size=3),
    seed=st.none() | st.integers(0, 1000),
)
def test_pairs_are_the_canonical_correlations_whatever_the_rotation(pairs, seed):
    task = MultivariateNormal(3, 4, pairs, rotation=seed)
    s = task.covariance
    root_x, root_y = np.linalg.cholesky(s[:3, :3]), np.linalg.cholesky(s[3:, 3:])
    cross = np.linalg.solve(root_x, s[:3, 3:]) @ np.linalg.inv(root_y).T
    found = np.linalg.svd(cross, compute_uv=False)[: len(pairs)]
    assert np.allclose(found, sorted(map(abs, pairs), reverse=True), atol=1e-7)
    assert task.mi == pytest.approx(-0.5 * sum(math.log1p(-(c**2)) for c in pairs), abs=1e-9)


def test_a_dense_normal_has_the_determinants_of_constant_correlation():
    """|R_d| = (1 - c)^(d - 1) (1 + (d - 1) c)."""

    def log_det(d: int) -> float:
        return (d - 1) * math.log(0.5) + math.log(1 + (d - 1) * 0.5)

    for d in (2, 5, 50):
        task = MultivariateNormal(d, d, within=0.5, across=0.5)
        assert task.mi == pytest.approx(log_det(d) - log_det(2 * d) / 2, abs=1e-9)


def test_the_paired_gaussian_is_a_multivariate_normal():
    one, other = CorrelatedGaussian(3, -0.6), MultivariateNormal(3, 3, [-0.6] * 3)
    x, y = one.sample(50, generator())
    assert one.mi == pytest.approx(other.mi)
    assert torch.allclose(one.log_ratio(x, y), other.log_ratio(x, y), atol=1e-5)


def test_a_student_of_many_degrees_of_freedom_is_normal():
    normal = DISPERSIONS[0]
    assert StudentT(normal, 1e7).mi == pytest.approx(normal.mi, abs=1e-6)


def test_student_margins_are_student():
    x, y = StudentT(MultivariateNormal(1, 1, (0.5,)), dof=2).sample(N, generator(3))
    for values in (x, y):
        assert stats.kstest(values[:, 0].numpy(), stats.t(2).cdf).pvalue > 1e-3


# Maps

MAPS = [
    Wiggly(((0.4, 1.0, 0.0), (0.2, 1.7, 1.0), (0.03, 3.3, -2.5))),
    MixtureMargins((0.3, 0.7), (0.0, 5.0), (1.0, 0.2)),
    Rotation(3),
    Spiral(0.5),
    Spiral(-2.0, (2, 0)),
    SwissRoll(),
    Flow(seed=1),
    Flow(seed=2, layers=1, strength=0.99),
]


@pytest.mark.parametrize("one", MAPS, ids=repr)
def test_the_inverse_undoes_the_map(one):
    x = torch.randn(500, 3, generator=generator(), dtype=torch.float64)
    x = x.sigmoid() if isinstance(one, SwissRoll) else x
    u = one(x)
    assert u.shape == (500, one.dim_out(3)) and u.dtype == torch.float64
    assert torch.allclose(one.inverse(u), x, atol=1e-8)


@pytest.mark.parametrize("one", MAPS, ids=repr)
def test_a_warped_log_ratio_is_the_bases_at_the_preimage(one):
    base = MultivariateNormal(3, 3, (0.8, 0.5), within=0.2)
    name = "normal_cdf" if isinstance(one, SwissRoll) else "identity"
    base = Warped(base, map_x=name, map_y=name)
    warped = Warped(base, map_x=one, map_y=one)
    (x, y), (u, v) = base.sample(2000, generator()), warped.sample(2000, generator())
    assert warped.mi == base.mi
    assert torch.allclose(u, one(x)) and torch.allclose(v, one(y))
    assert torch.allclose(warped.log_ratio(u, v), base.log_ratio(x, y), atol=2e-3)


@pytest.mark.parametrize("name", ["asinh", "half_cube", "normal_cdf", "cube"])
def test_a_named_function_warps_to_the_bases_log_ratio(name):
    base = CorrelatedGaussian(2, 0.75)
    (x, y), warped = base.sample(2000, generator()), Warped(base, map_x=name, map_y=name)
    assert torch.allclose(
        warped.log_ratio(*warped.sample(2000, generator())), base.log_ratio(x, y), atol=2e-3
    )


def test_normal_cdf_gives_uniform_margins_and_mixture_margins_a_mixtures():
    base = CorrelatedGaussian(1, 0.75)
    x, _ = Warped(base, map_x="normal_cdf").sample(N, generator(1))
    assert stats.kstest(x[:, 0].numpy(), "uniform").pvalue > 1e-3
    _, y = Warped(base, map_y=MixtureMargins((0.3, 0.7), (0, 5), (1, 0.2))).sample(N, generator(1))

    def cdf(u):
        return 0.3 * stats.norm.cdf(u) + 0.7 * stats.norm.cdf(u, 5, 0.2)

    assert stats.kstest(y[:, 0].numpy(), cdf).pvalue > 1e-3


@given(seed=st.integers(0, 10**6), dim=st.integers(1, 6))
def test_rotations_and_spirals_keep_lengths(seed, dim):
    x = torch.randn(20, dim, generator=generator(seed), dtype=torch.float64)
    assert torch.allclose(Rotation(seed)(x).norm(dim=1), x.norm(dim=1))
    if dim > 1:
        assert torch.allclose(Spiral(3.0)(x).norm(dim=1), x.norm(dim=1))


def test_two_seeds_give_two_flows_and_one_seed_one():
    x = torch.randn(5, 2, generator=generator())
    assert torch.equal(Flow(1)(x), Flow(1)(x)) and not torch.allclose(Flow(1)(x), Flow(2)(x))


def test_the_spiral_turns_by_speed_times_the_squared_length():
    x = torch.tensor([[2.0, 0.0, 1.0]])
    angle = 0.1 * 5
    expected = torch.tensor([[2 * math.cos(angle), 2 * math.sin(angle), 1.0]])
    assert torch.allclose(Spiral(0.1)(x), expected)


# Maps that lose information


@pytest.mark.parametrize("rho", [0.3, -0.8, 0.95])
def test_folded_gaussian_truth_is_scipys_double_quadrature(rho):
    """p(|x|, y) = N_2(x, y; rho) + N_2(-x, y; rho), p(|x|) = 2 N(x)."""
    s = math.sqrt(1 - rho**2)

    def integrand(y: float, x: float) -> float:
        both = stats_norm(y - rho * x, s) + stats_norm(y + rho * x, s)
        return stats_norm(x, 1) * both * math.log(max(both / 2 / stats_norm(y, 1), 1e-300))

    truth = integrate.dblquad(integrand, 0, 7, -7, 7, epsabs=1e-6)[0]
    base = CorrelatedGaussian(1, rho)
    assert Folded(base).mi == pytest.approx(truth, abs=2e-5)
    assert 0 < Folded(base).mi < base.mi


def stats_norm(z: float, s: float) -> float:
    return math.exp(-0.5 * (z / s) ** 2) / (s * math.sqrt(2 * math.pi))


def test_folded_channel_truth_is_a_monte_carlo_mean_with_scipys_densities():
    """Y = X + noise: p(y | |x|) averages two normals, p(y) is a difference of two CDFs."""
    task = Folded(NoiseChannel("identity", sigma=0.3), fold_x="square")
    x, y = (v[:, 0].double().numpy() for v in task.sample(N, generator()))
    r = np.sqrt(x)
    conditional = (stats.norm.pdf(y, r, 0.3) + stats.norm.pdf(y, -r, 0.3)) / 2
    marginal = (stats.norm.cdf((1 - y) / 0.3) - stats.norm.cdf((-1 - y) / 0.3)) / 2
    assert within(np.log(conditional / marginal), task.mi)
    assert 0 < task.mi < task.base.mi


@pytest.mark.parametrize("fold", ["abs", "square"])
def test_what_a_fold_forgets_is_the_same_by_abs_and_square_and_adds_over_dimensions(fold):
    base = CorrelatedGaussian(3, 0.7)
    assert Folded(base, fold).mi == pytest.approx(3 * Folded(CorrelatedGaussian(1, 0.7)).mi)
    assert Folded(base, None).mi == base.mi
    x, y = Folded(base, fold, fold).sample(50, generator())
    assert (x >= 0).all() and (y >= 0).all()


# Additive noise, joins, mixtures


@pytest.mark.parametrize("epsilon", [0.1, 0.3, 0.5, 0.75, 4.0])
def test_additive_truth_is_the_entropy_of_the_trapezoid(epsilon):
    def integrand(y: float) -> float:
        p = (min(1, y + epsilon) - max(0, y - epsilon)) / (2 * epsilon)
        return -p * math.log(p) if p > 0 else 0.0

    edges = sorted({-epsilon, epsilon, 1 - epsilon, 1 + epsilon})
    entropy = sum(integrate.quad(integrand, a, b)[0] for a, b in itertools.pairwise(edges))
    truth = entropy - math.log(2 * epsilon)
    assert AdditiveUniform(epsilon).mi == pytest.approx(truth, abs=1e-6)
    assert AdditiveUniform(epsilon, dim=3).mi == pytest.approx(3 * truth, abs=3e-6)


def test_a_join_adds_information_and_concatenates_in_order():
    parts = (CorrelatedGaussian(2, 0.5), StepUniform(3), AdditiveUniform(0.3))
    task = Joined(parts)
    x, y = task.sample(100, generator())
    assert task.mi == pytest.approx(sum(part.mi for part in parts))
    u, v = x.split([2, 1, 1], 1), y.split([2, 1, 1], 1)
    ratios = [one.log_ratio(a, b) for one, a, b in zip(parts, u, v, strict=True)]
    assert torch.allclose(task.log_ratio(x, y), torch.stack(ratios).sum(0), atol=1e-5)
    assert not hasattr(Joined((NoiseChannel(sigma=0.0), parts[0])), "log_ratio")


CROSS = Mixture((MultivariateNormal(1, 1, (0.9,)), MultivariateNormal(1, 1, (-0.9,))))
BLOBS = Mixture(
    (
        MultivariateNormal(1, 1, mean=(-1.0, 0.0), scale=(0.2, 0.5)),
        MultivariateNormal(1, 1, (0.5,), mean=(1.0, 1.0), scale=(0.5, 0.3)),
    ),
    (0.25, 0.75),
)


@pytest.mark.parametrize("task", [CROSS, BLOBS], ids=["cross", "blobs"])
def test_mixture_truth_and_log_ratio_are_those_of_scipys_densities_on_a_grid(task):
    centres = [np.array(one.mean or (0.0, 0.0)) for one in task.components]
    parts = list(zip(task.weights, task.components, centres, strict=True))

    def joint(xy):
        return sum(w * stats.multivariate_normal(m, c.covariance).pdf(xy) for w, c, m in parts)

    def margin(v, i):
        return sum(w * stats.norm.pdf(v, m[i], math.sqrt(c.covariance[i, i])) for w, c, m in parts)

    axis = np.linspace(-7, 7, 701)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    p = joint(np.stack([x, y], -1))
    q = margin(x, 0) * margin(y, 1)
    terms = np.where(p > 1e-200, p * np.log(np.maximum(p, 1e-200) / np.maximum(q, 1e-300)), 0)
    assert task.mi == pytest.approx(terms.sum() * (axis[1] - axis[0]) ** 2, abs=1e-6)
    u, v = (one.double() for one in task.sample(100, generator()))
    expected = np.log(joint(torch.cat([u, v], 1).numpy())) - np.log(
        margin(u.numpy()[:, 0], 0) * margin(v.numpy()[:, 0], 1)
    )
    assert np.allclose(task.log_ratio(u, v).numpy(), expected, atol=1e-8)


def test_a_folded_gaussian_knows_as_much_as_the_mixture_over_both_signs_of_rho():
    """Both ratios are the mean of r(x, y; rho) and r(x, y; -rho)."""
    assert Folded(CorrelatedGaussian(1, 0.9)).mi == pytest.approx(CROSS.mi, abs=1e-7)


def test_the_monte_carlo_truth_is_the_quadrature_within_its_error():
    mean, stderr = mixture._monte_carlo(CROSS)
    assert 0 < stderr < 0.003
    assert abs(mean - CROSS.mi) <= 4 * stderr and CROSS.mi_stderr == 0


def test_a_mixture_of_equals_is_its_component():
    one = MultivariateNormal(3, 2, (0.6,), within=0.2)
    task = Mixture((one, one), (0.5, 0.5))
    assert 0 < task.mi_stderr < 0.003
    assert abs(task.mi - one.mi) <= 4 * task.mi_stderr
    assert Warped(task, map_x="cube").mi_stderr == task.mi_stderr
    assert Joined((task, task)).mi_stderr == pytest.approx(math.sqrt(2) * task.mi_stderr)


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_a_mixture_of_pairs_has_the_truth_of_the_same_mixture(dim):
    task = PairMixture(dim, (-0.5, 0.0, 0.8), (0.9, -0.6, 0.3))
    tolerance = 4 * task.mixture.mi_stderr or 1e-4
    assert abs(task.mi - task.mixture.mi) <= tolerance


def test_a_mixture_of_equal_pairs_is_normal():
    task = PairMixture(32, (0.3, 0.3), (0.7, 0.7))
    assert task.mi == pytest.approx(CorrelatedGaussian(32, 0.7).mi, abs=1e-9)


def test_a_mixture_of_pairs_in_many_columns_has_the_mean_of_its_log_ratio():
    task = PairMixture(32, (-0.2, -0.1, 0.0, 0.3, 0.4), (-0.3, 0.5, 0.2, 0.4, 0.9))
    t = task.log_ratio(*task.sample(20_000, generator(3)))
    assert abs(float(t.mean()) - task.mi) <= 4 * float(t.std()) / math.sqrt(len(t))
    assert task.mi == pytest.approx(6.9, abs=0.05)  # as printed by Chen et al. 2025


def test_a_mixtures_components_are_drawn_by_weight():
    x, _ = BLOBS.sample(N, generator(2))
    low, high = stats.norm.cdf([0.0, 0.0], [-1.0, 1.0], [0.2, 0.5])
    share = 0.25 * low + 0.75 * high
    assert within((x[:, 0] < 0).double().numpy(), share)


# Discrete


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_step_truth_is_the_sum_over_unit_steps(k):
    """Y is uniform on each of k + 1 steps, of probability (labels that reach it) / 2k."""
    p = np.array([min(j, k - 1) - max(j - 1, 0) + 1 for j in range(k + 1)]) / (2 * k)
    assert StepUniform(k).mi == pytest.approx(-(p * np.log(p)).sum() - LOG2)


@pytest.mark.parametrize("p", [0.0, 0.15, 0.6])
def test_inflated_poisson_truth_is_scipys_quadrature_of_its_probabilities(p):
    k = np.arange(120)
    marginal = (1 - p) * 0.5 ** (k + 1.0)
    marginal[0] += p

    def integrand(x: float) -> float:
        given_x = (1 - p) * stats.poisson.pmf(k, x)
        given_x[0] += p
        terms = given_x * np.log(np.maximum(given_x, 1e-300) / marginal)
        return math.exp(-x) * terms.sum()

    truth = integrate.quad(integrand, 0, 40, limit=200, epsabs=1e-9)[0]
    assert ZeroInflatedPoisson(p).mi == pytest.approx(truth, abs=1e-7)


def test_the_printed_formula_holds_without_inflation_and_is_an_upper_bound_with_it():
    i = np.arange(1, 100)
    printed = 2 * LOG2 - np.euler_gamma - (np.log(i) * 0.5**i).sum()
    assert ZeroInflatedPoisson(0.0).mi == pytest.approx(printed, abs=1e-9)
    assert ZeroInflatedPoisson(0.15).mi < 0.85 * printed - 0.02


def test_inflated_poisson_counts_have_their_probabilities():
    x, y = ZeroInflatedPoisson(0.15).sample(N, generator(4))
    assert within((y == 0).double().numpy(), 0.15 + 0.85 / 2)
    assert within((y == 2).double().numpy(), 0.85 / 8)
    assert stats.kstest(x[:, 0].numpy(), "expon").pvalue > 1e-3


def test_label_truth_is_scipys_quadrature():
    task = ClassLabel((0.0, 4.0, 2.0), 0.8, (0.5, 0.3, 0.2))

    def integrand(y: float) -> float:
        p = np.dot(task.weights, stats.norm.pdf(y, task.means, task.sigma))
        return -p * math.log(p)

    entropy = integrate.quad(integrand, -8, 12, epsabs=1e-10, limit=200)[0]
    assert task.mi == pytest.approx(entropy - stats.norm(0, 0.8).entropy(), abs=1e-7)
    x, y = task.sample(N, generator())
    for label, (mean, weight) in enumerate(zip(task.means, task.weights, strict=True)):
        assert within((x == label).double().numpy(), weight)
        assert within(y[x == label].double().numpy(), mean)


def test_labels_far_apart_are_known_and_labels_of_one_mean_are_not():
    assert ClassLabel((0.0, 100.0), 1.0).mi == pytest.approx(LOG2)
    assert ClassLabel((1.0, 1.0), 1.0).mi == pytest.approx(0, abs=1e-9)


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4))
def test_table_truth_is_the_sum_of_entropies(counts):
    table = np.array(counts, dtype=float) + 0.01
    table /= table.sum()
    truth = (
        stats.entropy(table.sum(0)) + stats.entropy(table.sum(1)) - stats.entropy(table.ravel())
    )
    assert JointTable(table.tolist()).mi == pytest.approx(truth, abs=1e-9)


def test_cells_of_a_table_are_drawn_by_probability_and_empty_ones_never():
    task = JointTable(((0.2, 0.0, 0.1), (0.05, 0.4, 0.25)))
    x, y = task.sample(N, generator(1))
    for i, row in enumerate(task.table):
        for j, p in enumerate(row):
            drawn = ((x == i) & (y == j)).double().numpy()
            assert within(drawn, p) if p else drawn.sum() == 0


# Refusals

NORMAL = MultivariateNormal(2, 2)
REFUSED = [
    (lambda: MultivariateNormal(0, 2), "expected dim_x to be an integer >= 1, got 0"),
    (lambda: MultivariateNormal(2, 2.5), "expected dim_y to be an integer >= 1, got 2.5"),
    (lambda: MultivariateNormal(2, 2, (0.1, 0.1, 0.1)), r"at most min\(dim_x, dim_y\) = 2 pairs"),
    (lambda: MultivariateNormal(2, 2, "0.8"), "pairs to be a list of finite numbers, got '0.8'"),
    (lambda: MultivariateNormal(2, 2, (math.nan,)), "pairs to be a list of finite numbers"),
    (lambda: MultivariateNormal(2, 2, (1.0,)), "expected a positive definite .*nearer to 0"),
    (lambda: MultivariateNormal(2, 2, across=0.9), "positive definite .*across=0.9"),
    (lambda: MultivariateNormal(2, 2, within=None), "within to be a correlation in .*None"),
    (lambda: MultivariateNormal(2, 2, mean=(1.0,)), "mean of dim_x .* = 4 numbers or none, got 1"),
    (lambda: MultivariateNormal(1, 1, scale=(1.0, 0.0)), "expected each scale > 0"),
    (lambda: MultivariateNormal(2, 2, rotation=-1), "rotation to be a seed .*got -1"),
    (lambda: StudentT(CorrelatedGaussian(), 1), "normal to be a MultivariateNormal, got Corr"),
    (lambda: StudentT(NORMAL, 0), "expected a finite dof > 0, got 0"),
    (lambda: StudentT(NORMAL, 0.1), "expected dof >= 0.5, got 0.1"),
    (lambda: StudentT(NORMAL, math.inf), "expected a finite dof > 0, got inf"),
    (lambda: Wiggly(((0.9, 2.0, 0.0),)), r"sum \|amplitude \* frequency\| < 1.*got 1.8"),
    (lambda: Wiggly(((0.9, 0.1),)), r"each wave as \[amplitude, frequency, phase\]"),
    (lambda: Wiggly("sin"), "expected waves to be a list, got 'sin'"),
    (lambda: MixtureMargins((0.5, 0.6)), "weights to be probabilities that sum to 1.*1.1"),
    (lambda: MixtureMargins((0.5, 0.5), (0.0,)), "as many weights as means and scales"),
    (lambda: MixtureMargins(scales=(1.0, -1.0)), "weights and scales > 0"),
    (lambda: Rotation(0.5), "expected seed to be an integer >= 0, got 0.5"),
    (lambda: Spiral(math.inf), "expected a finite speed, got inf"),
    (lambda: Spiral(1.0, (1, 1)), r"plane as two coordinates, got \(1, 1\)"),
    (lambda: Warped(NORMAL, Spiral(1.0, (1, 2))), "more than 2 coordinates, got 2"),
    (lambda: Warped(NORMAL, SwissRoll()), "map_x to be injective on the support .*SwissRoll"),
    (lambda: Warped(NORMAL, map_y=3), "map_y to be a function's name or a map, got int"),
    (lambda: Flow(layers=0), "expected layers >= 1, got 0"),
    (lambda: Flow(strength=1.0), "expected strength < 1.*got 1.0"),
    (lambda: Folded(NORMAL), "base to be a CorrelatedGaussian or NoiseChannel, got Multivar"),
    (lambda: Folded(CorrelatedGaussian(), "cube"), "fold_x among .*got 'cube'.*Warped"),
    (lambda: Folded(NoiseChannel(sigma=0.0)), "a channel with noise, got sigma = 0"),
    (lambda: Folded(NoiseChannel("normal_cdf"), None, "abs"), "an odd function where y is folded"),
    (lambda: AdditiveUniform(0), "expected a finite epsilon > 0, got 0"),
    (lambda: AdditiveUniform(1e-6), "expected epsilon >= 1e-4, got 1e-06"),
    (lambda: AdditiveUniform(0.1, 0), "expected dim to be an integer >= 1, got 0"),
    (lambda: Joined(()), "tasks to be a list of one task or more"),
    (lambda: Joined((3,)), "each of tasks to be a task, got int"),
    (lambda: PairMixture(2, (0.0,), (0.5, 0.1)), "as many shifts as rhos, one or more, got 1"),
    (lambda: PairMixture(2, (), ()), "as many shifts as rhos, one or more, got 0"),
    (lambda: PairMixture(2, (0.0,), (1.0,)), "each rho in the open interval"),
    (lambda: Mixture(()), "components to be a list of MultivariateNormal"),
    (lambda: Mixture((CorrelatedGaussian(),)), "components to be a list of MultivariateNormal"),
    (lambda: Mixture((NORMAL, NORMAL), (1.0,)), "one weight > 0 for each of 2 components"),
    (lambda: Mixture((NORMAL, MultivariateNormal(1, 2))), "equal dim_x and dim_y, got"),
    (lambda: StepUniform(0), "categories to be an integer >= 1, got 0"),
    (lambda: ZeroInflatedPoisson(1.0), r"expected p in \[0, 1\), got 1.0"),
    (lambda: ClassLabel(()), "expected one mean or more, got none"),
    (lambda: ClassLabel((0.0, 1.0), 0.0), "expected a finite sigma > 0, got 0.0"),
    (lambda: ClassLabel((0.0, 1.0), 1e-6), "expected sigma >= 0.0001, got 1e-06"),
    (lambda: ClassLabel((0.0, 1.0), weights=(1.0, 0.0)), "one weight > 0 for each of 2 means"),
    (lambda: JointTable(((0.5, 0.6),)), "probabilities that sum to 1.*1.1"),
    (lambda: JointTable(((0.5,), (0.2, 0.3))), r"rows of equal length, got \[1, 2\]"),
    (lambda: JointTable(((0.5, 0.5), (0.0, 0.0))), "each row and column to have some probability"),
    (lambda: JointTable("0.5"), "table to be a list of rows"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[m[:40] for _, m in REFUSED])
def test_fields_that_make_no_task_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
