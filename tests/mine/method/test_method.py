"""The methods: each is what it says it is, finds a known value, and has its name and spellings."""

import math
import re
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from torch import nn

import mine
from mine.method import bounds
from mine.method.bounds import DV, JS, MINE, MINE_F
from mine.method.held_out import HeldOutValues
from mine.method.method import KINDS, LOWER, METHODS, NEITHER, UPPER
from mine.tasks import CorrelatedGaussian

QUICK = {"steps": 300, "hidden": (32, 32), "batch_size": 128, "learning_rate": 5e-3}
TASK = CorrelatedGaussian(1, 0.8)
CLUB = 0.8**2 / (1 - 0.8**2)  # what it gives at p(y | x)
TRAINED = [name for name, method in METHODS.items() if method.objective]
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
    return mine.estimate(*data(n), method, **QUICK)


# What they find


@pytest.mark.parametrize("method", [*METHODS, *PAIRS])
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
    quick = {**QUICK, "steps": 20, "batch_size": 32}
    once, again = (mine.estimate(*data(200), method, **quick) for _ in range(2))
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
        e = mine.estimate(x, y, method, **QUICK)
        assert abs(e.nats) < 0.03 + 4 * e.stderr, method


def test_a_value_near_infonces_ceiling_is_doubted():
    strong = CorrelatedGaussian(1, 0.995)
    x, y = strong.sample(3000, torch.Generator().manual_seed(0))
    e = mine.estimate(x, y, "infonce", **QUICK)
    assert strong.mi > 2.3
    assert e.nats < math.log(11)
    assert any(w.startswith("ceiling: the method cannot give more than 2.40") for w in e.warnings)


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


def test_the_documentations_table_is_the_methods():
    text = Path(__file__).parents[3].joinpath("docs", "methods.md").read_text()
    assert str(mine.methods()) in text


def test_the_table_has_a_row_a_method_and_six_cells_a_row():
    head, rule, *rows = str(mine.methods()).splitlines()
    assert [re.match(r"\| `(\w+)", row)[1] for row in rows] == list(METHODS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in (head, rule, *rows)} == {7}


# Their names


def test_methods_is_a_mapping_whose_keys_are_the_names():
    names = mine.methods()
    assert "mine" in names and "gan" not in names
    assert list(names)[:3] == ["auto", "mine", "mine_f"]
    assert set(names) == set(names.keys()) and len(names) == len(list(names))
    assert names["club"].kind == "upper bound"
    assert repr(names).startswith("Methods(auto, mine, mine_f")


def test_other_names_of_a_method():
    for alias, name in (("nwj", "mine_f"), ("f_dime", "dime_gan")):
        assert METHODS[alias].bound is METHODS[name].bound
        assert alias not in list(METHODS)
    assert mine.estimate(*data(), "nwj", **QUICK).nats == found("mine_f").nats


def test_parameters_are_part_of_the_name():
    assert METHODS["smile"].parameters == {"tau": 5.0}
    assert METHODS["smile( tau = 1 )"].parameters == {"tau": 1.0}
    assert METHODS["smile(tau=inf)"].parameters == {"tau": math.inf}
    assert METHODS["remine(b=2)"].parameters == {"alpha": 0.1, "b": 2.0}
    assert METHODS["club(components=3)"].parameters == {"components": 3}
    assert "smile(tau=1)" in mine.methods()
    assert found("smile(tau=0.5)").nats != found("smile").nats


def test_smile_without_a_clip_is_the_js_method():
    assert found("smile(tau=inf)").nats == pytest.approx(found("js").nats, abs=0.03)


def test_a_pair_is_trained_as_the_first_and_reported_as_the_second():
    pair = METHODS["mine/infonce"]
    assert pair.objective is MINE
    assert pair.bound is METHODS["infonce"].bound
    assert pair.ceiling(10) == math.log(11)
    assert METHODS["js/smile(tau=1)"].parameters == {"tau": 1.0}
    assert METHODS["mine/mine"].test is METHODS["mine"].test


def test_a_value_that_is_no_lower_bound_chooses_no_critic():
    for name, criterion in [
        ("mine", bounds.donsker_varadhan),
        ("mine/infonce", bounds.infonce),
        ("smile/dv", bounds.donsker_varadhan),
        ("smile", bounds.jensen_shannon),
        ("smile/dime_gan", bounds.jensen_shannon),
        ("js/smile", bounds.donsker_varadhan),
        ("club", bounds.likelihood),
        ("doe", bounds.likelihoods),
    ]:
        assert METHODS[name].criterion is criterion


@pytest.mark.parametrize(
    "name", ["gan", "", "smile(", "smile)", "/", "mine/", "mine/dv/js", "a b"]
)
def test_a_name_that_is_none_is_refused(name):
    assert name not in METHODS
    with pytest.raises(ValueError, match="method must be one of"):
        mine.estimate(*data(), name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smile(tao=1)", r"expected parameters among \['tau'\], got 'tao'"),
        ("mine(tau=1)", r"expected parameters among \[\], got 'tau'"),
        ("smile(1)", r"expected parameters among \['tau'\], got '1'"),
        ("smile(tau=)", "expected a number for tau, got ''"),
        ("smile(tau=-1)", "tau must be a number > 0, such as 5, got -1"),
        ("smile(tau=nan)", "tau must be a number > 0"),
        ("interpolated(alpha=2)", r"alpha must be in \(0, 1\]"),
        ("remine(alpha=-1)", "alpha must be a number >= 0"),
        ("remine(b=inf)", "b must be a finite number"),
        ("club(components=2.5)", "expected a whole number for components, got '2.5'"),
        ("club(components=0)", "components must be a whole number >= 1, got 0"),
        ("mine/ksg", "ksg trains nothing"),
        ("gaussian/dv", "gaussian trains nothing"),
        ("mine/mine_f", r"towards log dP/dQ \+ C, got mine_f to report, which needs 1 \+ log"),
        ("infonce/dv", "take another value"),
        ("mine_f/smile", "take another value"),
        ("mine/club", r"needs log q\(y\|x\)"),
        ("club/dv", "take another value"),
    ],
)
def test_parameters_and_pairs_that_cannot_be_right_are_refused_with_advice(name, message):
    with pytest.raises(ValueError, match=message):
        mine.estimate(*data(), name)


@pytest.mark.parametrize("method", ["club", "doe"])
def test_a_network_of_ones_own_is_no_conditional_density(method):
    with pytest.raises(ValueError, match="takes the layers of an MLP"):
        mine.estimate(*data(), method, critic=nn.Bilinear)


def test_the_constant_is_what_dv_leaves_free():
    """E_p[T] is DV's value and C; a shift of T moves C by as much; a lone constant is refused."""
    joint, marginal = torch.randn(2, 50), torch.randn(2, 3, 50)
    met = torch.stack([torch.arange(50).roll(j + 1) for j in range(3)])
    values = HeldOutValues(joint, marginal, met)
    pair = METHODS["dv/constant"]
    found, error = pair.test(values)
    torch.testing.assert_close(found + values.donsker_varadhan()[0], joint.mean(-1))
    torch.testing.assert_close(found, pair.bound(joint, marginal.flatten(1)))
    shifted = HeldOutValues(joint + 2.5, marginal + 2.5, met)
    torch.testing.assert_close(pair.test(shifted)[0], found + 2.5)
    torch.testing.assert_close(pair.test(shifted)[1], error)
    assert pair.objective is DV and METHODS["remine(alpha=1)/constant"].parameters["alpha"] == 1.0
    assert "constant" not in list(METHODS)
    with pytest.raises(ValueError, match="trains nothing .* as in 'mine/constant'"):
        METHODS["constant"]
