"""The methods: each is what it says it is and finds a known value."""

import math
from dataclasses import MISSING, fields
from functools import lru_cache

import pytest
import torch
from torch import nn

import mine
from mine.method.conditional_density import likelihood, likelihoods
from mine.method.contrastive import infonce
from mine.method.donsker_varadhan import DV, MINE, donsker_varadhan
from mine.method.f_divergence import MINE_F
from mine.method.held_out import HeldOutValues
from mine.method.jensen_shannon import JS, jensen_shannon
from mine.method.method import KINDS, LOWER, NEITHER, UPPER, Method
from mine.method.names import METHODS
from mine.tasks import CorrelatedGaussian

QUICK = {"steps": 300, "hidden": (32, 32), "batch_size": 128, "learning_rate": 5e-3}
TASK = CorrelatedGaussian(1, 0.8)
CLUB = 0.8**2 / (1 - 0.8**2)  # what it gives at p(y | x)
TRAINED = [name for name, method in METHODS.items() if method.objective]
LABELS = [name for name, method in METHODS.items() if method.discrete_sides]
NUMBERS = [name for name in METHODS if name not in LABELS]
PAIRS = [
    "mine/infonce",
    "js/smile(tau=1)",
    "js/dv",
    "infonce/infonce",
    "dv/tuba",
    "smile/dime_gan",
]


@lru_cache
def data(n=2000, seed=0):
    return TASK.sample(n, torch.Generator().manual_seed(seed))


@lru_cache
def found(method, n=2000):
    trains = mine.methods()[method].trains
    return mine.estimate(*data(n), method, **QUICK if trains else {})


# What they find


@pytest.mark.parametrize("method", [*NUMBERS, *PAIRS])
def test_every_method_finds_a_gaussians_information(method):
    e = found(method)
    truth = CLUB if METHODS[method].kind == UPPER else TASK.mi
    assert e.method == method
    assert abs(e.nats - truth) < 0.05 * truth + 3 * e.stderr
    assert 0.01 < e.stderr < 0.1 * max(1.0, 2 * truth)
    assert e.warnings == ()
    assert math.isnan(e.train_nats) == (METHODS[method].objective is None)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_its_value_is(method):
    """Over five data sets, a lower bound is not above the truth on average, nor an upper below."""
    kind = METHODS[method].kind
    if kind == NEITHER:
        return
    pairs = [data(2000, seed) for seed in range(1, 6)]
    es = mine.estimate_many(pairs, method, seeds=range(5), **QUICK)
    mean = sum(e.nats for e in es) / 5
    error = math.sqrt(sum(e.stderr**2 for e in es)) / 5
    assert (mean < TASK.mi + 3 * error) if kind == LOWER else (mean > TASK.mi - 3 * error)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_call_twice_gives_the_same_bits(method):
    quick = {**QUICK, "steps": 20, "batch_size": 32} if method in TRAINED else {}
    rows = [v.sign() if method in LABELS else v for v in data(200)]
    once, again = (mine.estimate(*rows, method, **quick) for _ in range(2))
    assert repr(once) == repr(again)


@pytest.mark.parametrize("method", TRAINED)
def test_many_in_one_stack_equal_one_by_one(method):
    quick = {**QUICK, "steps": 20, "batch_size": 32}
    pairs = [data(200, seed) for seed in range(3)]
    together = mine.estimate_many(pairs, method, seeds=range(3), **quick)
    for i, pair in enumerate(pairs):
        alone = mine.estimate(*pair, method, seed=i, **quick)
        assert alone.nats == pytest.approx(together[i].nats, abs=1e-4)
        assert alone.stderr == pytest.approx(together[i].stderr, rel=1e-3)


def test_independent_columns_have_none():
    g = torch.Generator().manual_seed(5)
    x, y = torch.randn(2000, 2, generator=g), torch.randn(2000, 2, generator=g)
    for method in METHODS:
        rows = (x.sign(), y.sign()) if method in LABELS else (x, y)
        e = mine.estimate(*rows, method, **QUICK if method in TRAINED else {})
        assert abs(e.nats) < 0.03 + 4 * e.stderr, method


def test_a_value_near_infonces_ceiling_is_doubted():
    strong = CorrelatedGaussian(1, 0.995)
    x, y = strong.sample(3000, torch.Generator().manual_seed(0))
    e = mine.estimate(x, y, "infonce", **QUICK)
    assert strong.mi > 2.3
    assert e.nats < math.log(11)
    assert any(w.startswith("ceiling: the method cannot give more than 2.40") for w in e.warnings)


def test_smile_without_a_clip_is_the_js_method():
    assert found("smile(tau=inf)").nats == pytest.approx(found("js").nats, abs=0.03)


# What they are


def test_the_methods_carry_what_they_ascend():
    assert METHODS["mine"].objective is METHODS["tuba"].objective is MINE
    assert METHODS["mine_f"].objective is METHODS["dime_kl"].objective is MINE_F
    assert METHODS["dv"].objective is DV
    assert METHODS["js"].objective is METHODS["smile"].objective is JS


@pytest.mark.parametrize("name", [*METHODS, *PAIRS])
def test_every_method_tells_of_itself(name):
    method = METHODS[name]
    assert method.kind in KINDS
    assert method.source and method.reports
    assert bool(method.trains) == (method.objective is not None) == (method.direct is None)
    if method.objective:
        assert method.optimum in method.valid_at


@pytest.mark.parametrize("name", [*TRAINED, *PAIRS])
def test_the_curve_and_the_test_value_are_one_bound(name):
    g = torch.Generator().manual_seed(0)
    joint, marginal = torch.randn(3, 50, generator=g), torch.randn(3, 4, 50, generator=g)
    values = HeldOutValues(joint, marginal, torch.arange(50).expand(4, -1))
    value, error = METHODS[name].test(values)
    torch.testing.assert_close(value, METHODS[name].bound(joint, marginal.flatten(1)))
    assert error.shape == (3,) and (error > 0).all()


def test_a_value_that_is_no_lower_bound_chooses_no_critic():
    for name, criterion in [
        ("mine", donsker_varadhan),
        ("mine/infonce", infonce),
        ("smile/dv", donsker_varadhan),
        ("smile", jensen_shannon),
        ("smile/dime_gan", jensen_shannon),
        ("js/smile", donsker_varadhan),
        ("club", likelihood),
        ("doe", likelihoods),
    ]:
        assert METHODS[name].criterion is criterion


@pytest.mark.parametrize("method", ["club", "doe"])
def test_a_network_of_ones_own_is_no_conditional_density(method):
    with pytest.raises(ValueError, match="takes the layers of an MLP"):
        mine.estimate(*data(), method, critic=nn.Bilinear)


def test_a_method_that_leaves_out_what_decides_a_number_cannot_be_made():
    said = {f.name: getattr(METHODS["infonce"], f.name) for f in fields(Method)}
    deciding = ("objective", "bound", "test", "criterion", "optimum", "valid_at", "kind")
    for name in deciding:
        rest = {key: value for key, value in said.items() if key != name}
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            Method(**rest)
    assert {f.name for f in fields(Method) if f.default is f.default_factory is MISSING} >= {
        *deciding
    }


def test_a_method_that_trains_nothing_has_no_value_of_critic_values():
    ksg = METHODS["ksg"]
    assert ksg.is_direct and not METHODS["mine"].is_direct
    for value in (ksg.bound, ksg.criterion):
        with pytest.raises(TypeError, match="has no critic values.*: call `direct`"):
            value(torch.zeros(3), torch.zeros(3))
