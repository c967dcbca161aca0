"""The arms of the bottleneck, and the choice of their beta by validation images alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from experiments.suite.claims.intervals import Array
from experiments.suite.claims.measures import by_seed
from experiments.suite.claims.rows import shared_seeds
from experiments.suite.figures.palette import SETTING_MARKERS, SETTINGS

if TYPE_CHECKING:
    import pandas as pd

BASELINE, DROPOUT, VIB, NOISE = "baseline", "dropout", "vib", "noise"
GAUSSIAN, PROPAGATED, ADDITIVE = "mine_gaussian", "mine_propagated", "mine_additive"
LABELS = {
    BASELINE: "baseline",
    DROPOUT: "dropout",
    VIB: "VIB",
    GAUSSIAN: "MINE, Gaussian",
    PROPAGATED: "MINE, propagated",
    NOISE: "noise alone",
    ADDITIVE: "MINE, additive",
}
"""The arms in the figures' order."""
PRINTED = {
    BASELINE: 1.38,
    DROPOUT: 1.34,
    VIB: 1.13,
    GAUSSIAN: 1.11,
    PROPAGATED: 1.10,
    ADDITIVE: 1.01,
}
"""Test errors in percent of the ICML version, as recalled; VIB reruns give about 1.30."""
WITH_BETA = {VIB: "vib_betas", GAUSSIAN: "betas", PROPAGATED: "betas", ADDITIVE: "betas"}
WITHOUT_TERM = (GAUSSIAN, ADDITIVE)
"""The arms of MINE that are trained at beta 0, too."""
LOOKS = {
    arm: {"color": colour, "marker": marker, "label": LABELS[arm]}
    for arm, colour, marker in zip(
        LABELS, (*SETTINGS, "#7b4ea3"), (*SETTING_MARKERS, "h"), strict=True
    )
}


def chosen(rows: pd.DataFrame, arm: str) -> pd.DataFrame:
    """The rows of an arm at the beta of least mean validation error.

    Of equal ones that of less validation cross-entropy, then the smaller beta. beta 0 is no choice
    of an arm that has others. A beta at which a cell was lost is taken only where all are.
    """
    own = rows[(rows["arm"] == arm) & (rows["status"] != "failed")]
    if arm in WITH_BETA:
        own = own[own["beta"] > 0]
    if not len(own):
        return own
    lost = own.assign(
        **{
            name: own[name].where((own["status"] == "ok") & np.isfinite(own[name]), math.inf)
            for name in ("validation_error", "validation_nats")
        }
    )
    means = lost.groupby("beta")[["validation_error", "validation_nats"]].mean()
    best = means.sort_values(["validation_error", "validation_nats"], kind="stable").index[0]
    return own[own["beta"] == best]


def values_of(rows: pd.DataFrame, column: str) -> pd.Series:
    """Seed -> value; infinite where the cell diverged or has no such value."""
    return by_seed(rows, column, math.inf)


def pairs(one: pd.Series, two: pd.Series) -> Array:
    """one - two of the seeds that both have, (S,); where a side is infinite, so is its sign."""
    first, second = shared_seeds(one, two)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(second), -math.inf, first - second)


def said(rows: pd.DataFrame) -> str:
    """The name of an arm with its beta, of rows of one."""
    arm, beta = str(rows["arm"].iloc[0]), float(rows["beta"].iloc[0])
    return f"{LABELS[arm]} (β {beta:g})" if arm in WITH_BETA else LABELS[arm]
