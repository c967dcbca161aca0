"""Tasks: the truth by two roads, the optimal critic's two identities, sampling, refusals."""

import dataclasses
import importlib
import itertools
import json
import math
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import mine.tasks
from mine.tasks import (
    FUNCTIONS,
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
    NamedFunction,
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
    functions,
    quadrature,
    register_function,
)

N = 40_000

# Nats per dimension of f = x, x^3, sin x, by an independent quadrature to four digits.
CHANNEL_TABLE = {
    0.01: (3.8884, 3.2329, 3.7083),
    0.1: (1.6671, 1.2495, 1.5355),
    0.2: (1.0643, 0.7322, 0.9651),
    0.3: (0.7491, 0.4695, 0.6704),
    0.4: (0.5518, 0.3177, 0.4869),
    0.5: (0.4187, 0.2256, 0.3646),
    0.6: (0.3255, 0.1670, 0.2802),
    0.7: (0.2585, 0.1279, 0.2205),
    0.8: (0.2091, 0.1007, 0.1771),
    0.9: (0.1721, 0.0812, 0.1449),
    1.0: (0.1437, 0.0668, 0.1205),
}

GAUSSIAN_TABLE = [
    (1, 0.5, 0.1438),
    (1, 0.7, 0.3367),
    (1, 0.9, 0.8304),
    (1, 0.99, 1.9585),
    (20, 0.1, 0.1005),
    (20, 0.3, 0.943),
    (20, 0.5, 2.877),
    (20, 0.7, 6.733),
    (20, 0.9, 16.607),
    (20, 0.99, 39.170),
]

SPARSE = MultivariateNormal(dim_x=3, dim_y=3, pairs=(0.8, 0.8))

# All are below 2 nats and light in the tails, where exp(T) has a usable variance.
LIGHT = [
    CorrelatedGaussian(dim=1, rho=0.9),
    CorrelatedGaussian(dim=3, rho=-0.5),
    CorrelatedGaussian(dim=1, rho=0.0),
    NoiseChannel("identity", sigma=0.3),
    NoiseChannel("cube", sigma=0.2, dim=2),
    NoiseChannel("sin", sigma=0.1),
    NoiseChannel("double", sigma=2.0, dim=2),
    Warped(NoiseChannel("cube", sigma=0.3, dim=2), map_x="cube"),
    Warped(NoiseChannel("sin", sigma=0.3), map_x="sin", map_y="double"),
    Warped(CorrelatedGaussian(dim=2, rho=0.5), map_x="cube", map_y="cube"),
    Warped(Warped(NoiseChannel("identity", sigma=0.5), map_x="double"), map_x="cube"),
    MultivariateNormal(dim_x=2, dim_y=2, within=0.5, across=0.5),
    AdditiveUniform(epsilon=0.75, dim=2),
    StepUniform(categories=5),
    JointTable(((0.2, 0.0, 0.1), (0.05, 0.4, 0.25))),
]

LISTED = [
    *LIGHT,
    MultivariateNormal(dim_x=2, dim_y=5, pairs=(0.9, 0.4), rotation=1),
    MultivariateNormal(2, 1, (0.6,), 0.3, mean=(5.0, 0.0, -3.0), scale=(0.1, 1.0, 20.0)),
    SPARSE,
    StudentT(MultivariateNormal(dim_x=1, dim_y=1), dof=1),
    StudentT(MultivariateNormal(dim_x=2, dim_y=3, within=0.5, across=0.5), dof=2),
    StudentT(MultivariateNormal(2, 2, (0.8,), rotation=3, mean=(1.0, -2.0, 3.0, 0.0)), dof=3.5),
    Warped(CorrelatedGaussian(rho=0.75), map_x="normal_cdf", map_y="normal_cdf"),
    Warped(SPARSE, map_x="half_cube", map_y="half_cube"),
    Warped(StudentT(MultivariateNormal(2, 2), dof=1), map_x="asinh", map_y="asinh"),
    Warped(
        CorrelatedGaussian(rho=0.75),
        map_x=Wiggly(((0.4, 1.0, 0.0), (0.2, 1.7, 1.0), (0.03, 3.3, -2.5))),
        map_y=MixtureMargins((0.3, 0.7), (0.0, 5.0), (1.0, 0.5)),
    ),
    Warped(SPARSE, map_x=Spiral(1 / 3), map_y=Spiral(1 / 3, (1, 2))),
    Warped(SPARSE, map_x=Rotation(4), map_y=Flow(seed=2, layers=2)),
    Warped(
        Warped(CorrelatedGaussian(dim=2, rho=0.75), map_x="normal_cdf", map_y="normal_cdf"),
        map_x=SwissRoll(),
    ),
    Folded(CorrelatedGaussian(dim=2, rho=0.8), fold_x="abs"),
    Folded(CorrelatedGaussian(rho=-0.9), fold_x="square", fold_y="abs"),
    Folded(NoiseChannel("cube", sigma=0.2), fold_x="abs", fold_y="square"),
    AdditiveUniform(epsilon=0.1),
    Mixture((MultivariateNormal(1, 1, (0.9,)), MultivariateNormal(1, 1, (-0.9,)))),
    Mixture(
        (
            MultivariateNormal(2, 1, mean=(-1.5, -1.5, -1.5)),
            MultivariateNormal(2, 1, (0.5,), scale=(1.0, 0.5, 2.0), mean=(1.5, 1.5, 1.5)),
        ),
        (0.3, 0.7),
    ),
    PairMixture(3, (-0.5, 0.0, 0.8), (0.9, -0.6, 0.3)),
    ZeroInflatedPoisson(p=0.0),
    ZeroInflatedPoisson(p=0.15),
    ClassLabel(means=(0.0, 4.0, 2.0), sigma=0.8, weights=(0.5, 0.3, 0.2)),
    Joined((StepUniform(3), SPARSE, NoiseChannel("sin", sigma=0.5))),
]


def task_classes():
    """Those of all files of mine/tasks/: dataclasses that have a truth and draw samples."""
    for module in pkgutil.iter_modules(mine.tasks.__path__, "mine.tasks."):
        for kind in vars(importlib.import_module(module.name)).values():
            own = getattr(kind, "__module__", "") == module.name and dataclasses.is_dataclass(kind)
            if own and hasattr(kind, "sample") and hasattr(kind, "mi"):
                yield kind


def of_defaults(kind):
    try:
        return kind()
    except TypeError as error:
        raise TypeError(
            f"{error}: give the fields of this task defaults, or list an instance of it in LISTED "
            "of tests/mine/tasks/test_tasks.py"
        ) from error


LISTED_CLASSES = {type(task) for task in LISTED}
FAMILY = [*LISTED, *(of_defaults(kind) for kind in task_classes() if kind not in LISTED_CLASSES)]
"""A new task is tested without being listed, by the instance that its defaults make."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def one_thread():
    """Many small tensors: threads that wait for a busy core cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def within(values: torch.Tensor, truth: float, errors: float = 4, stderr: float = 0) -> bool:
    values = values.double()
    return (
        abs(values.mean().item() - truth)
        <= errors * math.hypot(values.std().item() / math.sqrt(len(values)), stderr) + 1e-6
    )


def plain(value):
    """A task as a config holds it: targets, names, numbers and lists."""
    if dataclasses.is_dataclass(value):
        kind = type(value)
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"_target_": f"{kind.__module__}.{kind.__qualname__}", **fields}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(functions, "FUNCTIONS", dict(FUNCTIONS))
    return functions.FUNCTIONS


@pytest.mark.parametrize("task", FAMILY, ids=repr)
class TestEveryTask:
    def test_samples_are_float32_rows_of_its_dimensions(self, task):
        x, y = task.sample(5, generator())
        assert x.shape == (5, task.dim_x) and y.shape == (5, task.dim_y)
        assert x.dtype == y.dtype == torch.float32

    def test_equal_generators_draw_equal_samples_and_a_generator_moves_on(self, task):
        g = generator(7)
        first, second = task.sample(50, g), task.sample(50, g)
        again = task.sample(50, generator(7))
        assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
        assert not torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])

    def test_sampling_leaves_the_global_generator_alone(self, task):
        state = torch.get_rng_state()
        task.sample(5, generator())
        assert torch.equal(state, torch.get_rng_state())

    def test_samples_are_finite(self, task):
        x, y = task.sample(N, generator())
        assert x.isfinite().all() and y.isfinite().all()

    def test_mean_log_ratio_on_the_joint_is_mi(self, task):
        ratio = task.log_ratio(*task.sample(N, generator(1)))
        assert ratio.shape == (N,) and ratio.dtype == torch.float32
        assert within(ratio, task.mi, stderr=getattr(task, "mi_stderr", 0.0))

    def test_log_ratio_is_that_of_joint_to_independent_pairs(self, task):
        """E_p[1 / (1 + r)] = E_q[r / (1 + r)], r = p / q: bounded, whatever the tails."""
        on_joint = torch.sigmoid(-task.log_ratio(*task.sample(N, generator(1))).double())
        x, _ = task.sample(N, generator(2))
        _, y = task.sample(N, generator(3))
        on_independent = torch.sigmoid(task.log_ratio(x, y).double())
        error = math.sqrt((on_joint.var() + on_independent.var()).item() / N)
        assert abs(on_joint.mean() - on_independent.mean()) <= 4 * error + 1e-6

    def test_plain_data_give_the_task_again(self, task):
        hydra = pytest.importorskip("hydra.utils")
        config = json.loads(json.dumps(plain(task)))
        assert hydra.instantiate(config, _convert_="all") == task

    def test_a_task_is_a_value(self, task):
        assert dataclasses.replace(task) == task and hash(dataclasses.replace(task)) == hash(task)

    def test_samples_lie_in_its_support(self, task):
        for side, values in zip(
            ("support_x", "support_y"), task.sample(N, generator()), strict=True
        ):
            low, high = getattr(task, side, (-math.inf, math.inf))
            assert low - 1e-6 <= values.min() and values.max() <= high + 1e-6


@pytest.mark.parametrize("task", LIGHT, ids=repr)
def test_mean_exp_log_ratio_on_independent_pairs_is_one(task):
    x, _ = task.sample(N, generator(2))
    _, y = task.sample(N, generator(3))
    assert within(task.log_ratio(x, y).double().exp(), 1.0)


@pytest.mark.parametrize(("dim", "rho", "nats"), GAUSSIAN_TABLE)
def test_gaussian_truth_is_the_printed_one(dim, rho, nats):
    assert CorrelatedGaussian(dim, rho).mi == pytest.approx(
        nats, abs=5.1e-4 if nats > 10 else 5.1e-4 if dim > 1 else 5.1e-5
    )


@pytest.mark.parametrize("sigma", CHANNEL_TABLE)
def test_channel_truth_is_the_printed_one(sigma):
    truth = [NoiseChannel(f, sigma).mi for f in ("identity", "cube", "sin")]
    assert truth == pytest.approx(CHANNEL_TABLE[sigma], abs=5.1e-5)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0, 10.0])
def test_identity_channel_truth_is_scipy_quadrature_of_its_closed_density(sigma):
    """p(y) is a difference of normal distribution functions when f(x) = x."""

    def integrand(y: float) -> float:
        log_p = math.log(0.5) + math.log(
            max(
                stats.norm.cdf((1 - abs(y)) / sigma) - stats.norm.cdf((-1 - abs(y)) / sigma),
                1e-300,
            )
        )
        return -math.exp(log_p) * log_p

    edges = (0.0, *(1 + sigma * np.arange(-9, 10) if sigma < 0.1 else []), 1 + 9 * sigma)
    half = sum(
        integrate.quad(integrand, a, b, epsabs=1e-10, limit=400)[0]
        for a, b in itertools.pairwise(edges)
    )
    truth = 2 * half - math.log(sigma * math.sqrt(2 * math.pi * math.e))
    assert NoiseChannel("identity", sigma).mi == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("name", ["cube", "sin"])
@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_channel_truth_is_nested_scipy_quadrature(name, sigma):
    f = {"cube": lambda x: x**3, "sin": np.sin}[name]
    x = np.linspace(-1, 1, 4001)

    def entropy_density(y: float) -> float:
        p = integrate.simpson(stats.norm.pdf(y, f(x), sigma) / 2, x=x)
        return -p * math.log(p) if p > 0 else 0.0

    h = (
        2
        * integrate.quad(
            entropy_density, 0, f(1.0) + 9 * sigma, epsabs=1e-9, limit=200, points=[f(1.0)]
        )[0]
    )
    assert NoiseChannel(name, sigma).mi == pytest.approx(
        h - math.log(sigma * math.sqrt(2 * math.pi * math.e)), abs=1e-6
    )


@pytest.mark.parametrize(
    ("task", "low", "high"),
    [(NoiseChannel("cube", 0.01), 3.2, 3.3), (CorrelatedGaussian(20, 0.9), 16, 17)],
)
def test_mean_log_ratio_is_mi_where_mi_is_large(task, low, high):
    assert low < task.mi < high
    assert within(task.log_ratio(*task.sample(N, generator())), task.mi)


@pytest.mark.parametrize("name", ["identity", "cube", "sin", "double"])
@pytest.mark.parametrize("sigma", [0.01, 0.1, 10.0])
def test_channel_log_ratio_is_that_of_a_fine_riemann_sum(name, sigma):
    f = FUNCTIONS[name].fn
    x, y = NoiseChannel(name, sigma).sample(16, generator())
    x, y = torch.cat([x, x]), torch.cat([y, f(y.sign()) + 6 * sigma * y.sign()])  # and the tails
    means = f((torch.arange(200_000, dtype=torch.float64) + 0.5) / 100_000 - 1)
    log_p = torch.logsumexp(-(((y.double() - means) / sigma) ** 2) / 2, -1) - math.log(200_000)
    expected = -(((y - f(x)).double() / sigma) ** 2)[:, 0] / 2 - log_p
    log_ratio = NoiseChannel(name, sigma).log_ratio(x, y).double()
    assert torch.allclose(log_ratio, expected, atol=1e-4, rtol=1e-5)


def test_wide_noise_gives_the_small_signal_limit():
    """I -> Var(f(X)) / (2 sigma^2)."""
    assert NoiseChannel("identity", 100.0).mi == pytest.approx(1 / 3 / 2 / 100**2, rel=1e-3)


def test_narrow_noise_gives_the_entropy_of_the_signal():
    """I -> h(f(X)) - h(sigma eps), h(X) = log 2."""
    limit = math.log(2) - math.log(1e-3 * math.sqrt(2 * math.pi * math.e))
    assert NoiseChannel("identity", 1e-3).mi == pytest.approx(limit, abs=2e-3)


def test_no_noise_is_infinite_and_has_no_log_ratio():
    task = NoiseChannel("cube", sigma=0.0, dim=2)
    x, y = task.sample(5, generator())
    assert task.mi == math.inf and not hasattr(task, "log_ratio")
    assert torch.equal(y, x**3)
    assert Warped(task, map_x="cube").mi == math.inf and not hasattr(
        Warped(task, map_x="cube"), "log_ratio"
    )


@given(rho=st.floats(-0.999, 0.999), dim=st.integers(1, 30))
def test_gaussian_mi_is_even_in_rho_and_additive_over_dimensions(rho, dim):
    task = CorrelatedGaussian(dim, rho)
    assert task.mi == CorrelatedGaussian(dim, -rho).mi >= 0
    assert task.mi == pytest.approx(dim * CorrelatedGaussian(1, rho).mi)


@settings(max_examples=25)
@given(
    name=st.sampled_from(["identity", "cube", "sin", "double"]),
    sigma=st.floats(0.02, 5),
    factor=st.floats(1.05, 2),
    dim=st.integers(1, 5),
)
def test_channel_mi_falls_with_sigma_and_is_additive_over_dimensions(name, sigma, factor, dim):
    task = NoiseChannel(name, sigma)
    assert task.mi > NoiseChannel(name, sigma * factor).mi > 0
    assert NoiseChannel(name, sigma, dim).mi == pytest.approx(dim * task.mi)


@settings(max_examples=15)
@given(sigma=st.floats(0.02, 5))
def test_doubling_the_signal_is_halving_the_noise(sigma):
    assert NoiseChannel("double", 2 * sigma).mi == pytest.approx(
        NoiseChannel("identity", sigma).mi, abs=2e-6
    )


@pytest.mark.parametrize("name", ["identity", "cube", "sin", "double"])
def test_a_channel_warped_by_its_own_function_keeps_mi_and_y(name):
    base = NoiseChannel(name, sigma=0.3, dim=2)
    warped = Warped(base, map_x=name)
    (x, y), (u, v) = base.sample(9, generator()), warped.sample(9, generator())
    assert warped.mi == base.mi
    assert torch.equal(u, FUNCTIONS[name].fn(x)) and torch.equal(v, y)
    assert torch.allclose(warped.log_ratio(u, v), base.log_ratio(x, y), atol=1e-4)


def test_a_user_function_joins_the_channel_and_its_own_warp_needs_no_injectivity(registry):
    register_function("square", lambda x: x**2)
    base = NoiseChannel("square", sigma=0.1)
    assert within(base.log_ratio(*base.sample(N, generator())), base.mi)
    assert base.mi < NoiseChannel("identity", sigma=0.1).mi
    self_equitable = Warped(base, map_x="square")
    assert self_equitable.mi == base.mi and not hasattr(self_equitable, "log_ratio")
    with pytest.raises(
        ValueError,
        match=r"map_y to be injective on the support \(-inf, inf\), got 'square'.*no interval",
    ):
        Warped(base, map_y="square")


def test_a_user_function_with_an_inverse_warps_with_a_log_ratio(registry):
    register_function("tanh", torch.tanh, injective_on=(-math.inf, math.inf), inverse=torch.atanh)
    warped = Warped(CorrelatedGaussian(1, 0.5), map_x="tanh")
    assert warped.support_x == (-1, 1)
    assert within(warped.log_ratio(*warped.sample(N, generator())), warped.mi)


def test_a_kinked_function_converges(registry):
    register_function("abs", torch.abs)
    folded = NoiseChannel(
        "abs", sigma=0.1
    ).mi  # uniform on (0, 1): the identity channel at twice the noise
    assert folded == pytest.approx(NoiseChannel("identity", sigma=0.2).mi, abs=1e-6)


def test_registering_again_the_same_function_is_allowed_and_another_is_not(registry):
    register_function("tanh", torch.tanh)
    register_function("tanh", torch.tanh)
    with pytest.raises(
        ValueError, match="expected a new function name, got 'tanh'.*choose another name"
    ):
        register_function("tanh", torch.sin)


@pytest.mark.parametrize(
    "fn", [lambda x: x.sum(), lambda x: x.numpy().tolist(), torch.log, lambda x: x.cumsum(0)]
)
def test_a_function_that_is_not_elementwise_and_finite_is_refused(registry, fn):
    with pytest.raises(
        ValueError,
        match="expected an elementwise map of tensors, finite on .*, got 'bad'.*torch functions",
    ):
        register_function("bad", fn)


def test_an_empty_interval_is_refused(registry):
    with pytest.raises(ValueError, match=r"expected injective_on as \(low, high\), got \(1, -1\)"):
        register_function("tanh", torch.tanh, injective_on=(1, -1))


def test_a_function_whose_truth_does_not_settle_is_refused(monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "rough", NamedFunction(lambda x: torch.sin(1e6 * x)))
    monkeypatch.setattr(quadrature, "WORK", 5e7)
    with pytest.raises(
        ValueError,
        match="converges to 1e-07 nats, got a last step of .* at sigma=1.0.*varies less",
    ):
        _ = NoiseChannel("rough", sigma=1.0).mi


@pytest.mark.parametrize("rho", [2, 1, -1.0, math.nan, math.inf, "0.5", True, None])
def test_rho_outside_the_open_interval_is_refused(rho):
    with pytest.raises(
        ValueError, match=r"expected rho in the open interval \(-1, 1\), got .*take e.g. 0.99"
    ):
        CorrelatedGaussian(rho=rho)


@pytest.mark.parametrize("dim", [0, -1, 2.0, True, "2", None])
@pytest.mark.parametrize("task", [CorrelatedGaussian, NoiseChannel])
def test_dim_below_one_or_not_an_integer_is_refused(task, dim):
    with pytest.raises(
        ValueError, match="expected dim to be an integer >= 1, got .*counts the coordinates"
    ):
        task(dim=dim)


@pytest.mark.parametrize("sigma", [-0.1, math.nan, math.inf, "0.1", False, None])
def test_sigma_negative_or_not_finite_is_refused(sigma):
    with pytest.raises(ValueError, match="expected a finite sigma >= 0, got .*e.g. 0.5"):
        NoiseChannel(sigma=sigma)


def test_sigma_below_the_quadrature_is_refused():
    with pytest.raises(
        ValueError, match="expected sigma = 0 or sigma >= 2e-05 for 'identity', got 1e-09.*or 0"
    ):
        NoiseChannel(sigma=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: NoiseChannel(function="cosh"),
        lambda: Warped(NoiseChannel(), map_x="cosh"),
        lambda: Warped(NoiseChannel(), map_y="cosh"),
    ],
)
def test_an_unknown_function_is_refused_with_the_known_names(make):
    with pytest.raises(
        ValueError,
        match="expected a function among .*cube.*double.*identity.*sin.*'cosh'.*register_function",
    ):
        make()


def test_a_map_that_is_injective_elsewhere_only_is_refused():
    assert Warped(NoiseChannel(), map_x="sin").mi == NoiseChannel().mi
    for make in (
        lambda: Warped(NoiseChannel(), map_y="sin"),
        lambda: Warped(CorrelatedGaussian(), map_x="sin"),
        lambda: Warped(Warped(NoiseChannel(), map_x="double"), map_x="sin"),
    ):
        with pytest.raises(
            ValueError,
            match="injective on the support .*, got 'sin'.*may lose information.*'cube'",
        ):
            make()


def test_a_base_that_is_no_task_is_refused():
    with pytest.raises(ValueError, match="expected base to be a task, got dict: .*_target_"):
        Warped({"function": "cube"})  # type: ignore[arg-type]


def test_hydra_builds_a_warped_channel_from_its_fields():
    hydra = pytest.importorskip("hydra.utils")
    base = {"_target_": "mine.tasks.NoiseChannel", "function": "cube", "sigma": 0.1, "dim": 2}
    task = hydra.instantiate({"_target_": "mine.tasks.Warped", "base": base, "map_x": "cube"})
    assert task == Warped(NoiseChannel("cube", 0.1, 2), map_x="cube")


def test_tasks_import_no_bound_critic_or_training():
    code = "import sys, mine.tasks; print([m for m in sys.modules if m.startswith('mine.')])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert not {"bounds", "critics", "training"} & {name.rpartition(".")[2] for name in eval(out)}


@pytest.mark.cuda
@pytest.mark.parametrize("task", FAMILY, ids=repr)
def test_samples_and_log_ratio_stay_on_the_generators_device(task):
    x, y = task.sample(N, torch.Generator("cuda").manual_seed(0))
    assert x.is_cuda and y.is_cuda
    assert within(task.log_ratio(x, y).cpu(), task.mi, stderr=getattr(task, "mi_stderr", 0.0))
