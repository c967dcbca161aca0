r"""Copies in which Y is permuted among rows of near Z: what chance gives where I(X; Y | Z) = 0.

Runge, "Conditional independence testing based on a nearest-neighbor estimator of conditional
mutual information", AISTATS 2018, https://proceedings.mlr.press/v84/runge18a.html, Algorithm 1. In
random order each row takes the y of one of its k nearest rows in Z, itself among them, that no
other row has taken; where all are taken, it takes one that is. So the relations of Y to Z and of
X to Z stay, as far as near rows of Z are equal, and what Y alone tells of X is lost. Distances are
the maximum norm of the columns' ranks, so no increasing map of a column changes them.

Columns of labels and counts in Z make strata: rows of one stratum alone are near. Where Z has no
other columns, y is permuted at random within each stratum, and the test is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mine.data import preprocessing
from mine.data.levels import Codes, codes_of

NEAR = 5
"""Runge's Sec. 5 takes 5 to 10: fewer leave most of a relation to Z, more make more of a copy."""

Neighbours = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LocalPermutation:
    """How Y is permuted given Z.

    Attributes:
        strata: (n,), the level of the discrete columns of Z; 0 everywhere where there are none.
        near: (n, NEAR), the rows that are near in Z; None where Z has discrete columns alone.
        columns: those of the y side that are Y, the first ones; the others are Z and stay.
    """

    strata: Codes
    near: Neighbours | None
    columns: int

    def copied(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """The y side (n, columns or more) of one copy."""
        if self.near is None:
            taken = _within(self.strata, generator)
        else:
            taken = _among(self.near, generator)
        first = y[torch.from_numpy(taken), : self.columns]
        return torch.cat([first, y[:, self.columns :]], 1)


def local_permutation(
    z: Tensor, discrete: Sequence[bool], coded: Sequence[bool], columns: int
) -> LocalPermutation:
    """How the first `columns` of a side are permuted given Z.

    Args:
        z: (n, dz).
        discrete: of each column of z, whether it is a label or a count.
        coded: of each column, whether it is 0 or 1 for a level.
        columns: of Y.
    """
    of = np.array(discrete, dtype=bool)
    values = z.double().numpy()
    strata = codes_of(values[:, of]) if of.any() else np.zeros(len(values), np.intp)
    if of.all():
        return LocalPermutation(strata, None, columns)
    ranked = preprocessing.fit(
        "rank", z[:, ~of], [c for c, d in zip(coded, of, strict=True) if not d]
    )
    ranks = ranked(z[:, ~of]).double().numpy()
    return LocalPermutation(strata, _nearest(ranks, strata), columns)


def _nearest(ranks: NDArray[np.float64], strata: Codes) -> Neighbours:
    """(n, NEAR) rows of one stratum. In a small one the row itself stands for those that lack."""
    from scipy.spatial import cKDTree

    found = np.repeat(np.arange(len(ranks))[:, None], NEAR, 1)
    for level in np.unique(strata):
        rows = np.flatnonzero(strata == level)
        if len(rows) > 1:
            count = min(NEAR, len(rows))
            near = cKDTree(ranks[rows]).query(ranks[rows], k=count, p=np.inf)[1]
            found[rows, :count] = rows[near]
    return found


def _within(strata: Codes, generator: torch.Generator) -> Neighbours:
    """A permutation of the rows of each stratum."""
    shuffled = torch.randperm(len(strata), generator=generator).numpy()
    taken = np.empty(len(strata), np.intp)
    taken[np.argsort(strata, kind="stable")] = shuffled[
        np.argsort(strata[shuffled], kind="stable")
    ]
    return taken


def _among(near: Neighbours, generator: torch.Generator) -> Neighbours:
    """One of the near rows for each row, none twice where that can be (Runge, Algorithm 1)."""
    n, count = near.shape
    places = torch.rand(n, count, generator=generator).argsort(1).numpy()
    shuffled = np.take_along_axis(near, places, 1).tolist()
    used, taken = [False] * n, np.empty(n, np.intp)
    for row in torch.randperm(n, generator=generator).tolist():
        others = shuffled[row]
        chosen = next((other for other in others if not used[other]), others[-1])
        used[chosen], taken[row] = True, chosen
    return taken
