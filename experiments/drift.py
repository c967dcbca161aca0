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
from experiments.suite.figures import style as marks
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
    words = f"mean |C| of {marks.label(method)} {{value}}, {{interval}}, over {{seeds}}"
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
    with marks.style():
        return {FIGURE: draw(table(rows), curve_points(table(rows), curves))}


def draw(rows: pd.DataFrame, points: pd.DataFrame) -> Figure:
    figure = marks.new_figure(8.6, 4.2)
    left, right = figure.subplots(1, 2)
    truth, steps = float(rows["truth"].iloc[0]), int(rows["steps"].max())
    plot_curves(points[points["role"] == ESTIMATE], left, (-0.15 * truth, 1.5 * truth))
    marks.truth_line(left, [0, steps], [truth, truth])
    left.set_ylabel("DV on training batches, nats")
    own = points[points["role"] == CONSTANT]
    sizes = own.loc[np.isfinite(own["train_nats"]), "train_nats"].abs()
    limit = max(2 * STILL, 1.1 * float(sizes.max()) if len(sizes) else 0.0)
    right.axhspan(-STILL, STILL, color=marks.SHADE, zorder=0, lw=0)
    plot_curves(own, right, (-limit, limit))
    right.set_ylabel("constant C = log E_q[e^T], nats")
    for ax in (left, right):
        ax.set_xlim(0, max(steps, 1))
        ax.set_xlabel("training steps")
    dim = int(rows["dim"].iloc[0])
    marks.entitle(
        figure,
        f"Drift of the critic's constant: X and Y each {dim}-D normal",
        rows,
        [
            f"{marks.sample_note(rows)} {counted(rows['seed'].nunique(), 'seed')}.",
            f"{marks.CURVE_NOTE} Shaded: |C| of at most {STILL} nats.",
        ],
    )
    figure.set_label("DV's value and the critic's constant through training.")
    return figure


def plot_curves(points: pd.DataFrame, ax: Axes, limits: tuple[float, float]) -> Axes:
    """Training curves of each method within these limits."""
    ax.set_ylim(*limits)
    return marks.learning_curves(points, ax)
