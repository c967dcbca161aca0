r"""What the experiments over whole lists of tasks share: their cells, measures and claims.

Every method gets n rows of each task as one's own data: dealt to training, validation and test, or
cross-fitted, as `mine.estimate` does (`estimator.split` in configs/). The cells of one task and
seed see the same rows, so that methods are compared in pairs.

A cell is *off* where its error is more than `NATS` and more than `SHARE` of the truth; it *said
so* where its estimate came with a warning. A cell that diverged or failed gave no estimate: its
error counts as infinite, and its row says so. Shares have Wilson's interval, which has a width
where all cells agree, too (the bootstrap's has none):

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

(Wilson, J. Am. Stat. Assoc. 22, 1927, https://doi.org/10.1080/01621459.1927.10502953).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims import claim as c
from experiments.suite.figures.labels import label
from experiments.suite.grid.cells import Cell, panel_cells

if TYPE_CHECKING:
    import pandas as pd

NATS, SHARE = 0.15, 0.15
"""Off: farther from the truth than both, the share of the truth."""
WHAT_IS_OFF = "0.15 nats (0.216 bits) and 15 % of the truth"
UNSAID_RULE = f"mean error of unwarned estimates within the larger of {WHAT_IS_OFF}, on each task"
NORMAL_95, ONE_SIDED_5 = 1.959964, 1.644854
"""Standard errors of a two-sided 95 % interval and of a one-sided test at 5 %."""
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
    """The rows with what is told of them here as columns.

    Columns: name, family, n, dof (nan but for Student-t tasks as they are); error (nats, infinite
    where the cell was lost), size (its absolute value), allowed (nats), off, said, covered (by the
    95 % interval), found (above 0 by the one-sided test).
    """
    params = [json.loads(text) for text in rows["params"]]
    lost = (rows["status"] != "ok") | ~np.isfinite(rows["nats"].astype(float))
    error = np.where(lost, np.inf, rows["nats"] - rows["truth"])
    size, allowed = np.abs(error), np.maximum(NATS, SHARE * rows["truth"])
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
        covered=size <= NORMAL_95 * rows["stderr"].fillna(0.0),
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
        low, high = (
            c.bootstrap_interval(groups, c.pooled_mean) if several else (math.nan, math.nan)
        )
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


def share_interval(hits: int, n: int) -> c.Interval:
    """Wilson's 95 % interval of a share of n independent cells; all of [0, 1] without any."""
    if not n:
        return 0.0, 1.0
    p, z = hits / n, NORMAL_95
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
    return max(0.0, low), min(1.0, high)


def seeds_of(rows: pd.DataFrame) -> int:
    """Seeds behind the thinnest task and method that have any cell that did not fail."""
    kept = rows[rows["status"] != "failed"]
    return int(kept.groupby(["name", "method"])["seed"].nunique().min()) if len(kept) else 0


# Claims

Judged = tuple[str, c.Verdict, c.Interval | None]
"""The measure in words, the verdict, and the interval that it rests on."""
NO_ROWS = "this run has no rows for it (0 seeds)"


def claim(
    name: str, paper: str, statement: str, judged: Judged, rule: str, figure: str
) -> c.Claim:
    """The claim `<experiment>-...`; without rows it has no figure."""
    measured, verdict, interval = judged
    shown = "" if measured == NO_ROWS else figure
    experiment = name.partition("-")[0]
    return c.Claim(name, experiment, paper, statement, measured, rule, verdict, shown, interval)


@dataclass(frozen=True)
class Measured:
    """One method's part of a claim, or one pair's."""

    interval: c.Interval
    value: float
    verdict: c.Verdict
    words: str


def together(found: Sequence[Measured], count: str, rows: pd.DataFrame) -> Judged:
    """The strictest verdict of all parts, in the words of the one that reaches lowest."""
    if not found:
        return NO_ROWS, "inconclusive", None
    decided = c.strictest(part.verdict for part in found)
    deciding = min((part for part in found if part.verdict == decided), key=lambda p: p.interval)
    words = f"{count}; decided by {deciding.words}{c.lost(rows)}"
    return words, decided, deciding.interval


def nearer(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> Judged:
    """Whether the first method of each pair has the lower mean |error| of the two.

    Measure: |error| of the second less that of the first, on the same rows, mean over tasks and
    seeds; what only one of them lost is infinite, what both lost is left out. The pair whose
    interval reaches lowest decides.
    """
    found = []
    by_method = sizes(rows)
    for one, other in pairs:
        groups = advantages(by_method, one, other)
        if groups:
            with np.errstate(invalid="ignore"):
                value = float(c.pooled_mean(groups))
            interval, seeds = c.bootstrap_interval(groups, c.pooled_mean), c.fewest_seeds(groups)
            verdict = c.verdict_within(interval, math.nextafter(0.0, 1.0), math.inf, seeds)
            words = (
                f"{label(other)} less {label(one)}: {c.nats(value, signed=True)},"
                f" {c.interval_words(interval, seeds, signed=True)}, over"
                f" {c.counted(len(groups), 'task')} of at least {c.counted(seeds, 'seed')}"
            )
            found.append(Measured(interval, value, verdict, words))
    ahead = sum(pair.value > 0 for pair in found)
    return together(found, f"ahead in {ahead} of {c.counted(len(found), 'comparison')}", rows)


def sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """|error| by method, a line for each role, task and seed, sorted."""
    return rows.pivot(index=["role", "name", "seed"], columns="method", values="size")


def advantages(by_method: pd.DataFrame, one: str, other: str) -> list[c.Array]:
    """|error| of `other` less that of `one` on the same rows of `sizes`: (S,) for each role and
    task."""
    if not {one, other} <= set(by_method.columns):
        return []
    with np.errstate(invalid="ignore"):
        gaps = (by_method[other] - by_method[one]).dropna()  # what both lost is inf - inf
    return c.by_cell(gaps.to_numpy(float), gaps.index)


def never_unsaid(rows: pd.DataFrame, method: str) -> Judged:
    """Whether a method is off on no task unless it warned: `claims.conclusion` on its tasks.

    Measure: mean error over a task's seeds, where a cell that came with a warning, or diverged,
    counts as 0: it said so. Tolerance: `allowed`.
    """
    own = rows[rows["method"] == method]
    kept = own[own["status"] != "failed"]
    checks = [
        c.check(
            str(name),
            np.where(group["said"], 0.0, group["error"]),
            float(group["allowed"].iloc[0]),
        )
        for name, group in kept.groupby("name")
    ]
    measured, verdict, interval = c.conclusion(checks, own, "tasks")
    off, near = kept[kept["off"]], kept[~kept["off"]]
    words = (
        f"of {len(off)} cells that are off {int(off['said'].sum())} said so, of {len(near)} others"
        f" {int(near['said'].sum())} warned; {measured}"
    )
    return (words if checks else NO_ROWS), verdict, interval


def share_within(rows: pd.DataFrame, column: str, low: float, high: float) -> Judged:
    """Whether the share of cells where a column is true lies between low and high.

    A failed cell is left out, and counted in the words.
    """
    kept = rows[rows["status"] != "failed"]
    hits, seeds = kept[column].to_numpy(bool), seeds_of(rows)
    if not len(hits):
        return NO_ROWS, "inconclusive", None
    interval = share_interval(int(hits.sum()), len(hits))
    words = (
        f"{int(hits.sum())} of {len(hits)} cells, share {c.number(float(hits.mean()))}, 95 %"
        f" interval {c.between(interval)}, at least {c.counted(seeds, 'seed')} a"
        f" task{c.lost(rows)}"
    )
    return words, c.verdict_within(interval, low, high, seeds), interval


def all_fail(rows: pd.DataFrame) -> Judged:
    """Whether each method fails: its mean |error| / truth over tasks and seeds is above `SHARE`.

    A failed cell is left out; a diverged one is infinitely far off. The method whose interval
    reaches lowest decides.
    """
    kept = rows[rows["status"] != "failed"]
    found = []
    for method, own in kept.groupby("method"):
        groups = [(g["size"] / g["truth"]).to_numpy(float) for _, g in own.groupby("name")]
        value = float(c.pooled_mean(groups))
        interval, seeds = c.bootstrap_interval(groups, c.pooled_mean), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, math.nextafter(SHARE, 1.0), math.inf, seeds)
        words = (
            f"{label(str(method))}: mean |error| {c.number(100 * value)} % of the truth,"
            f" 95 % interval {c.between((100 * interval[0], 100 * interval[1]))} % over"
            f" {c.counted(len(groups), 'task')} of at least {c.counted(seeds, 'seed')}"
        )
        found.append(Measured(interval, value, verdict, words))
    failing = sum(part.value > SHARE for part in found)
    count = f"{failing} of {c.counted(len(found), 'method')} fail on the mean"
    return together(found, count, rows)
