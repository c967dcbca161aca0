"""How accurate is each method on data of one's own? All methods, on the tasks of "auto".

The tasks of configs/tasks/development.yaml, on which method "auto" was developed, each with its
own number of rows from 1,000 to 20,000 (`experiment.rows`). Panel `accuracy`: all methods. Panels
`coverage` and `independent`: "auto" alone on more rows of the tasks whose intervals, and whose
false positives, are counted. Tables as Markdown: `make benchmark-accuracy`.

Not one of the experiments that `make reproduce` runs: it takes hours on 2 cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.checks import Finding
from experiments.suite.claims.claim import claim
from experiments.suite.task_tables import tables
from experiments.suite.task_tables.figures import errors
from experiments.suite.task_tables.findings import (
    NO_ROWS,
    UNSAID_RULE,
    nearer,
    never_unsaid,
    share_within,
)
from experiments.suite.task_tables.own_figure import own
from experiments.suite.task_tables.tables import table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from experiments.suite.grid.cells import Cell

__all__ = ["cells", "claims", "coverable", "figures", "independent", "table"]

PAPER = "this suite's target"
ERRORS, OWN_FIGURE = "accuracy", "accuracy_auto"
OWN = "auto"
COMPARED = "accuracy"
"""The panel of all methods; the others are named as the lists of their tasks are."""
MOST_NATS, LEAST_ROWS = 3.0, 5000
"""Of the tasks whose intervals are looked at: beyond, no lower bound can be certified."""
NOTHING = 1e-9
"""The largest truth, in nats, that is 0."""
COVERAGE = 0.90, 0.99
FALSE = 0.07
"""The most that may be found at truth 0 by a test of nominal 5 %."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Tasks x methods x seeds, each task with its rows."""
    experiment = config["experiment"]
    most = int(experiment["most_rows"])
    return [
        cell
        for role in experiment["panels"]
        for cell in tables.named_cells(
            role,
            {
                str(name): min(most, int(experiment["rows"][name]))
                for name in (tables.chosen(config) if role == COMPARED else experiment[role])
            },
            config,
        )
    ]


def coverable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of "auto", of a table, whose intervals are to cover the truth."""
    own = rows[rows["method"] == OWN]
    possible = (own["truth"] > NOTHING) & (own["truth"] <= MOST_NATS)
    return own[possible & (own["n"] >= LEAST_ROWS)]


def independent(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of "auto", of a table, where there is nothing to be found."""
    own = rows[rows["method"] == OWN]
    return own[own["truth"].abs() <= NOTHING]


# Claims. Measures and tolerances were written down before any run.


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the panel of all methods."""
    return rows[rows["role"] == COMPARED]


@claim(
    "accuracy-best",
    paper=PAPER,
    figure=ERRORS,
    rule="against each other method, the whole interval of the difference of mean |error| on"
    " the same rows above 0",
    missing=NO_ROWS,
)
def best(rows: pd.DataFrame) -> Finding | None:
    """Of all methods auto has the lowest mean |error|."""
    own = compared(rows)
    return nearer(own, [(OWN, method) for method in sorted(set(own["method"]) - {OWN})])


@claim("accuracy-said", paper=PAPER, figure=OWN_FIGURE, rule=UNSAID_RULE, missing=NO_ROWS)
def said(rows: pd.DataFrame) -> Finding | None:
    """auto is off on no task unless it warns."""
    return never_unsaid(compared(rows), OWN)


@claim(
    "accuracy-coverage",
    paper=PAPER,
    figure=OWN_FIGURE,
    rule="share of cells covered between .90 and .99",
    statement=f"The 95 % interval of auto covers the truth, where that is at most {MOST_NATS:g}"
    f" nats and n at least {LEAST_ROWS:,}.",
    missing=NO_ROWS,
)
def covered(rows: pd.DataFrame) -> Finding | None:
    return share_within(coverable(rows), "covered", *COVERAGE)


@claim(
    "accuracy-null",
    paper=PAPER,
    figure=OWN_FIGURE,
    rule="share of values above 1.645 of their standard errors at most .07 (nominal .05)",
    missing=NO_ROWS,
)
def nothing_found(rows: pd.DataFrame) -> Finding | None:
    """auto finds nothing where there is nothing."""
    return share_within(independent(rows), "found", 0.0, FALSE)


claims = [best, said, covered, nothing_found]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Errors of each method on each task; and of auto: errors, warnings, coverage, nulls."""
    found = table(rows)
    compared = found[found["role"] == COMPARED]
    note = (
        "A fixed set of rows, split into training, validation and test, as mine.estimate does"
        " without options."
    )
    title = "Development tasks: error of each method"
    return {
        ERRORS: errors(compared, title, [note]),
        OWN_FIGURE: own(compared, OWN, coverable(found), independent(found), COVERAGE, FALSE),
    }
