"""Measures of applications, out of the rows' column `measures`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
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


def with_measures(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of an application on images, with these measures and its data set as columns."""
    data = [str(json.loads(text)["data"]) for text in rows["params"]]
    return rows.assign(data=data, **{name: measure(rows, name) for name in names})


def by_seed(rows: pd.DataFrame, column: str, worst: float) -> pd.Series:
    """Seed -> value; the worst where the cell diverged or has none. Failed rows are missing."""
    own = rows[rows["status"] != "failed"]
    known = (own["status"] == "ok") & np.isfinite(own[column])
    return own[column].where(known, worst).set_axis(own["seed"])
