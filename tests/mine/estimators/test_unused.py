"""An option that a method does not use is refused; KSG's units are an option that it uses."""

import math

import npeet_plus
import numpy as np
import pytest
import torch
from scipy.stats import zscore
from torch import nn

import mine
from mine.estimators.own_job import task_job
from mine.method.ksg import ksg
from mine.method.names import METHODS
from mine.running.direct import direct_estimate
from mine.tasks import CorrelatedGaussian

RNG = np.random.default_rng(3)
X = RNG.normal(size=400)
Y = 0.8 * X + 0.6 * RNG.normal(size=400)
LABELS = np.where(X > 0, "a", "b")
TRUTH = -0.5 * math.log(1 - 0.8**2)


@pytest.mark.parametrize(
    ("method", "options", "names"),
    [
        ("ksg", {"steps": 100}, "steps"),
        ("ksg", {"folds": 5}, "folds"),
        ("ksg", {"critic": nn.Bilinear}, "critic"),
        ("gaussian", {"hidden": (8,)}, "hidden"),
        ("gaussian", {"k": 5}, "k"),
        ("gaussian_copula", {"preprocess": "standardise"}, "preprocess"),
        ("gaussian_copula", {"learning_rate": 1, "batch_size": 9}, "batch_size and learning_rate"),
        ("mine", {"k": 5}, "k"),
    ],
)
def test_an_option_without_effect_is_refused_in_one_line(method, options, names):
    with pytest.raises(ValueError, match=f"uses, got {names}: .*leave {names} out") as error:
        mine.estimate(X, Y, method, **options)
    assert "\n" not in str(error.value)


def test_plugin_has_no_units():
    with pytest.raises(ValueError, match="got preprocess: plugin trains nothing"):
        mine.estimate(LABELS, LABELS, "plugin", preprocess="copula")


@pytest.mark.parametrize("y", [LABELS, Y], ids=["labels", "numbers"])
def test_a_method_that_chooses_refuses_what_its_choice_does_not_use(y):
    taken = "plugin" if y is LABELS else "mixed"
    with pytest.raises(ValueError, match=f"got steps: auto takes {taken} .*leave steps out"):
        mine.estimate(LABELS, y, steps=100)
    assert mine.estimate(X[:, None], Y, steps=20, hidden=(8,), folds=2).n_train > 0


def test_defaults_are_no_options():
    plain = mine.estimate(X, Y, "gaussian_copula")
    said = {"folds": 1, "preprocess": None, "critic": None, "steps": 2000, "hidden": (128, 128)}
    assert mine.estimate(X, Y, "gaussian_copula", k=3, **said) == plain


def test_pairs_that_choose_their_methods_take_each_what_they_use():
    import pandas as pd

    table = pd.DataFrame({"x": X, "y": Y, "label": LABELS})
    assert len(mine.pairwise(table, steps=20, hidden=(8,)).estimates) == 3
    with pytest.raises(ValueError, match="got steps: ksg"):
        mine.pairwise(table[["x", "y"]], method="ksg", steps=20)


# -------------------------------------------------------------------- KSG's units


def test_ksg_finds_metres_against_income():
    """.0000 where distances are those of income alone."""
    rng = np.random.default_rng(100)
    x = rng.normal(size=2000)
    y = 0.8 * x + 0.6 * rng.normal(size=2000)
    e = mine.estimate(1.7 + 0.1 * x, 30_000 + 9_000 * y, "ksg")
    assert abs(e.nats - TRUTH) < 2 * e.stderr < 0.1
    said = mine.estimate(1.7 + 0.1 * x, 30_000 + 9_000 * y, "ksg", preprocess="standardise")
    assert said == e
    raw = mine.estimate(1.7 + 0.1 * x, 30_000 + 9_000 * y, "ksg", preprocess="none")
    assert raw.nats < 0.1


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 3.0), (0.37, -5.0), (1e6, 1e8), (-2.0, 0.0)])
def test_ksg_does_not_depend_on_scale_and_offset(scale, offset):
    x, y = np.stack([X, RNG.normal(size=400)], 1), Y
    found = mine.estimate(scale * x + offset, y, "ksg").nats
    assert found == pytest.approx(mine.estimate(x, y, "ksg").nats, abs=1e-6)
    assert mine.estimate(x, scale * y + offset, "ksg").nats == pytest.approx(found, abs=1e-6)


def test_ksg_agrees_with_npeet_plus_on_standardised_columns():
    x, y = np.stack([X, 100 * RNG.normal(size=400)], 1), 1e-3 * Y[:, None]
    reference = npeet_plus.mi(zscore(x, ddof=1), zscore(y, ddof=1), k=3, base=math.e)
    assert mine.estimate(x, y, "ksg").nats == pytest.approx(reference, abs=1e-6)


def test_ksg_takes_normal_scores_too():
    found = mine.estimate(np.exp(9 * X), Y, "ksg", preprocess="copula").nats
    assert found == pytest.approx(mine.estimate(X, Y, "ksg", preprocess="copula").nats, abs=1e-6)


def test_a_value_that_no_standard_deviation_describes_is_refused():
    x = X.copy()
    x[7] = 1e30
    with pytest.raises(ValueError, match="got values up to 1e\\+30 beside .* preprocess='copula'"):
        mine.estimate(x, Y, "ksg")
    assert abs(mine.estimate(x, Y, "ksg", preprocess="copula").nats - TRUTH) < 0.2


def test_ksg_of_a_task_keeps_the_columns_as_they_are():
    """Values of experiments are those of raw columns."""
    method = METHODS["ksg"]
    job = task_job(CorrelatedGaussian(2, 0.5), 300, method, 0, "a")
    x, y = job.source.all_rows(0, "a")
    assert direct_estimate(job, method.direct, torch.device("cpu")).nats == ksg(x, y).nats
