"""The names: the table, spellings with parameters, pairs, and what is refused."""

import math
import re
from functools import lru_cache
from pathlib import Path

import pytest
import torch

import mine
from mine.method.donsker_varadhan import MINE
from mine.method.names import METHODS, Methods
from mine.tasks import CorrelatedGaussian

ROOT = Path(__file__).parents[3]

QUICK = {"steps": 300, "hidden": (32, 32), "batch_size": 128, "learning_rate": 5e-3}


TASK = CorrelatedGaussian(1, 0.8)


@lru_cache
def data(n=2000, seed=0):
    return TASK.sample(n, torch.Generator().manual_seed(seed))


@lru_cache
def found(method, n=2000):
    return mine.estimate(*data(n), method, **QUICK)


def test_the_documentations_table_is_the_methods():
    text = ROOT.joinpath("docs", "methods.md").read_text()
    if str(mine.methods()) not in text:
        pytest.fail(
            "the table of docs/methods.md is not that of the methods: replace it by the output of "
            "`.venv/bin/python -c 'import mine; print(mine.methods())'`",
            pytrace=False,
        )


def test_the_table_has_a_row_a_method_and_six_cells_a_row():
    head, rule, *rows = str(mine.methods()).splitlines()
    assert [re.match(r"\| `(\w+)", row)[1] for row in rows] == list(METHODS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in (head, rule, *rows)} == {7}


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


def test_a_pair_is_trained_as_the_first_and_reported_as_the_second():
    pair = METHODS["mine/infonce"]
    assert pair.objective is MINE
    assert pair.bound is METHODS["infonce"].bound
    assert pair.ceiling(10) == math.log(11)
    assert METHODS["js/smile(tau=1)"].parameters == {"tau": 1.0}
    assert METHODS["mine/mine"].test is METHODS["mine"].test


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


def test_two_methods_of_one_name_are_refused():
    def again():
        return METHODS["dv"]

    with pytest.raises(ValueError, match="expected one method of each name, got two 'dv'"):
        Methods([again, again])
    with pytest.raises(ValueError, match="got two 'dv'"):
        METHODS.beside(again, again)
