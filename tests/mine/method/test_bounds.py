"""Bounds at the optimal critic, and the gradient of Eq. 12."""

import math
from functools import lru_cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.method.bounds import (
    DV,
    MINE,
    MINE_F,
    Objective,
    by_row,
    club,
    cross_fitted_tuba,
    difference_of_entropies,
    donsker_varadhan,
    ema_init,
    ema_update,
    f_divergence,
    hellinger,
    infonce,
    interpolated,
    interpolation,
    jensen_shannon,
    likelihood,
    likelihoods,
    log_mean_exp,
    mean_log_ratio,
    normalised_surrogate,
    regularised,
    remine,
    smile,
    tuba,
)
from mine.method.method import METHODS
from mine.tasks import CorrelatedGaussian, NoiseChannel

TASKS = [
    CorrelatedGaussian(1, 0.0),
    CorrelatedGaussian(1, 0.9),
    CorrelatedGaussian(5, -0.5),
    NoiseChannel("cube", 0.4, 2),
    NoiseChannel("sin", 0.7, 1),
]
REPEATS, ROWS, PARTNERS = 40, 2000, 4
numbers = st.floats(-20, 20)
values = st.lists(numbers, min_size=2, max_size=30)


@st.composite
def paired_values(draw):
    """T on n joint pairs and on m marginal pairs of each."""
    n, m = draw(st.integers(2, 8)), draw(st.integers(1, 5))
    joint = draw(st.lists(numbers, min_size=n, max_size=n))
    marginal = draw(st.lists(numbers, min_size=m * n, max_size=m * n))
    return torch.tensor(joint).double(), torch.tensor(marginal).double()


@lru_cache
def samples(task, m=PARTNERS, rows=ROWS):
    """x (R N, dx), y, and m independent partners of each row, (m, R N, dy), in R data sets."""
    g = torch.Generator().manual_seed(0)
    n = REPEATS * rows
    x, y = task.sample(n, g)
    return x, y, torch.stack([task.sample(n, g)[1] for _ in range(m)])


@lru_cache
def optimal_values(task, m=PARTNERS, rows=ROWS):
    """The log-ratio on R data sets: t_joint (R, N) and t_marginal (R, m N)."""
    x, y, partners = samples(task, m, rows)
    t_marginal = torch.stack([task.log_ratio(x, p).view(REPEATS, rows) for p in partners], 1)
    return task.log_ratio(x, y).view(REPEATS, rows).double(), t_marginal.flatten(1).double()


def mean_and_error(found):
    """Of a value over the data sets."""
    return found.mean().item(), found.std().item() / REPEATS**0.5


def of_x(task):
    """An arbitrary function C(x) of the row, on joint and on marginal pairs."""
    c = torch.sin(3 * samples(task)[0][:, 0]).view(REPEATS, ROWS).double()
    return c, c.repeat(1, PARTNERS)


TIGHT = {
    "dv": lambda j, m, c: donsker_varadhan(j, m),
    "dv, T + 3": lambda j, m, c: donsker_varadhan(3 + j, 3 + m),
    "f_divergence": lambda j, m, c: f_divergence(1 + j, 1 + m),
    "tuba, a = e^3": lambda j, m, c: tuba(3 + j, 3 + m, torch.full_like(j, 3.0)),
    "tuba, a(x)": lambda j, m, c: tuba(j + c[0], m + c[1], c[0]),
    "cross_fitted_tuba, T - 2": lambda j, m, c: cross_fitted_tuba(j - 2, m - 2),
    "regularised": lambda j, m, c: regularised(j, m, 0.1),
    "regularised, b = 2": lambda j, m, c: regularised(2 + j, 2 + m, 0.1, 2.0),
    "smile, tau = 20": lambda j, m, c: smile(j, m, 20.0),
    "mean_log_ratio": lambda j, m, c: mean_log_ratio(j, m),
    "mean_log_ratio, offset 1": lambda j, m, c: mean_log_ratio(1 + j, m, 1.0),
}


@pytest.mark.parametrize("task", TASKS, ids=repr)
@pytest.mark.parametrize("name", TIGHT)
def test_a_bound_is_tight_at_its_optimal_critic(name, task):
    mean, error = mean_and_error(TIGHT[name](*optimal_values(task), of_x(task)))
    assert abs(mean - task.mi) < 4 * error + 1e-3


LOWER = {
    "dv": donsker_varadhan,
    "f_divergence": f_divergence,
    "cross_fitted_tuba": cross_fitted_tuba,
    "regularised": regularised,
    "infonce": infonce,
    "interpolated": interpolated,
    "interpolated, alpha = 0.5": lambda j, m: interpolated(j, m, 0.5),
    "interpolated, alpha = 1": lambda j, m: interpolated(j, m, 1.0),
}
DISTORTIONS = {
    "half": lambda t: 0.5 * t,
    "wavy": lambda t: t + torch.sin(3 * t),
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("name", LOWER)
@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_a_lower_bound_is_below_the_truth_at_another_critic(name, distortion):
    task = CorrelatedGaussian(1, 0.9)
    joint, marginal = (1 + DISTORTIONS[distortion](t) for t in optimal_values(task))
    assert LOWER[name](joint, marginal).mean() < task.mi - 0.02


@pytest.mark.parametrize("name", LOWER)
@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_a_lower_bound_is_not_above_the_truth_at_the_log_ratio(name, task):
    joint, marginal = (1 + t for t in optimal_values(task))
    mean, error = mean_and_error(LOWER[name](joint, marginal))
    assert mean < task.mi + 4 * error + 1e-3


def test_the_cross_fitted_value_is_below_the_truth_on_average_where_dv_is_above():
    """Eight rows of one partner each: the log of a mean of few terms is too small."""
    task = CorrelatedGaussian(1, 0.9)
    t_joint, t_marginal = (t[:, :ROWS].reshape(-1, 8) for t in optimal_values(task))
    few = len(t_joint) ** 0.5
    dv, tuba_ = donsker_varadhan(t_joint, t_marginal), cross_fitted_tuba(t_joint, t_marginal)
    assert dv.mean() > task.mi + 4 * dv.std() / few
    assert tuba_.mean() < task.mi + 4 * tuba_.std() / few


def test_infonce_tends_to_the_truth_as_partners_grow():
    task = CorrelatedGaussian(1, 0.5)
    t_joint, t_marginal = optimal_values(task, 60, 500)
    gaps = []
    for m in (1, 4, 15, 60):
        mean, error = mean_and_error(infonce(t_joint, t_marginal[:, : m * 500]))
        assert mean < task.mi + 4 * error
        gaps.append(task.mi - mean)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.01


@given(paired_values())
def test_infonce_never_exceeds_log_of_one_more_than_its_partners(t):
    m = len(t[1]) // len(t[0])
    assert infonce(*t) <= math.log(1 + m) + 1e-9


@given(paired_values(), st.floats(0.001, 1.0))
def test_the_interpolated_bound_never_exceeds_its_ceiling(t, alpha):
    m = len(t[1]) // len(t[0])
    ceiling = METHODS[f"interpolated(alpha={alpha})"].ceiling(m)
    assert interpolated(*t, alpha) <= ceiling + 1e-9


@given(paired_values())
def test_the_interpolated_bound_is_the_f_form_at_alpha_0(t):
    assert interpolated(*t, 0.0).item() == pytest.approx(f_divergence(*t).item(), rel=1e-9)


@given(paired_values())
def test_the_interpolated_bound_is_infonce_with_one_partner_less_at_alpha_1(t):
    rows = by_row(*t)
    m = len(rows)
    fewer = [torch.cat([rows[:j], rows[j + 1 :]]) for j in range(m)]
    if m == 1:
        wanted = 0.0
    else:
        wanted = torch.stack([infonce(t[0], f.flatten()) for f in fewer]).mean().item()
    assert interpolated(*t, 1.0).item() == pytest.approx(wanted, abs=1e-9)


def test_a_small_alpha_costs_little_and_halves_the_error():
    task = CorrelatedGaussian(1, 0.9)
    t = tuple(1 + v for v in optimal_values(task))
    assert task.mi - interpolated(*t, 0.01).mean() < 0.02
    task = CorrelatedGaussian(5, 0.8)
    t = tuple(1 + v for v in optimal_values(task))
    assert interpolated(*t, 0.1).std() < 0.5 * f_divergence(*t).std()


@given(paired_values(), paired_values())
def test_infonce_ignores_a_function_of_x(t, other):
    n = min(len(t[0]), len(other[0]))
    t_joint, rows, c = t[0][:n], by_row(*t)[:, :n], other[0][:n]
    moved = infonce(t_joint + c, (rows + c).flatten())
    assert moved.item() == pytest.approx(infonce(t_joint, rows.flatten()).item(), abs=1e-9)


@pytest.mark.parametrize("bound", [donsker_varadhan, cross_fitted_tuba, infonce])
@given(paired_values(), st.floats(-500, 500))
def test_a_constant_shift_is_ignored(bound, t, shift):
    moved = bound(t[0] + shift, t[1] + shift)
    assert moved.item() == pytest.approx(bound(*t).item(), rel=1e-6, abs=1e-7)


@given(values, values)
def test_dv_is_never_below_the_f_form(joint, marginal):
    t_joint, t_marginal = torch.tensor(joint).double(), torch.tensor(marginal).double()
    assert donsker_varadhan(t_joint, t_marginal) >= f_divergence(t_joint, t_marginal) - 1e-6


@given(paired_values(), st.floats(-5, 5))
def test_dv_is_never_below_tuba_with_a_constant_baseline(t, c):
    assert donsker_varadhan(*t) >= tuba(*t, torch.full_like(t[0], c)) - 1e-6


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


def log_densities(task):
    """log p(y | x) on joint and on marginal pairs, and log p(y) of the partners: y is normal."""
    _, y, partners = samples(task)
    normal = torch.distributions.Normal(0.0, 1.0)
    log_y = normal.log_prob(y).sum(-1).view(REPEATS, ROWS).double()
    log_partners = [normal.log_prob(p).sum(-1).view(REPEATS, ROWS) for p in partners]
    log_other = torch.stack(log_partners, 1).flatten(1).double()
    t_joint, t_marginal = optimal_values(task)
    return t_joint + log_y, t_marginal + log_other, log_other


@pytest.mark.parametrize("task", [t for t in TASKS if isinstance(t, CorrelatedGaussian)], ids=repr)
def test_club_at_the_true_density_is_the_truth_and_the_reverse_divergence(task):
    """I + KL(p(x) p(y) || p(x, y)) = d rho^2 / (1 - rho^2): an upper bound that is not tight."""
    joint, marginal, _ = log_densities(task)
    mean, error = mean_and_error(club(joint, marginal))
    assert abs(mean - task.dim * task.rho**2 / (1 - task.rho**2)) < 4 * error + 1e-6
    assert mean > task.mi - 4 * error - 1e-6


@pytest.mark.parametrize("task", [t for t in TASKS if isinstance(t, CorrelatedGaussian)], ids=repr)
def test_the_difference_of_entropies_is_the_truth_at_the_true_densities(task):
    joint, _, other = log_densities(task)
    mean, error = mean_and_error(difference_of_entropies(joint, other))
    assert abs(mean - task.mi) < 4 * error + 1e-6


def test_likelihoods_are_greatest_at_the_true_densities():
    joint, _, other = log_densities(CorrelatedGaussian(1, 0.9))
    for s in (0.8, 1.25):  # a normal density of another width: log N(y; 0, s) in place of log N(y)
        wrong = other / s**2 - math.log(s) + (1 / s**2 - 1) * 0.5 * math.log(2 * math.pi)
        assert likelihoods(joint, wrong).mean() < likelihoods(joint, other).mean() - 0.01
    assert likelihood(joint, other).mean() == joint.mean(-1).mean()


def test_marginal_values_are_filed_under_their_rows():
    t_joint, t_marginal = torch.zeros(2, 3), torch.arange(12.0).expand(2, 12)
    rows = by_row(t_joint, t_marginal)
    assert rows.shape == (2, 4, 3)
    assert rows[1, :, 2].tolist() == [2, 5, 8, 11]


@pytest.mark.parametrize("found", [0, 7])
def test_rows_without_as_many_partners_each_are_refused(found):
    with pytest.raises(
        ValueError, match=f"m marginal values for each of 3 joint ones, got {found}"
    ):
        infonce(torch.zeros(3), torch.zeros(found))


def test_one_row_has_no_halves():
    with pytest.raises(ValueError, match="two rows or more"):
        cross_fitted_tuba(torch.zeros(1), torch.zeros(4))


def test_log_mean_exp_does_not_overflow():
    t = torch.tensor([100.0, 1000.0, -1000.0])
    assert log_mean_exp(t).item() == pytest.approx(1000 - math.log(3))


EVERY_BOUND = {
    **LOWER,
    "smile": smile,
    "mean_log_ratio": mean_log_ratio,
    "club": club,
    "difference_of_entropies": difference_of_entropies,
    "jensen_shannon": jensen_shannon,
    "hellinger": hellinger,
    "likelihood": likelihood,
    "likelihoods": likelihoods,
    **{f"curve of {name}": m.bound for name, m in METHODS.items() if m.objective},
    **{f"criterion of {name}": m.criterion for name, m in METHODS.items() if m.objective},
}


@pytest.mark.parametrize("name", EVERY_BOUND)
def test_a_bound_gives_one_value_a_stacked_critic(name):
    g = torch.Generator().manual_seed(0)
    t = torch.randn(3, 4, 10, generator=g), torch.randn(3, 4, 20, generator=g)
    stacked = EVERY_BOUND[name](*t)
    assert stacked.shape == (3, 4)
    for i, j in ((0, 0), (1, 2), (2, 3)):
        torch.testing.assert_close(stacked[i, j], EVERY_BOUND[name](*(v[i, j] for v in t)))


# Eq. 12: G = E_B[grad T] - E_B[grad T e^T] / EMA, checked by autograd in float64.


def linear_critic(theta, features):
    """T(z) = theta . z: its gradient in theta is z, so Eq. 12 can be written down by hand."""
    return features @ theta


def eq_12(theta, joint, marginal, average):
    weights = torch.exp(linear_critic(theta, marginal)) / average
    return joint.mean(0) - (weights[:, None] * marginal).mean(0)


def surrogate_gradient(objective, theta, joint, marginal, state, rate):
    theta = theta.clone().requires_grad_()
    t_joint = linear_critic(theta, joint)[None]
    t_marginal = linear_critic(theta, marginal)[None]
    surrogate, state = objective.surrogate(t_joint, t_marginal, state, rate)
    (gradient,) = torch.autograd.grad(surrogate.sum(), theta)
    return gradient, state


def batches(steps=6, seed=3):
    g = torch.Generator().manual_seed(seed)
    theta = torch.randn(4, generator=g).double()
    return theta, [
        (torch.randn(8, 4, generator=g).double(), torch.randn(12, 4, generator=g).double())
        for _ in range(steps)
    ]


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_mines_gradient_is_eq_12_with_the_debiased_average(rate):
    theta, data = batches()
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    total, weight = 0.0, 0.0
    for joint, marginal in data:
        total = (1 - rate) * total + rate * torch.exp(linear_critic(theta, marginal)).mean()
        weight = (1 - rate) * weight + rate
        found, state = surrogate_gradient(
            MINE, theta, joint, marginal, state, torch.tensor([rate], dtype=torch.float64)
        )
        wanted = eq_12(theta, joint, marginal, total / weight)
        torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10)


def test_mines_first_gradient_is_the_plain_one():
    """An average that starts at 0 without debiasing would be 1 / rate times too large here."""
    theta, data = batches(1)
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    rate = torch.tensor([0.01]).double()
    mine, _ = surrogate_gradient(MINE, theta, *data[0], state, rate)
    plain, _ = surrogate_gradient(DV, theta, *data[0], (), rate)
    torch.testing.assert_close(mine, plain, rtol=1e-8, atol=1e-10)


def test_mines_gradient_is_the_plain_one_when_the_average_is_the_batch_mean():
    theta, data = batches(3)
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    rate = torch.ones(1).double()
    for joint, marginal in data:
        mine, state = surrogate_gradient(MINE, theta, joint, marginal, state, rate)
        plain, _ = surrogate_gradient(DV, theta, joint, marginal, (), rate)
        torch.testing.assert_close(mine, plain, rtol=1e-8, atol=1e-10)


def test_mines_gradient_differs_from_the_plain_one_later_on():
    theta, data = batches(3)
    state = tuple(s.double() for s in MINE.init(1, torch.device("cpu")))
    rate = torch.tensor([0.01]).double()
    for joint, marginal in data:
        mine, state = surrogate_gradient(MINE, theta, joint, marginal, state, rate)
    plain, _ = surrogate_gradient(DV, theta, joint, marginal, (), rate)
    assert (mine - plain).abs().max() > 1e-3


def test_the_plain_surrogates_gradient_is_the_dv_bounds():
    theta, data = batches(1)
    joint, marginal = data[0]
    found, _ = surrogate_gradient(DV, theta, joint, marginal, (), torch.ones(1).double())
    leaf = theta.clone().requires_grad_()
    dv = donsker_varadhan(linear_critic(leaf, joint), linear_critic(leaf, marginal))
    torch.testing.assert_close(found, torch.autograd.grad(dv, leaf)[0])


def test_mine_f_ascends_its_own_bound():
    theta, data = batches(1)
    joint, marginal = data[0]
    found, _ = surrogate_gradient(MINE_F, theta, joint, marginal, (), torch.ones(1).double())
    wanted = eq_12(theta, joint, marginal, math.e)
    torch.testing.assert_close(found, wanted)


def test_the_moving_average_keeps_no_graph():
    t_joint, t_marginal = torch.randn(2, 5), torch.randn(2, 5, requires_grad=True)
    state = MINE.init(2, torch.device("cpu"))
    for _ in range(3):
        _, state = MINE.surrogate(t_joint, t_marginal, state, torch.full((2,), 0.01))
    assert not any(s.requires_grad for s in state)


def test_the_log_normaliser_is_a_constant_of_the_differentiation():
    c = torch.zeros(2, requires_grad=True)
    t = torch.randn(2, 5, requires_grad=True)
    normalised_surrogate(t, t, c).sum().backward()
    assert c.grad is None


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=40), st.floats(1e-4, 1.0))
def test_the_moving_average_stays_between_what_it_has_seen(log_means, rate):
    state = ema_init((1,))
    state = tuple(s.double() for s in state)
    for log_mean in log_means:
        log_average, state = ema_update(
            state,
            torch.tensor([log_mean], dtype=torch.float64),
            torch.tensor([rate], dtype=torch.float64),
        )
    assert min(log_means) - 1e-6 <= log_average.item() <= max(log_means) + 1e-6


def test_cells_of_a_stack_have_averages_of_their_own():
    rates, means = torch.tensor([0.01, 0.5]), torch.tensor([[1.0, -3.0], [4.0, 2.0]])
    stacked = ema_init((2,))
    for mean in means:
        together, stacked = ema_update(stacked, mean, rates)
    for k in range(2):
        alone = ema_init((1,))
        for mean in means:
            single, alone = ema_update(alone, mean[k : k + 1], rates[k : k + 1])
        assert single.item() == together[k].item()


OBJECTIVES = {
    **{name: m.objective for name, m in METHODS.items() if m.objective},
    "plain dv": DV,
    "remine, strong": remine(2.0, -1.0),
    "interpolation, alpha = 1": interpolation(1.0),
}
AUTOGRAD_ONLY = {"interpolated", "interpolation, alpha = 1"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_descent_is_minus_the_surrogates_gradient(name):
    """Closed forms are autograd's, step after step, for each cell of a stack."""
    objective = OBJECTIVES[name]
    assert (objective.closed_form is None) == (name in AUTOGRAD_ONLY)
    g = torch.Generator().manual_seed(1)
    state = other = tuple(s.double() for s in objective.init(3, torch.device("cpu")))
    rate = torch.tensor([0.1, 0.5, 1.0]).double()
    for _ in range(3):
        t = [torch.randn(3, n, generator=g, dtype=torch.float64) * 2 for n in (6, 12)]
        leaves = [v.clone().requires_grad_() for v in t]
        surrogate, state = objective.surrogate(*leaves, state, rate)
        assert surrogate.shape == (3,)
        wanted = torch.autograd.grad(-surrogate.sum(), leaves, materialize_grads=True)
        with torch.no_grad():
            *found, other = objective.descent(*t, other, rate)
        torch.testing.assert_close(tuple(found), wanted)
        torch.testing.assert_close(other, state)
        assert not any(v.requires_grad for v in (*found, *other))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_small_step_along_the_descent_raises_what_is_ascended(name):
    objective = OBJECTIVES[name]
    g = torch.Generator().manual_seed(2)
    state, rate = objective.init(2, torch.device("cpu")), torch.ones(2)
    t = [torch.randn(2, n, generator=g) for n in (8, 16)]
    *down, _ = objective.descent(*t, state, rate)
    bound = donsker_varadhan if state else None  # MINE's surrogate has no value of its own

    def value(*t):
        return bound(*t) if bound else objective.surrogate(*t, (), rate)[0]

    if name in ("dv", "plain dv"):
        bound = donsker_varadhan
    moved = [v - 1e-2 * d for v, d in zip(t, down, strict=True)]
    assert (value(*moved) > value(*t)).all()


def test_any_surrogate_is_an_objective():
    """State in and out, without a closed form: a running sum of what it has seen."""

    def surrogate(t_joint, t_marginal, state, rate):
        seen = state[0] + t_joint.mean(-1)
        return seen * t_marginal.mean(-1), (seen,)

    objective = Objective(surrogate, init=lambda k, device: (torch.zeros(k, device=device),))
    t_joint, t_marginal = torch.ones(2, 4), torch.full((2, 8), 3.0)
    state = objective.init(2, torch.device("cpu"))
    for step in (1.0, 2.0):
        g_joint, g_marginal, state = objective.descent(t_joint, t_marginal, state, torch.ones(2))
        torch.testing.assert_close(g_joint, torch.full((2, 4), -3.0 / 4))
        torch.testing.assert_close(g_marginal, torch.full((2, 8), -step / 8))
        assert not state[0].requires_grad
