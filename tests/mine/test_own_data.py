"""Own data: permuted copies, folds, the critic that is left, and reasons to doubt."""

import dataclasses
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mine
from mine.estimators.own_job import own_job
from mine.estimators.rows import as_pair
from mine.method.donsker_varadhan import held_out_donsker_varadhan
from mine.method.held_out import Influence, held_out_values
from mine.running.estimates import Estimate
from mine.running.events import Done
from mine.running.rounds import rounds_of
from mine.running.run import run
from mine.tasks import CorrelatedGaussian

QUICK = {"steps": 40, "hidden": (8,), "batch_size": 50}
FAIR = {"steps": 300, "hidden": (32,), "batch_size": 128, "learning_rate": 5e-3}


def data(seed=0, n=300, dim=1, rho=0.8):
    x, y = CorrelatedGaussian(dim, rho).sample(n, torch.Generator().manual_seed(seed))
    return x.numpy(), y.numpy()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------- inputs


def test_frames_series_and_arrays_give_the_same():
    x, y = (v.astype(float) for v in data(dim=2))
    reference = mine.estimate(x, y[:, 0], **QUICK)
    for a, b in [
        (pd.DataFrame(x), pd.Series(y[:, 0])),
        (pl.DataFrame(x), pl.Series(y[:, 0])),
        (torch.from_numpy(x), y[:, 0].tolist()),
    ]:
        assert mine.estimate(a, b, **QUICK) == reference


def test_text_tells_what_it_tells():
    """A binary symmetric channel: ln 2 less the entropy of its flips."""
    rng = np.random.default_rng(0)
    sent = rng.integers(0, 2, 2500)
    flipped = sent ^ (rng.uniform(size=2500) < 0.1)
    words, letters = np.array(["no", "yes"])[sent], pd.Series(["a", "b"]).loc[flipped]
    e = mine.estimate(words, letters, "mine", **FAIR)
    assert abs(e.nats - (math.log(2) - 0.3251)) < 3 * e.stderr + 0.02
    assert not any(w.startswith(("nearly discrete", "duplicates")) for w in e.warnings)


@pytest.mark.parametrize("preprocess", ["rank", "copula", "auto"])
def test_heavy_tails_hide_nothing_from_ranks(preprocess):
    x, y = data(n=2500)
    e = mine.estimate(np.sinh(6.0 * x), np.sinh(6.0 * y), preprocess=preprocess, **FAIR)
    assert abs(e.nats - 0.5108) < 0.06 + 3 * e.stderr
    assert not any(w.startswith("heavy") for w in e.warnings)


@pytest.mark.parametrize("method", ["ksg", "gaussian"])
def test_ranks_help_methods_that_train_nothing_too(method):
    x, y = data(n=1000)
    e = mine.estimate(np.sinh(4.0 * x), np.sinh(4.0 * y), method=method, preprocess="copula")
    assert abs(e.nats - 0.5108) < 0.1


# ------------------------------------------------------------------------ null


def test_permuted_copies_have_no_information_and_the_real_rows_have():
    x, y = data(n=600)
    e = mine.estimate(x, y, null=19, **QUICK | {"learning_rate": 0.01})
    assert len(e.null) == 19
    assert abs(e.null_mean) < 0.1
    assert e.p_value == 1 / 20
    assert e.nats > max(e.null)


def test_the_value_is_the_same_with_copies_and_without():
    x, y = data()
    alone, beside = (mine.estimate(x, y, null=null, **QUICK) for null in (0, 3))
    assert beside.nats == pytest.approx(alone.nats, abs=1e-5)
    assert alone.null == () and alone.p_value is None and alone.null_mean is None


def test_p_values_are_uniform_where_x_and_y_are_independent():
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_cauchy(100), rng.normal(size=100)) for _ in range(60)]
    assert_uniform(mine.estimate_many(pairs, method="gaussian_copula", null=9))
    assert_uniform(mine.estimate_many(pairs[:20], method="mine", null=9, **QUICK))


def assert_uniform(found):
    p = np.array([e.p_value for e in found])
    assert set(np.round(p * 10)) <= set(range(1, 11))
    assert abs(p.mean() - 0.55) < 4 * 0.29 / len(p) ** 0.5


@given(st.floats(-1, 1), st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_a_p_value_counts_copies_that_reach_the_value(nats, null):
    e = Estimate(nats, 0.1, 0.0, "mine", 9, 9, 9, null=tuple(null))
    assert e.p_value == (1 + sum(v >= nats for v in null)) / (1 + len(null))
    assert e.null_mean == pytest.approx(np.mean(null))


def test_a_copy_that_is_not_finite_counts_against_the_value():
    e = Estimate(1.0, 0.1, 0.0, "mine", 9, 9, 9, null=(math.nan, 0.0, 0.0))
    assert e.p_value == 2 / 4


def test_methods_that_train_nothing_have_copies_too():
    x, y = data()
    e = mine.estimate(x, y, method="ksg", null=9)
    assert e.p_value == 0.1
    assert abs(e.null_mean) < 0.1


# ----------------------------------------------------------------------- folds


def test_cross_fitting_finds_a_gaussians_information_with_a_smaller_error():
    x, y = data(n=1001)
    one, five = (mine.estimate(x, y, folds=folds, **FAIR) for folds in (1, 5))
    assert abs(five.nats - 0.5108) < 0.05 + 3 * five.stderr
    assert five.stderr < 0.7 * one.stderr
    assert (five.n_test, five.n_train) == (1001, 600)


def test_jobs_with_folds_that_differ_by_a_row_are_in_a_stack_what_they_are_alone():
    jobs = [own_job(*as_pair(*data(s, n=203)), "mine", s, folds=4, **QUICK) for s in range(3)]
    parts = rounds_of(jobs[0])[0]
    assert {len(part.source.split.deal(203, generator())[2]) for part in parts} == {50, 51}

    def results(stacks):
        events = [one for one in run(jobs, "cpu", 1, stacks) if isinstance(one, Done)]
        return [one.outcome for one in sorted(events, key=lambda one: one.job)]

    singles, together = results([(0,), (1,), (2,)]), results([(0, 1, 2)])
    for alone, of_many in zip(singles, together, strict=True):
        assert alone.n_test == of_many.n_test == 203
        assert alone.nats == pytest.approx(of_many.nats, abs=1e-5)
        assert alone.stderr == pytest.approx(of_many.stderr, abs=1e-5)


def test_copies_and_folds_go_together():
    x, y = data(n=200)
    e = mine.estimate(x, y, null=4, folds=3, **QUICK)
    assert (e.n_test, len(e.null)) == (200, 4)


def test_the_same_call_twice_gives_the_same_bits():
    x, y = data(n=200)
    options = {"null": 3, "folds": 2, "preprocess": "copula", **QUICK}
    one, two = (mine.estimate(x, y, **options) for _ in range(2))
    assert repr(one) == repr(two)
    assert np.array_equal(one.critic.pointwise(x, y), two.critic.pointwise(x, y))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"null": -1}, "null must be a whole number >= 0, got -1"),
        ({"null": 2.5}, "null must be a whole number"),
        ({"folds": 0}, "folds must be a whole number >= 1, got 0"),
        ({"folds": 2.0}, "folds must be a whole number"),
        ({"folds": 200}, "at least 2 rows a fold, got folds=200 for 300 rows"),
        ({"preprocess": "pca"}, "preprocess must be one of"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mine.estimate(*data(), **QUICK, **options)


# ----------------------------------------------------------------- the influence


def test_the_error_of_a_difference_is_that_of_its_rows():
    task = CorrelatedGaussian(1, 0.6)

    class Scaled:
        def __init__(self, by):
            self.by = by

        def values(self, x, y, pairing, keep=True):
            from mine.data.pairs import partners

            met = partners(pairing, y, x.shape[1])
            beside = x.unsqueeze(1).expand_as(met)
            t = task.log_ratio(x.flatten(0, 1), y.flatten(0, 1)).view(len(x), -1)
            u = task.log_ratio(beside.flatten(0, 2), met.flatten(0, 2)).view(len(x), -1)
            return self.by * t, self.by * u

    x, y = (v.view(300, 200, 1) for v in task.sample(60_000, generator()))

    def tested(by):
        kept = []

        def keep(influence):
            kept.append(influence)
            return influence.stderr()

        values = dataclasses.replace(held_out_values(Scaled(by), x, y, 5), spread=keep)
        return held_out_donsker_varadhan(values)[0], kept[0]

    (a, of_a), (b, of_b) = tested(1.0), tested(0.9)
    spread = (a - b).std().item()
    assert of_a.plus(of_b, -1.0).stderr().mean().item() == pytest.approx(spread, rel=0.2)
    assert spread < 0.5 * a.std().item()
    again = Influence.of_arrays(of_a.arrays(3))
    assert again.stderr().item() == pytest.approx(of_a.stderr()[3].item())


# --------------------------------------------------------------------- doubts


def warned(x, y, **options):
    return [w.partition(":")[0] for w in mine.estimate(x, y, **QUICK, **options).warnings]


RNG = np.random.default_rng(1)
X = RNG.normal(size=400)


def test_clean_columns_are_not_doubted():
    assert warned(X, RNG.normal(size=400)) == []


@pytest.mark.parametrize("column", [RNG.integers(0, 5, 400), np.where(X > 0.3, X, 0.0)])
def test_nearly_discrete_columns_are_named(column):
    table = pd.DataFrame({"age": column})
    warning, *_ = mine.estimate(table, X, "js", **QUICK).warnings
    assert warning.startswith("nearly discrete: column 'age' of x")
    assert "as text or categories" in warning


def test_columns_given_as_categories_are_not_called_discrete():
    found = warned(RNG.integers(0, 5, 400).astype(str), X, method="mine")
    assert "nearly discrete" not in found


def test_heavy_tails_are_named_unless_ranks_take_them_away():
    heavy = RNG.standard_cauchy(400)
    assert "heavy tails" in warned(X, heavy, preprocess="standardise")
    assert warned(X, heavy) == []
    assert warned(X, heavy, preprocess="copula") == []
    assert warned(X, heavy, preprocess="auto") == []


def test_rows_that_stand_on_both_sides_of_the_split_are_counted():
    x, y = data(n=200)
    assert "duplicates" in warned(np.repeat(x, 2, 0), np.repeat(y, 2, 0))
    assert warned(x, y) == []


def test_rounded_columns_repeat_by_chance():
    x, y = (v.round(1) for v in data(n=1000))
    assert "duplicates" not in warned(x, y)
    x, y = (np.repeat(v.round(1), 2, 0) for v in data(n=500, dim=3))
    assert "duplicates" in warned(x, y)


def test_folds_are_not_advised_where_they_are_taken():
    x, y = RNG.normal(size=(100, 6)), RNG.normal(size=(100, 6))
    for folds in (1, 5):
        (few,) = (w for w in mine.estimate(x, y, folds=folds, **QUICK).warnings if "few rows" in w)
        assert ("folds=5" in few) == (folds == 1)


def test_discrete_pairs_repeat_of_themselves():
    pair = (RNG.integers(0, 4, 400).astype(str) for _ in "xy")
    found = warned(*pair, method="mine")
    assert "duplicates" not in found


def test_too_few_rows_for_so_many_columns_are_said():
    assert "few rows" in warned(RNG.normal(size=(100, 6)), RNG.normal(size=(100, 6)))
    assert "few rows" not in warned(RNG.normal(size=(400, 6)), X)
