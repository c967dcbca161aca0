r"""E[Y | Z], fitted, at rows that the fit has not seen: what of Y the columns of Z explain.

Ridge regression on Z itself and on random Fourier features, which stand for a Gaussian kernel
(Rahimi and Recht, 2007, https://papers.nips.cc/paper/3182). Each row's value is that of the fit
without this row, in closed form from the hat matrix H,

    m_i = y_i - (y_i - (H y)_i) / (1 - H_ii),

and the kernel's width and the ridge are those of the least sum of (y_i - m_i)^2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

Values = NDArray[np.float64]

FEATURES = 200
WIDTHS = 0.5, 1.0, 2.0, 4.0
"""Of the kernel, in units of sqrt(dz) standard deviations."""
RIDGES = np.geomspace(1e-3, 1e3, 13)
"""For each row over the number of features."""


def left_out_mean(z: Values, y: Values, generator: torch.Generator) -> Values:
    """The fitted mean of each row of y, (n, dy), by the fit without this row.

    Args:
        z: (n, dz), standardised.
        y: (n, dy).
        generator: of the features.
    """
    drawn = min(FEATURES, len(z) // 4)
    directions = torch.randn(z.shape[1], drawn, generator=generator).double().numpy()
    phases = 2.0 * np.pi * torch.rand(drawn, generator=generator).double().numpy()
    centred = y - y.mean(0)
    features = (_features(z, directions / width, phases) for width in WIDTHS)
    fits = (fit for columns in features for fit in _fits(columns, centred))
    best = min(fits, key=lambda fit: float(((centred - fit) ** 2).sum()))
    return np.asarray(best + y.mean(0))


def _features(z: Values, directions: Values, phases: Values) -> Values:
    waves = np.sqrt(2.0) * np.cos(z @ directions / np.sqrt(z.shape[1]) + phases)
    columns = np.concatenate([z, waves], 1)
    return np.asarray(columns - columns.mean(0))


def _fits(features: Values, y: Values) -> Iterator[Values]:
    """The left-out means for each ridge."""
    n = len(y)
    u, sizes, _ = np.linalg.svd(features, full_matrices=False)
    projected, squares = u.T @ y, u**2
    for ridge in RIDGES * n / features.shape[1]:
        kept = sizes**2 / (sizes**2 + ridge)
        own = (squares @ kept + 1.0 / n)[:, None]
        yield y - (y - u @ (kept[:, None] * projected)) / (1.0 - own)
