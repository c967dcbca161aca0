r"""Copies in which Y is permuted among rows of near Z: what chance gives where I(X; Y | Z) = 0.

Runge, "Conditional independence testing based on a nearest-neighbor estimator of conditional
mutual information", AISTATS 2018, https://proceedings.mlr.press/v84/runge18a.html, Algorithm 1. In
random order each row takes the y of one of its k nearest rows in Z, itself among them, that no
other row has taken; where all are taken, it takes one that is. So the relations of Y to Z and of
X to Z stay, as far as near rows of Z are equal, and what Y alone tells of X is lost. Distances are
the maximum norm of the columns' ranks, so no increasing map of a column changes them.

Where Z has more columns than Y, no row is near in all of them, and copies whose relation to Z is
blurred make small p-values of nothing (measured: 16 of 30 at 10 columns, by KSG). Rows are then
near in the fitted E[Y | Z] (`mine.data.fitted_mean`), for labels a fitted propensity score
(Rosenbaum and Rubin, 1983, https://doi.org/10.1093/biomet/70.1.41).

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
from mine.data.fitted_mean import Values, left_out_mean
from mine.data.generators import generator
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
        doubts: reasons to doubt a p-value from such copies.
    """

    strata: Codes
    near: Neighbours | None
    columns: int
    doubts: tuple[str, ...] = ()

    def copied(self, y: Tensor, random: torch.Generator) -> Tensor:
        """The y side (n, columns or more) of one copy."""
        if self.near is None:
            taken = _within(self.strata, random)
        else:
            taken = _among(self.near, random)
        first = y[torch.from_numpy(taken), : self.columns]
        return torch.cat([first, y[:, self.columns :]], 1)


def local_permutation(
    y: Tensor, z: Tensor, discrete: Sequence[bool], coded: Sequence[bool]
) -> LocalPermutation:
    """How Y, the first columns of a side, is permuted given Z.

    Args:
        y: (n, dy).
        z: (n, dz).
        discrete: of each column of z, whether it is a label or a count.
        coded: of each column, whether it is 0 or 1 for a level.
    """
    of = np.array(discrete, dtype=bool)
    n, columns = y.shape
    strata = codes_of(z[:, of].double().numpy()) if of.any() else np.zeros(n, np.intp)
    if of.all():
        return LocalPermutation(strata, None, columns)
    numbers = int((~of).sum())
    if numbers > columns:
        places = _explained(y, z, coded)
    else:
        places = (
            preprocessing.fit("rank", z[:, ~of], [False] * numbers)(z[:, ~of]).double().numpy()
        )
    return LocalPermutation(strata, _nearest(places, strata), columns, _doubts(numbers))


def _doubts(numbers: int) -> tuple[str, ...]:
    if numbers <= 1:
        return ()
    doubt = (
        f"conditional p-value: z has {numbers} columns of numbers, and where y or x is a curved "
        "function of several, small p-values come too often: read it as a hint, or bring fewer"
    )
    return (doubt,)


def _explained(y: Tensor, z: Tensor, coded: Sequence[bool]) -> Values:
    scores = preprocessing.fit("copula", z, coded)(z).double().numpy()
    units = preprocessing.fit("standardise", y, [False] * y.shape[1])(y).double().numpy()
    return left_out_mean(scores, units, generator(0, "features"))


def _nearest(places: Values, strata: Codes) -> Neighbours:
    """(n, NEAR) rows of one stratum. In a small one the row itself stands for those that lack."""
    from scipy.spatial import cKDTree

    found = np.repeat(np.arange(len(places))[:, None], NEAR, 1)
    for level in np.unique(strata):
        rows = np.flatnonzero(strata == level)
        if len(rows) > 1:
            count = min(NEAR, len(rows))
            near = cKDTree(places[rows]).query(places[rows], k=count, p=np.inf)[1]
            found[rows, :count] = rows[near]
    return found


def _within(strata: Codes, random: torch.Generator) -> Neighbours:
    """A permutation of the rows of each stratum."""
    shuffled = torch.randperm(len(strata), generator=random).numpy()
    taken = np.empty(len(strata), np.intp)
    taken[np.argsort(strata, kind="stable")] = shuffled[
        np.argsort(strata[shuffled], kind="stable")
    ]
    return taken


def _among(near: Neighbours, random: torch.Generator) -> Neighbours:
    """One of the near rows for each row, none twice where that can be (Runge, Algorithm 1)."""
    n, count = near.shape
    places = torch.rand(n, count, generator=random).argsort(1).numpy()
    shuffled = np.take_along_axis(near, places, 1).tolist()
    used, taken = [False] * n, np.empty(n, np.intp)
    for row in torch.randperm(n, generator=random).tolist():
        others = shuffled[row]
        chosen = next((other for other in others if not used[other]), others[-1])
        used[chosen], taken[row] = True, chosen
    return taken
