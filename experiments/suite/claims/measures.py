"""Measures of applications, out of the rows' column `measures`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.intervals import Array
from experiments.suite.store.measures import measures_of

if TYPE_CHECKING:
    import pandas as pd


def measure(rows: pd.DataFrame, name: str) -> Array:
    """The number of this name in each row, (N,); nan where a row has none or it is not finite."""
    found = (measures_of(text).get(name) for text in rows["measures"])
    return np.array([math.nan if one is None else float(one) for one in found])


def measured(rows: pd.DataFrame, name: str) -> list[Any]:
    """What stands under this name in each row, of any shape; None where a row has none."""
    return [measures_of(text).get(name) for text in rows["measures"]]


def by_measure(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows with the measure in place of `nats`, and 0 for the truth.

    So what compares and draws estimates (`errors`, `differences`, `summary`, `method_series`)
    compares and draws the measure. As for estimates, failed rows are missing, and a diverged row
    or a missing measure counts as infinitely far off.
    """
    return rows.assign(nats=measure(rows, name), truth=0.0)
