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

from experiments.suite.claims.claim import Claim
from experiments.suite.task_tables import tables
from experiments.suite.task_tables.figures import errors, failures
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


def claims(rows: pd.DataFrame) -> list[Claim]:
    """The paper's headline in four parts, and what this suite's own method makes of the table."""
    found = table(rows)
    neural = [m for m in NEURAL if (found["method"] == m).any()]
    spiral, tails = found["family"] == "spiral", found["dof"] <= HEAVIEST
    high = found[(found["dim"] >= HIGH) & ~spiral & ~tails]
    low = found[(found["dim"] == 1) & ~tails]
    others = found["method"] != OWN
    apart = "mean |error| lower, the whole interval of the difference on the same rows above 0"
    failing = "mean |error| / truth of each method but auto above 15 %"
    return [
        tables.claim(
            "benchmark-high",
            PAPER,
            f"In high dimension ({HIGH} and more) neural estimators are nearer to the truth than"
            " KSG.",
            tables.nearer(high, [(m, "ksg") for m in neural]),
            f"MINE's and SMILE's {apart}",
            ERRORS,
        ),
        tables.claim(
            "benchmark-low",
            PAPER,
            "In one dimension KSG is nearer to the truth than neural estimators.",
            tables.nearer(low, [("ksg", m) for m in neural]),
            f"KSG's {apart}, against MINE and SMILE",
            ERRORS,
        ),
        tables.claim(
            "benchmark-tails",
            PAPER,
            "All methods fail on heavy tails (Student-t of at most 2 degrees of freedom).",
            tables.all_fail(found[tails & others]),
            failing,
            FAILURES,
        ),
        tables.claim(
            "benchmark-spiral",
            PAPER,
            "All methods fail on the spiral.",
            tables.all_fail(found[spiral & others]),
            failing,
            FAILURES,
        ),
        tables.claim(
            "benchmark-auto",
            "this suite's target",
            "auto is off on no task unless it warns.",
            tables.never_unsaid(found, OWN),
            tables.UNSAID_RULE,
            FAILURES,
        ),
    ]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Errors of each method on each task, and the share of cells that are off by family."""
    found = table(rows)
    n = "no rows" if not len(found) else f"{int(found['n'].iloc[0]):,} rows"
    cut = (
        f"{found['name'].nunique()} tasks of {n} of one's own, dealt to training, validation and"
        " test; the paper has 40 of 10,000 rows and 10 seeds (scale=paper)."
    )
    return {
        ERRORS: errors(found, "Beyond Normal: error of each method on each task", [cut]),
        FAILURES: failures(found, "Where each method is off", [cut]),
    }
