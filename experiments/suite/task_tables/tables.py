"""What the experiments over whole lists of tasks share: their cells and their measures.

Every method gets n rows of each task as a user's own data: dealt to training, validation and test,
or cross-fitted, as `mine.estimate` does (`estimator.split` in configs/). The cells of one task and
seed see the same rows, so that methods are compared in pairs.

A cell is *off* where its error is more than `NATS` and more than `SHARE` of the truth; it *said
so* where its estimate came with a warning. A cell that diverged or failed gave no estimate: its
error counts as infinite, and its row says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.intervals import (
    NORMAL_95,
    bootstrap_interval,
    interval_score,
    pooled_mean,
)
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd

NATS, SHARE = 0.15, 0.15
"""Off: farther from the truth than both, these nats and this share of the truth."""
WHAT_IS_OFF = "0.15 nats (0.216 bits) and 15 % of the truth"
ONE_SIDED_5 = 1.644854
"""Standard errors of a one-sided test at 5 %."""
FAMILIES = {
    "independent": "independent",
    "normal": "normal",
    "dense": "normal",
    "sparse": "normal",
    "canonical": "normal",
    "student": "Student-t",
    "asinh": "asinh of Student-t",
    "uniform": "uniform margins",
    "half-cube": "half-cube",
    "wiggly": "wiggly",
    "flow": "flow",
    "swiss-roll": "swiss roll",
    "spiral": "spiral",
    "additive": "additive noise",
    "noise": "additive noise",
    "folded": "folded",
    "bimodal": "mixture",
    "mixture": "mixture",
    "steps": "discrete",
    "poisson": "discrete",
    "classes": "discrete",
    "table": "discrete",
}
"""What a task's name begins with -> its family, in the order of the figures."""


def family(name: str) -> str:
    """The family that a task's name tells; "other" where it tells none."""
    return next((of for start, of in FAMILIES.items() if name.startswith(start)), "other")


# Cells


def chosen(config: Mapping[str, Any]) -> list[str]:
    """The names of the tasks that `experiment.names` asks for.

    Raises:
        ValueError: a name is not in `experiment.tasks`.
    """
    names, tasks = config["experiment"]["names"], config["experiment"]["tasks"]
    return list(tasks) if names == "all" else list(names)


def named_cells(role: str, rows: Mapping[str, int], config: Mapping[str, Any]) -> list[Cell]:
    """One panel's cells: named tasks, each of so many rows, x methods x seeds.

    The row of a cell has the name and n among its params, under "experiment".

    Raises:
        ValueError: a name is not in `experiment.tasks`.
    """
    tasks = config["experiment"]["tasks"]
    unknown = sorted(set(rows) - set(tasks))
    if unknown:
        raise ValueError(
            f"expected names of experiment.tasks, got {unknown[0]!r}: known are {', '.join(tasks)}"
        )
    found = []
    for name, n in rows.items():
        asked = {"experiment": {"task": name, "n": n}}
        found += panel_cells(role, [tasks[name]], config, asked)
    return found


# Rows to measures


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with what is measured on them as columns.

    Columns: name, family, n, dof (nan but for Student-t tasks as they are); error (nats, infinite
    where the cell was lost), size (its absolute value), allowed (nats), off, said, covered (by the
    95 % interval), score (of that interval, nats), found (above 0 by the one-sided test).
    """
    params = [json.loads(text) for text in rows["params"]]
    lost = (rows["status"] != "ok") | ~np.isfinite(rows["nats"].astype(float))
    error = np.where(lost, np.inf, rows["nats"] - rows["truth"])
    size, allowed = np.abs(error), np.maximum(NATS, SHARE * rows["truth"])
    half = NORMAL_95 * rows["stderr"].fillna(0.0)
    return rows.assign(
        name=[one["experiment"]["task"] for one in params],
        family=[family(one["experiment"]["task"]) for one in params],
        n=[int(one["experiment"]["n"]) for one in params],
        dof=[float(one.get("dof", math.nan)) for one in params],
        error=error,
        size=size,
        allowed=allowed,
        off=size > allowed,
        said=lost | (rows["warnings"] != ""),
        covered=size <= half,
        score=interval_score(size, half),
        found=lost | (rows["nats"] > ONE_SIDED_5 * rows["stderr"]),
    )


def places(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for each task of a table, by family and then as they come: name, family, n, dim,
    truth."""
    lines = rows.drop_duplicates("name")[["name", "family", "n", "dim", "truth"]]
    rank = {of: i for i, of in enumerate(dict.fromkeys(FAMILIES.values()))}
    key = lines["family"].map(lambda of: rank.get(of, len(rank)))
    return lines.loc[key.sort_values(kind="stable").index].reset_index(drop=True)


def per_task(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for each task and method of a table, indexed by both.

    Columns: error (mean over the seeds that were not lost, nats; nan without any), lost, off and
    cells (counts).
    """
    kept = rows.assign(error=rows["error"].where(np.isfinite(rows["error"])))
    groups = kept.groupby(["name", "method"])
    cells, errors = groups.size(), groups["error"].count()
    return (
        groups["error"]
        .mean()
        .to_frame("error")
        .assign(lost=cells - errors, off=groups["off"].sum(), cells=cells)
    )


def per_method(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for each method, the least mean |error| first.

    Columns: method; mean |error| over all cells (infinite where one was lost) with its interval
    low, high (nan where each task has one seed), median, nats; off, diverged, failed, cells;
    seconds (mean).
    """
    import pandas as pd

    def line(method: str, group: pd.DataFrame) -> dict[str, Any]:
        groups = [one["size"].to_numpy(float) for _, one in group.groupby("name")]
        several = max(map(len, groups)) > 1
        low, high = bootstrap_interval(groups, pooled_mean) if several else (math.nan, math.nan)
        return {
            "method": method,
            "mean": float(group["size"].mean()),
            "low": low,
            "high": high,
            "median": float(group["size"].median()),
            "off": int(group["off"].sum()),
            "diverged": int((group["status"] == "diverged").sum()),
            "failed": int((group["status"] == "failed").sum()),
            "cells": len(group),
            "seconds": float(group["seconds"].mean()),
        }

    columns = ["method", "mean", "low", "high", "median", "off", "diverged", "failed", "cells"]
    lines = [line(str(method), group) for method, group in rows.groupby("method")]
    found = pd.DataFrame(lines, columns=[*columns, "seconds"])
    return found.sort_values(["mean", "median"], kind="stable").reset_index(drop=True)
