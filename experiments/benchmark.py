"""Beyond Normal: each method on tables of tasks with known information, on n rows of its own.

Czyz et al., "Beyond Normal", NeurIPS 2023, https://arxiv.org/abs/2306.11078: 40 tasks, 10,000
rows, 10 seeds; here each method as `mine.estimate` runs it, its training, validation and test
rows dealt from these. That is scale=paper. scale=default is a cut for 2 cores, named in
configs/experiment/benchmark.yaml: 20 of the tasks, some of each family, 2,000 rows, 3 seeds. Its
errors are larger than the paper's, since a network has 1,200 rows to train on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.checks import Finding
from experiments.suite.claims.claim import claim
from experiments.suite.task_tables import tables
from experiments.suite.task_tables.figures import errors, failures
from experiments.suite.task_tables.findings import (
    NO_ROWS,
    UNSAID_RULE,
    all_fail,
    nearer,
    never_unsaid,
)
from experiments.suite.task_tables.tables import table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from experiments.suite.grid.cells import Cell

__all__ = ["cells", "claims", "figures", "table"]

PAPER = "Czyz et al. 2023"
ERRORS, FAILURES = "benchmark", "benchmark_failures"
NEURAL = ("mine", "smile(tau=5)")
"""The neural estimators of the headline; "auto" is this suite's own."""
OWN = "auto"
HIGH = 25
"""Dimensions of X from which on a task is high-dimensional."""
HEAVIEST = 2.0
"""Degrees of freedom up to which a Student-t has heavy tails: its variance is infinite."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """The chosen tasks x methods x seeds, all of n rows."""
    rows = dict.fromkeys(tables.chosen(config), int(config["experiment"]["n"]))
    return [
        cell
        for role in config["experiment"]["panels"]
        for cell in tables.named_cells(role, rows, config)
    ]


# Claims. Measures and tolerances were written down before any run.


APART = "mean |error| lower, the whole interval of the difference on the same rows above 0"
FAILING = "mean |error| / truth of each method but auto above 15 %"


def neural(rows: pd.DataFrame) -> list[str]:
    """The neural estimators of the headline that this run has."""
    return [method for method in NEURAL if (rows["method"] == method).any()]


def others(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of all methods but this suite's own."""
    return rows[rows["method"] != OWN]


@claim(
    "benchmark-high",
    paper=PAPER,
    figure=ERRORS,
    rule=f"MINE's and SMILE's {APART}",
    statement=f"In high dimension ({HIGH} and more) neural estimators are nearer to the truth than"
    " KSG.",
    missing=NO_ROWS,
)
def high(rows: pd.DataFrame) -> Finding | None:
    excluded = (rows["dof"] <= HEAVIEST) | (rows["family"] == "spiral")
    own = rows[(rows["dim"] >= HIGH) & ~excluded]
    return nearer(own, [(method, "ksg") for method in neural(rows)])


@claim(
    "benchmark-low",
    paper=PAPER,
    figure=ERRORS,
    rule=f"KSG's {APART}, against MINE and SMILE",
    missing=NO_ROWS,
)
def low(rows: pd.DataFrame) -> Finding | None:
    """In one dimension KSG is nearer to the truth than neural estimators."""
    own = rows[(rows["dim"] == 1) & ~(rows["dof"] <= HEAVIEST)]
    return nearer(own, [("ksg", method) for method in neural(rows)])


@claim("benchmark-tails", paper=PAPER, figure=FAILURES, rule=FAILING, missing=NO_ROWS)
def tails(rows: pd.DataFrame) -> Finding | None:
    """All methods fail on heavy tails (Student-t of at most 2 degrees of freedom)."""
    return all_fail(others(rows[rows["dof"] <= HEAVIEST]))


@claim("benchmark-spiral", paper=PAPER, figure=FAILURES, rule=FAILING, missing=NO_ROWS)
def spiral(rows: pd.DataFrame) -> Finding | None:
    """All methods fail on the spiral."""
    return all_fail(others(rows[rows["family"] == "spiral"]))


@claim(
    "benchmark-auto",
    paper="this suite's target",
    figure=FAILURES,
    rule=UNSAID_RULE,
    missing=NO_ROWS,
)
def own_method(rows: pd.DataFrame) -> Finding | None:
    """auto is off on no task unless it warns."""
    return never_unsaid(rows, OWN)


claims = [high, low, tails, spiral, own_method]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Errors of each method on each task, and the share of cells that are off by family."""
    found = table(rows)
    n = "no rows" if not len(found) else f"{int(found['n'].iloc[0]):,} rows"
    cut = (
        f"{found['name'].nunique()} tasks, {n} of each, split into training, validation and"
        " test; the paper has 40 of 10,000 rows and 10 seeds (scale=paper)."
    )
    return {
        ERRORS: errors(found, "Beyond Normal: error of each method on each task", [cut]),
        FAILURES: failures(found, "Where each method is off", [cut]),
    }
