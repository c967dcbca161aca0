"""Fitted copulas: their log-ratios are the true ones, and Student's where tails say so."""

import numpy as np
import pytest
import torch
from scipy.special import ndtr, stdtrit

from mine.critics.elliptical import DOFS, fit_ratio, scores
from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.data import preprocessing
from mine.data.pairs import Shifts
from mine.tasks import CorrelatedGaussian, MultivariateNormal, StudentT


def normal_scores(v):
    return preprocessing.fit("copula", v.double(), [False] * v.shape[1])(v.double())


def fitted(rows):
    x, y = rows[0]
    critic = Residual(MLP((8,))).stack(
        x.shape[1], y.shape[1], [torch.Generator()] * len(rows), "cpu"
    )
    critic.fit(rows)
    return critic


def student(d, pairs, dof, n=20_000, seed=3):
    task = StudentT(MultivariateNormal(d, d, pairs), dof)
    x, y = task.sample(n, torch.Generator().manual_seed(seed))
    return task, x, y


@pytest.mark.parametrize("dof", [of for of in DOFS if of > 1.0])
def test_scores_are_students_quantiles(dof):
    z = np.linspace(-3.5, 3.5, 401)
    tail = fit_tail(dof)
    wanted = np.sign(z) * -stdtrit(dof, ndtr(-np.abs(z)))
    assert scores(z, tail) == pytest.approx(wanted, rel=0.01, abs=0.01)


def fit_tail(dof):
    """The tail that rows of so many degrees of freedom get."""
    _, x, y = student(2, (0.5,), dof)
    tail = fit_ratio(normal_scores(x).double().numpy(), normal_scores(y).double().numpy()).tail
    assert 1.0 / tail[0] == dof
    return tail


@pytest.mark.parametrize(("d", "pairs", "dof"), [(1, (0.7,), 2), (2, (0.7, 0.5), 4), (4, (), 2)])
def test_the_fitted_log_ratio_of_student_rows_is_the_true_one(d, pairs, dof):
    task, x, y = student(d, pairs, dof)
    critic = fitted([(normal_scores(x), normal_scores(y))])
    rows = normal_scores(x)[None, :4000], normal_scores(y)[None, :4000]
    joint, marginal = (v[0] for v in critic.values(*rows, Shifts(1)))
    wanted = task.log_ratio(x[:4000], y[:4000])
    assert float((joint - wanted).abs().mean()) < 0.06
    assert float(joint.mean()) == pytest.approx(float(wanted.mean()), abs=0.03)
    assert float(marginal.double().exp().mean()) == pytest.approx(1.0, abs=0.1)


def test_normal_rows_get_the_normals_tail():
    x, y = CorrelatedGaussian(3, 0.6).sample(5000, torch.Generator().manual_seed(1))
    tail = fit_ratio(normal_scores(x).double().numpy(), normal_scores(y).double().numpy()).tail
    assert tail.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_stack_of_a_normal_and_a_student_cell_is_each_alone_to_the_same_bits():
    _, *heavy = student(2, (0.5,), 2, n=1000)
    light = CorrelatedGaussian(2, 0.6).sample(1000, torch.Generator().manual_seed(1))
    rows = [tuple(normal_scores(v) for v in of) for of in (heavy, light)]
    x, y = (torch.stack(side) for side in zip(*rows, strict=True))
    together = fitted(rows).values(x, y, Shifts(2))
    for k, of in enumerate(rows):
        alone = fitted([of]).values(x[k : k + 1], y[k : k + 1], Shifts(2))
        for a, b in zip(together, alone, strict=True):
            assert torch.equal(a[k], b[0])


def test_columns_of_levels_and_copies_get_a_ratio_that_is_finite():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 2, size=(500, 1)).astype(float)
    x = np.concatenate([level, 1.0 - level, rng.normal(size=(500, 1))], 1)
    y = np.concatenate([level, np.zeros((500, 1))], 1)
    found = fit_ratio(x, y)
    assert all(np.isfinite(v).all() for v in (found.of_x, found.of_y, found.rho, found.tail))
    assert found.rho[0] > 0.99
