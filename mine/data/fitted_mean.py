r"""E[Y | Z], fitted, at rows that the fit has not seen: what of Y the columns of Z explain.

Ridge regression on Z itself and on random Fourier features, which stand for a Gaussian kernel
(Rahimi and Recht, 2007, https://papers.nips.cc/paper/3182). A feature is a wave in a random
direction of few columns, or of all. Those of one column are the kernel of sums of curves, those of
two add interactions (Duvenaud et al., 2011, https://papers.nips.cc/paper/4221). Each row's value
is that of the fit without this row, in closed form from the hat matrix H,

    m_i = y_i - (y_i - (H y)_i) / (1 - H_ii),

and the number of columns of a wave, the kernel's width and the ridge are those of the least sum of
(y_i - m_i)^2, for each column of y.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

Values = NDArray[np.float64]

FEATURES = 200
TOGETHER = 1, 2
"""Columns of one wave, besides all."""
WIDTHS = 0.5, 1.0, 2.0, 4.0
"""Of the kernel, in standard deviations times the root of the number of columns of a wave."""
RIDGES = np.geomspace(1e-3, 1e3, 13)
"""For each row over the number of features."""


def left_out_mean(z: Values, y: Values, generator: torch.Generator) -> Values:
    """The fitted mean of each row of y, (n, dy), by the fit without this row.

    Args:
        z: (n, dz), standardised.
        y: (n, dy).
        generator: of the features.
    """
    centred = y - y.mean(0)
    best, least = np.zeros_like(centred), np.full(y.shape[1], np.inf)
    for fit in (
        fit for columns in _features(z, generator) for fit in left_out_fits(columns, centred)
    ):
        missed = ((centred - fit) ** 2).sum(0)
        is_better = missed < least
        best[:, is_better], least[is_better] = fit[:, is_better], missed[is_better]
    return np.asarray(best + y.mean(0))


def _features(z: Values, generator: torch.Generator) -> Iterator[Values]:
    """The columns of z, and waves of one, of two or of all of them."""
    n, d = z.shape
    drawn = min(FEATURES, n // 4)
    directions = torch.randn(d, drawn, generator=generator).double().numpy()
    phases = 2.0 * np.pi * torch.rand(drawn, generator=generator).double().numpy()
    places = torch.rand(d, drawn, generator=generator).argsort(0).argsort(0).numpy()
    for together in sorted({min(of, d) for of in (*TOGETHER, d)}):
        angles = z @ np.where(places < together, directions, 0.0) / np.sqrt(together)
        for width in WIDTHS:
            columns = np.concatenate([z, np.sqrt(2.0) * np.cos(angles / width + phases)], 1)
            yield columns - columns.mean(0)


def left_out_fits(features: Values, y: Values) -> Iterator[Values]:
    """For each ridge, each row's value by the fit without this row, (n, dy).

    Args:
        features: (n, p), centred.
        y: (n, dy), centred.
    """
    n, columns = features.shape
    if columns <= n:
        sizes, vectors = np.linalg.eigh(features.T @ features)
        turned = features @ vectors
    else:
        sizes, vectors = np.linalg.eigh(features @ features.T)
        turned = vectors * np.sqrt(np.maximum(sizes, 0.0))
    projected, squares = turned.T @ y, turned**2
    for ridge in RIDGES * n / columns:
        kept = 1.0 / (np.maximum(sizes, 0.0) + ridge)
        own = (squares @ kept + 1.0 / n)[:, None]
        yield y - (y - turned @ (kept[:, None] * projected)) / (1.0 - own)
