"""Columns in a network's units: increasing maps, fitted on the training rows alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kstest

from mine.data.preprocessing import HEAVY, Transform, fit, is_heavy

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=2000)


def rows(*columns):
    return torch.from_numpy(np.stack(columns, 1))


def one(kind, column, coded=False):
    return fit(kind, rows(column), [coded])


def test_standardised_training_rows_have_mean_0_and_deviation_1():
    v = rows(3 + 5 * NORMAL, 1e-9 * NORMAL, 1e300 * NORMAL, 1e-300 * NORMAL)
    z = fit("standardise", v, [False] * 4)(v)
    assert torch.allclose(z.mean(0), torch.zeros(4), atol=1e-5)
    assert torch.allclose(z.std(0), torch.ones(4), atol=1e-5)


def test_standardising_is_less_the_mean_over_the_deviation_to_the_bit():
    v = rows(3 + 5 * NORMAL)
    wanted = ((v - v.mean(0)) / v.std(0)).float()
    assert torch.equal(fit("standardise", v, [False])(v), wanted)


def test_ranks_are_uniform_and_copula_scores_normal():
    skewed = np.exp(3 * NORMAL)
    u = one("rank", skewed)(rows(skewed))[:, 0].numpy() / 12**0.5 + 0.5
    z = one("copula", skewed)(rows(skewed))[:, 0].numpy()
    assert kstest(u, "uniform").pvalue > 0.99
    assert kstest(z, "norm").pvalue > 0.99


def test_none_leaves_columns_as_they_are():
    assert torch.equal(one("none", NORMAL)(rows(NORMAL)), rows(NORMAL).float())


def test_tied_rows_share_their_middle_rank():
    column = np.array([5.0, 1.0, 5.0, 9.0])
    u = one("rank", column)(rows(np.array([1.0, 5.0, 9.0])))[:, 0] / 12**0.5 + 0.5
    assert u.tolist() == pytest.approx([1 / 8, 1 / 2, 7 / 8])


finite = st.floats(-1e9, 1e9, allow_subnormal=False)
columns = arrays(np.float64, st.integers(3, 30), elements=finite)


@given(columns, columns, st.sampled_from(["standardise", "rank", "copula", "auto"]))
def test_every_kind_is_increasing_within_and_beyond_the_training_rows(train, other, kind):
    values = np.sort(np.concatenate([train, other]))
    found = one(kind, train)(rows(values))[:, 0]
    assert torch.isfinite(found).all()
    assert (found.diff() >= 0).all()


@pytest.mark.parametrize("kind", ["rank", "copula"])
def test_values_beyond_the_training_rows_are_kept_apart(kind):
    found = one(kind, NORMAL)(
        rows(np.array([-1e3, -50, -10, NORMAL.min(), NORMAL.max(), 10, 1e3]))
    )
    assert (found[:, 0].diff() > 0).all()


@given(columns)
def test_ranks_ignore_increasing_maps_of_the_column(train):
    train = np.round(train)
    mapped = 2.0**-20 * train + 3  # exact
    a, b = (one("copula", v)(rows(v)) for v in (train, mapped))
    assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("kind", ["standardise", "rank", "copula", "auto"])
@pytest.mark.parametrize("value", [1e300, -1e300, 1.7e308])
def test_huge_values_stay_finite(kind, value):
    train = np.append(NORMAL, value)
    transform = one(kind, train)
    assert torch.isfinite(transform(rows(train))).all()
    assert torch.isfinite(one(kind, NORMAL)(rows(train))).all()


def test_a_column_constant_in_the_training_rows_stays_finite():
    for kind in ("standardise", "rank", "copula", "auto"):
        found = one(kind, np.full(9, 4.0))(rows(np.array([4.0, 5.0])))
        assert torch.isfinite(found).all()


def test_columns_of_levels_are_left_alone():
    v = rows(NORMAL, (NORMAL > 1).astype(float))
    for kind in ("standardise", "rank", "copula", "auto"):
        assert torch.equal(fit(kind, v, [False, True])(v)[:, 1], v[:, 1].float())


def test_only_the_training_rows_are_looked_at():
    train, far = NORMAL[:100], np.append(NORMAL[100:], 1e6)
    for kind in ("standardise", "rank", "copula"):
        transform = one(kind, train)
        assert torch.equal(transform(rows(far))[:10], transform(rows(far[:10])))


@pytest.mark.parametrize(
    ("draw", "heavy"),
    [
        (RNG.normal, False), (RNG.uniform, False), (RNG.exponential, False),
        (RNG.laplace, False), (RNG.standard_cauchy, True),
        (lambda size: RNG.standard_t(2, size), True),
        (lambda size: RNG.lognormal(0, 2, size), True),
        (lambda size: RNG.integers(0, 2, size) * 1.0, False),
        (lambda size: (RNG.uniform(size=size) < 0.01) * 1.0, False),
    ],
)  # fmt: skip
def test_heavy_tails_are_told_from_light_ones(draw, heavy):
    column = np.asarray(draw(size=20_000))
    assert is_heavy(column) == heavy
    assert one("auto", column).kinds == (("copula",) if heavy else ("standardise",))


def test_the_threshold_lies_between_laplace_and_student_3():
    assert np.log(100) / np.log(2) < HEAVY < 5.8409 / 0.7649


def test_a_long_column_keeps_a_bounded_number_of_knots():
    column = RNG.normal(size=50_000)
    transform = one("copula", column)
    assert transform.knots[0].shape[1] <= 4096
    assert kstest(transform(rows(column))[:, 0].numpy(), "norm").pvalue > 0.99


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="preprocess must be one of .*'copula'.*, got 'whiten'"):
        one("whiten", NORMAL)


def test_numbers_that_are_no_transform_are_refused():
    good = one("copula", NORMAL)
    shift, scale, (knots,) = good.shift, good.scale, good.knots
    for bad in [
        (("copula",), shift, -scale, (knots,)),
        (("copula",), shift, scale, (knots[:, ::-1],)),
        (("copula",), shift, scale, (knots * 2,)),
        (("copula",), shift, scale, (np.empty((2, 0)),)),
        (("none",), shift, scale, (knots,)),
        (("odd",), shift, scale, (knots,)),
        (("copula", "none"), shift, scale, (knots,)),
    ]:
        with pytest.raises(ValueError, match="expected a fitted preprocessing"):
            Transform(*bad)
