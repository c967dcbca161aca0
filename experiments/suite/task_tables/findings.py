"""What the claims over whole lists of tasks measure, on rows as `tables.table` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.suite.claims.checks import (
    ALL_WITHIN,
    Check,
    Finding,
    all_hold,
    check,
    more_than,
    number_of,
    verdict_within,
)
from experiments.suite.claims.intervals import (
    Array,
    Interval,
    fewest_seeds,
    pooled_mean,
    share_interval,
)
from experiments.suite.claims.rows import by_cell
from experiments.suite.claims.wording import between, counted, interval_words, nats, number
from experiments.suite.figures.labels import label
from experiments.suite.task_tables.tables import SHARE, WHAT_IS_OFF

if TYPE_CHECKING:
    import pandas as pd

UNSAID_RULE = f"mean error of unwarned estimates within the larger of {WHAT_IS_OFF}, on each task"
NO_ROWS = "this run has no rows for it (0 seeds)"


def nearer(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> Finding | None:
    """Whether the first method of each pair has the lower mean |error| of the two.

    Measure: |error| of the second less that of the first, on the same rows, mean over tasks and
    seeds; what only one of them lost is infinite, what both lost is left out. The pair whose
    interval reaches lowest decides.
    """
    by_method = sizes(rows)
    found = [
        lead(one, other, groups)
        for one, other in pairs
        if (groups := advantages(by_method, one, other))
    ]
    compared = counted(len(found), "comparison")
    words = f"ahead in {{inside}} of {compared}; decided by {{deciding}}"
    return all_hold(found, "comparisons", rows, words)


def lead(one: str, other: str, groups: Sequence[Array]) -> Check:
    """That the mean of these advantages of one method over another is above 0."""
    (value, interval), seeds = number_of(groups, pooled_mean), fewest_seeds(groups)
    words = (
        f"{label(other)} less {label(one)}: {nats(value, signed=True)},"
        f" {interval_words(interval, seeds, signed=True)}, over"
        f" {counted(len(groups), 'task')} of at least {counted(seeds, 'seed')}"
    )
    return Check(one, value, interval, more_than(0.0), seeds, words, lowest(interval))


def lowest(interval: Interval) -> tuple[float, float]:
    """The strain by which the interval that reaches lowest decides."""
    return -interval[0], -interval[1]


def sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """|error| by method, a line for each role, task and seed, sorted."""
    return rows.pivot(index=["role", "name", "seed"], columns="method", values="size")


def advantages(by_method: pd.DataFrame, one: str, other: str) -> list[Array]:
    """|error| of `other` less that of `one` on the same rows of `sizes`: (S,) for each role and
    task."""
    if not {one, other} <= set(by_method.columns):
        return []
    with np.errstate(invalid="ignore"):
        gaps = (by_method[other] - by_method[one]).dropna()  # what both lost is inf - inf
    return by_cell(gaps.to_numpy(float), gaps.index)


def never_unsaid(rows: pd.DataFrame, method: str) -> Finding | None:
    """Whether a method is off on no task unless it warned.

    Measure: mean error over a task's seeds, where a cell that came with a warning, or diverged,
    counts as 0: it said so. Tolerance: `allowed`.
    """
    own = rows[rows["method"] == method]
    kept = own[own["status"] != "failed"]
    checks = [
        check(
            str(name),
            np.where(group["said"], 0.0, group["error"]),
            float(group["allowed"].iloc[0]),
        )
        for name, group in kept.groupby("name")
    ]
    off, near = kept[kept["off"]], kept[~kept["off"]]
    warned = (
        f"of {len(off)} cells that are off {int(off['said'].sum())} said so, of {len(near)} others"
        f" {int(near['said'].sum())} warned; "
    )
    return all_hold(checks, "tasks", own, warned + ALL_WITHIN)


def share_within(rows: pd.DataFrame, column: str, low: float, high: float) -> Finding | None:
    """Whether the share of cells where a column is true lies between low and high.

    A failed cell is left out, and counted in the words.
    """
    kept = rows[rows["status"] != "failed"]
    if not len(kept):
        return None
    hits, seeds = kept[column].to_numpy(bool), seeds_of(kept)
    interval = share_interval(int(hits.sum()), len(hits))
    words = (
        f"{int(hits.sum())} of {len(hits)} cells, share {number(float(hits.mean()))}, 95 %"
        f" interval {between(interval)}, at least {counted(seeds, 'seed')} a task"
    )
    return Finding(words, verdict_within(interval, low, high, seeds), interval, rows)


def seeds_of(rows: pd.DataFrame) -> int:
    """The seeds of the task and method that have the fewest."""
    return int(rows.groupby(["name", "method"])["seed"].nunique().min())


def all_fail(rows: pd.DataFrame) -> Finding | None:
    """Whether each method fails: its mean |error| / truth over tasks and seeds is above `SHARE`.

    A failed cell is left out; a diverged one has an infinite error. The method whose interval
    reaches lowest decides.
    """
    kept = rows[rows["status"] != "failed"]
    found = [failure(str(method), own) for method, own in kept.groupby("method")]
    methods = counted(len(found), "method")
    words = f"{{inside}} of {methods} fail on the mean; decided by {{deciding}}"
    return all_hold(found, "methods", rows, words)


def failure(method: str, rows: pd.DataFrame) -> Check:
    """That one method's mean |error| / truth is above `SHARE`."""
    groups = [(one["size"] / one["truth"]).to_numpy(float) for _, one in rows.groupby("name")]
    (value, interval), seeds = number_of(groups, pooled_mean), fewest_seeds(groups)
    words = (
        f"{label(method)}: mean |error| {number(100 * value)} % of the truth,"
        f" 95 % interval {between((100 * interval[0], 100 * interval[1]))} % over"
        f" {counted(len(groups), 'task')} of at least {counted(seeds, 'seed')}"
    )
    return Check(method, value, interval, more_than(SHARE), seeds, words, lowest(interval))
