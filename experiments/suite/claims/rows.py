"""Rows to arrays and lines: errors, differences between pairs, summaries of seeds, curves.

All errors are estimate - truth in nats.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.intervals import Array, mean_interval

if TYPE_CHECKING:
    import pandas as pd


PROBES = frozenset({"constant", "gibbs", "gradient"})
"""The names of experiments/probes/names.py, without torch; a test compares the two."""


def given(function: Callable[..., Any], rows: pd.DataFrame, curves: pd.DataFrame) -> Any:
    """Calls an experiment's function; one that has an argument `curves` gets them, too."""
    asks = "curves" in inspect.signature(function).parameters
    return function(rows, curves) if asks else function(rows)


def without_probed_truths(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, with truth nan where a probe is reported, as in 'mine/constant': no estimate."""
    reported = [str(method).partition("/")[2].partition("(")[0] for method in rows["method"]]
    probed = [name in PROBES for name in reported]
    return rows.assign(truth=rows["truth"].mask(np.array(probed, dtype=bool)))


def errors(rows: pd.DataFrame) -> Array:
    """Estimate - truth, one per row, shape (N,).

    A failed row (it raised) is missing data and is left out. A diverged row, or a value that is
    not finite, gave no estimate and counts as an infinite error.
    """
    kept = rows[rows["status"] != "failed"]
    error = (kept["nats"] - kept["truth"]).to_numpy(dtype=float)
    lost = (kept["status"] == "diverged").to_numpy() | ~np.isfinite(kept["nats"].to_numpy(float))
    return np.where(lost, np.inf, error)


def differences(
    rows: pd.DataFrame, by: str, one: Any, two: Any, within: Sequence[str]
) -> list[Array]:
    """nats of `one` less nats of `two`, paired by seed: an array of shape (S,) for each cell.

    Args:
        rows: where they come from; failed rows are missing, a diverged one has an infinite error.
        by: the column in which the two differ.
        within: the columns in which they agree, the seed aside.
    """
    kept = rows[(rows["status"] != "failed") & rows[by].isin([one, two])]
    numbered = kept.assign(row_=range(len(kept)))
    sides = numbered.pivot(index=[*within, "seed"], columns=by, values="row_")
    if not {one, two} <= set(sides.columns):
        return []
    sides = sides.dropna()  # seeds that one side alone has
    first, second = (errors(kept)[sides[side].to_numpy(int)] for side in (one, two))
    with np.errstate(invalid="ignore"):
        gaps = np.where(np.isinf(first) | np.isinf(second), np.inf, first - second)
    return by_cell(gaps, sides.index)


def shared_seeds(one: pd.Series, two: pd.Series) -> tuple[Array, Array]:
    """Two sides' values of the seeds that both have, (S,) each; a side's index is its seeds."""
    seeds = sorted(set(one.index) & set(two.index))
    return one[seeds].to_numpy(float), two[seeds].to_numpy(float)


def by_cell(values: Array, index: pd.Index) -> list[Array]:
    """One array of shape (S,) for each cell, of values with a sorted index of cells and "seed"."""
    starts = ~index.droplevel("seed").duplicated()
    return np.split(values, np.flatnonzero(starts)[1:]) if len(values) else []


def summary(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """One line per group: what a figure or a table shows of the group's seeds.

    Columns: those of `by`; mean, low, high (of the ok seeds, nats; nan without any), truth, error,
    seconds (mean), and the counts ok, diverged, failed. A mean of one seed has no interval.
    """
    import pandas as pd

    nats, truths, seconds = (rows[n].to_numpy(dtype=float) for n in ("nats", "truth", "seconds"))
    statuses = {one: (rows["status"] == one).to_numpy() for one in ("ok", "diverged", "failed")}

    def line(at: Array) -> dict[str, Any]:
        values, known = nats[at[statuses["ok"][at]]], seconds[at[~np.isnan(seconds[at])]]
        mean = float(values.mean()) if len(values) else math.nan
        low, high = mean_interval(values) if len(values) > 1 else (math.nan, math.nan)
        truth = float(truths[at[0]])
        return {
            "mean": mean,
            "low": low,
            "high": high,
            "truth": truth,
            "error": mean - truth,
            "seconds": float(known.mean()) if len(known) else math.nan,
            **{status: int(has[at].sum()) for status, has in statuses.items()},
        }

    groups = rows[list(by)].reset_index(drop=True).groupby(list(by), sort=True, dropna=False)
    lines = [
        {**dict(zip(by, names, strict=True)), **line(group.index.to_numpy())}
        for names, group in groups
    ]
    columns = [*by, "mean", "low", "high", "truth", "error", "seconds", "ok", "diverged", "failed"]
    return pd.DataFrame(lines, columns=columns)


def curve_points(rows: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The rows' training curves: the columns of a row, and `step` and `train_nats` of a point."""
    return rows.drop(columns="train_nats").merge(curves, on="key")
