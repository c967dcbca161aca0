"""E[Y | Z], fitted, at rows that the fit has not seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mine.data.fitted_mean import RIDGES, left_out_fits, left_out_mean
from mine.data.generators import generator


@pytest.mark.parametrize("columns", [4, 30])
def test_left_out_means_are_those_of_fits_without_the_row(columns: int) -> None:
    """The closed form against a ridge regression of all other rows, with more rows or columns."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(20, columns)), rng.normal(size=(20, 2))
    z, y = z - z.mean(0), y - y.mean(0)
    for ridge, fit in zip(RIDGES * 20 / columns, left_out_fits(z, y), strict=True):
        for row in range(0, 20, 7):
            others = np.delete(np.arange(20), row)
            means = z[others].mean(0), y[others].mean(0)
            a, b = z[others] - means[0], y[others] - means[1]
            slopes = np.linalg.solve(a.T @ a + ridge * np.eye(columns), a.T @ b)
            assert fit[row] == pytest.approx(means[1] + (z[row] - means[0]) @ slopes, abs=1e-6)


@pytest.mark.parametrize("columns", [2, 5, 10])
def test_sums_of_curves_and_products_of_two_columns_are_found(columns: int) -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(500, columns))
    curves = np.tanh(2.0 * z).sum(1) / math.sqrt(columns)
    products = z[:, 0] * z[:, 1]
    means = np.stack([curves, products], 1)
    y = means + 0.7 * rng.normal(size=means.shape)
    missed = ((left_out_mean(z, y, generator(0, "features")) - means) ** 2).mean(0)
    assert (missed / means.var(0) < (0.12, 0.3)).all()


def test_each_column_of_y_has_the_fit_that_it_has_alone() -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=(200, 3))
    y = np.stack([np.sin(3.0 * z[:, 0]), z.sum(1)], 1) + 0.3 * rng.normal(size=(200, 2))
    both = left_out_mean(z, y, generator(0, "features"))
    alone = [left_out_mean(z, column[:, None], generator(0, "features")) for column in y.T]
    assert both == pytest.approx(np.concatenate(alone, 1), abs=1e-6)
