"""ReMINE (Choi and Lee 2020): the constant C of the critic through training.

DV's value is the same at T and T + c, so that its best critics are log dP/dQ + C with any C, and
training may let C drift, and with it the partition term E_q[e^T] = e^C. ReMINE subtracts
alpha (log E_q[e^T])^2 from what is ascended. Cells of the role "constant" report C = log E_q[e^T]
on test samples in place of an estimate, and their curves C on training batches: their `truth` is
that of the task, and no truth of C.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, all_hold, difference, measure
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Interval, pooled_mean
from experiments.suite.claims.rows import curve_points, errors
from experiments.suite.claims.wording import counted
from experiments.suite.figures.axes import truth_line
from experiments.suite.figures.labels import dim_of, label
from experiments.suite.figures.notes import RUNNING, curve_note, sample_note, titled_figure
from experiments.suite.figures.palette import SHADE
from experiments.suite.figures.series import learning_curves
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Choi and Lee 2020"
FIGURE = "drift"
ESTIMATE, CONSTANT = "estimate", "constant"
REMINE = "remine(alpha=0.1)"
STILL = 0.5
"""Nats within which C counts as still: a partition term between .6 and 1.6."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Trainings x seeds, once for the estimate and once for the constant."""
    experiment = config["experiment"]
    tasks = [gaussian_task(int(experiment["dim"]), experiment["nats"])]
    return [cell for role in experiment["panels"] for cell in panel_cells(role, tasks, config)]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with what they were trained as in the place of their method."""
    return rows.assign(method=[str(method).partition("/")[0] for method in rows["method"]])


# Claims. Measures and tolerances were written down before any run.


@claim(
    "drift-free",
    paper=PAPER,
    figure=FIGURE,
    rule="mean |C| of plain DV at the end above 0.5 nats (0.721 bits)",
    missing="this run has no rows of it",
)
def drifts(rows: pd.DataFrame) -> Finding | None:
    """Trained on DV alone, the critic's constant drifts."""
    return size_of_constant(rows, "dv", (STILL, math.inf))


@claim(
    "drift-held",
    paper=PAPER,
    figure=FIGURE,
    rule="mean |C| of ReMINE at the end at most 0.5 nats (0.721 bits)",
    missing="this run has no rows of it",
)
def stays(rows: pd.DataFrame) -> Finding | None:
    """With ReMINE's regulariser the constant stays."""
    return size_of_constant(rows, REMINE, (0.0, STILL))


def size_of_constant(rows: pd.DataFrame, method: str, bounds: Interval) -> Finding | None:
    """The mean over seeds of |C| at the end of training; infinite where the training diverged."""
    own = rows[
        (rows["role"] == CONSTANT) & (rows["method"] == method) & (rows["status"] != "failed")
    ]
    sizes = np.abs(np.where(own["status"] == "diverged", math.inf, own["nats"].to_numpy(float)))
    words = f"mean |C| of {label(method)} {{value}}, {{interval}}, over {{seeds}}"
    return measure([sizes], pooled_mean, bounds, words, rows=None, signed=False)


@claim(
    "drift-unharmed",
    paper=PAPER,
    figure=FIGURE,
    rule="ReMINE's mean estimate − MINE's within ±5 % of the truth",
)
def unharmed(rows: pd.DataFrame) -> Finding | None:
    """The regulariser costs no accuracy."""
    own = rows[(rows["role"] == ESTIMATE) & rows["method"].isin((REMINE, "mine"))]
    remine, mine = (errors(own[own["method"] == method]) for method in (REMINE, "mine"))
    if not (len(remine) and len(mine)):
        return None
    limit = 0.05 * float(own["truth"].iloc[0])
    return all_hold([difference("ReMINE − MINE", remine, mine, limit)], "comparisons", own)


claims = [drifts, stays, unharmed]


# Figures


def figures(rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """The value and the constant through training, side by side."""
    return {FIGURE: draw(table(rows), curve_points(table(rows), curves))}


def draw(rows: pd.DataFrame, points: pd.DataFrame) -> Figure:
    steps = int(rows["steps"].max())
    with titled_figure(
        8.6,
        4.2,
        title=f"Drift of the critic's constant: X and Y each {dim_of(rows)}-D normal",
        caption="DV's value and the critic's constant through training.",
        rows=rows,
        notes=[
            f"{sample_note(rows)} {counted(rows['seed'].nunique(), 'seed')}.",
            f"{curve_note(rows, RUNNING)} Shaded: |C| of at most {STILL} nats.",
        ],
    ) as figure:
        left, right = figure.subplots(1, 2)
        plot_values(points[points["role"] == ESTIMATE], left, float(rows["truth"].iloc[0]), steps)
        plot_constant(points[points["role"] == CONSTANT], right)
        for ax in (left, right):
            ax.set(xlim=(0, max(steps, 1)), xlabel="training steps")
    return figure


def plot_values(points: pd.DataFrame, ax: Axes, truth: float, steps: int) -> Axes:
    """Training curves of each method, in nats."""
    ax.set_ylim(-0.15 * truth, 1.5 * truth)
    learning_curves(points, ax)
    truth_line(ax, [0, steps], [truth, truth])
    ax.set_ylabel("DV on training batches, nats")
    return ax


def plot_constant(points: pd.DataFrame, ax: Axes) -> Axes:
    """Curves of the critic's constant, in nats."""
    sizes = points.loc[np.isfinite(points["train_nats"]), "train_nats"].abs()
    limit = max(2 * STILL, 1.1 * float(sizes.max()) if len(sizes) else 0.0)
    ax.axhspan(-STILL, STILL, color=SHADE, zorder=0, lw=0)
    ax.set_ylim(-limit, limit)
    learning_curves(points, ax)
    ax.set_ylabel("C = log E[exp T] over marginal pairs, nats")
    return ax
