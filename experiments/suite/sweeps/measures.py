"""What each setting of a sweep gave.

All errors are estimate - truth in nats, over the cells that gave an estimate of a finite truth.
Where no truth is known there are no errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.intervals import bootstrap_interval
from experiments.suite.figures.palette import order

if TYPE_CHECKING:
    import pandas as pd

CELL = ["role", "task", "params", "method", "seed"]
"""What two settings' cells must share to be compared. (A cell's key has its steps as well.)"""
TASK = ["role", "task", "params", "method"]
COLUMNS = ["run_id", *CELL, "n_test", "steps", "nats", "truth", "seconds", "status"]
"""The columns of the rows that reading a sweep needs."""
MEANS = ["error", "bias", "rmse", "seconds"]
COUNTS = ["total", "cells", "ok", "diverged", "failed"]


def measures(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """One line per group of a sweep's table.

    Columns: those of `by`; error (mean |error|), bias (mean error), rmse, spread (standard
    deviation over seeds, averaged over tasks; nan where no task has two), in nats; seconds (mean a
    cell), total (of all cells); and the counts cells, ok, diverged, failed.
    """
    import pandas as pd

    by = list(by)
    aggregated = dict.fromkeys(MEANS, "mean") | dict.fromkeys(COUNTS, "sum")
    found = _measured(table).groupby(by, observed=True, dropna=False).agg(aggregated)
    found["rmse"] = np.sqrt(found["rmse"])
    spread = _spread(table, by)
    found["spread"] = spread.reindex(found.index) if len(spread) else math.nan
    return pd.DataFrame(found[[*MEANS, "spread", *COUNTS]].reset_index())


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row's share of each measure as columns; `rmse` has the squares."""
    error = table["nats"] - table["truth"]
    usable = (table["status"] == "ok") & np.isfinite(error)
    status = table["status"].astype("str")
    return table.assign(
        error=error.abs().where(usable),
        bias=error.where(usable),
        rmse=(error**2).where(usable),
        total=table["seconds"],
        cells=1,
        **{one: (status == one).astype(int) for one in ("ok", "diverged", "failed")},
    )


def _spread(table: pd.DataFrame, by: list[str]) -> pd.Series:
    """Standard deviation over seeds, averaged over tasks, for each group of `by`."""
    tasks = [*by, *(name for name in TASK if name not in by)]
    over_seeds = table[table["status"] == "ok"].groupby(tasks, observed=True)["nats"].std()
    return over_seeds.groupby(level=by).mean() if len(over_seeds) else over_seeds


def error_interval(table: pd.DataFrame, keys: Sequence[str]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean |error|: seeds are drawn anew within each cell.

    Args:
        table: rows of a sweep's table.
        keys: the columns of its axes; a cell of the grid is a task, method and setting.

    Returns:
        The interval's ends in nats; (nan, nan) where no cell has two seeds.
    """
    kept = table[table["status"] == "ok"]
    error = (kept["nats"] - kept["truth"]).abs()
    names = [*keys, *TASK]
    grouped = error[np.isfinite(error)].groupby([kept[name] for name in names], observed=True)
    groups = [one.to_numpy(dtype=float) for _, one in grouped]
    if not any(len(group) > 1 for group in groups):
        return math.nan, math.nan
    weights = np.array([len(group) for group in groups]) / sum(map(len, groups))

    def mean(drawn: Sequence[Any]) -> Any:
        return sum(weight * one.mean(-1) for weight, one in zip(weights, drawn, strict=True))

    return bootstrap_interval(groups, mean)


def moved(table: pd.DataFrame) -> bool:
    """Whether the settings change any estimate of these rows. True where none share a cell."""
    values = table.groupby(CELL, observed=True)["nats"].agg(["size", "nunique"])
    lost = table["nats"].isna().groupby([table[name] for name in CELL], observed=True).any()
    differ = (values["nunique"] + lost.to_numpy()) > 1
    return bool(differ.any() or (values["size"] == 1).all())


def parts(table: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """((role, method), rows), roles in the order of the rows and methods in the palette's."""
    methods = order({str(one) for one in table["method"].unique()})
    return [
        ((str(role), method), group)
        for role in table["role"].unique()
        for method in methods
        if len(group := table[(table["role"] == role) & (table["method"] == method)])
    ]


def moved_parts(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(method, rows) of the `parts` that the settings change."""
    return [(method, part) for (_, method), part in parts(table) if moved(part)]
