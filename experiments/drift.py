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

from experiments.suite.claims import claim as c
from experiments.suite.figures.axes import truth_line
from experiments.suite.figures.labels import dim_of, label
from experiments.suite.figures.notes import CURVE_NOTE, sample_note, titled_figure
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


def claims(rows: pd.DataFrame) -> list[c.Claim]:
    """C drifts without the regulariser and not with it, which costs no accuracy."""
    all_rows = table(rows)
    return [drifts(all_rows), stays(all_rows), unharmed(all_rows)]


def constants(rows: pd.DataFrame, method: str) -> c.Array:
    """C at the end of training, one a seed: (S,); infinite where the training diverged."""
    own = rows[
        (rows["role"] == CONSTANT) & (rows["method"] == method) & (rows["status"] != "failed")
    ]
    return np.where(own["status"] == "diverged", math.inf, own["nats"].to_numpy(float))


def size_claim(
    rows: pd.DataFrame, name: str, method: str, wanted: c.Interval, statement: str, rule: str
) -> c.Claim:
    """The claim that the mean over seeds of |C| lies in `wanted`."""
    measured, interval, verdict = "this run has no rows of it", None, "inconclusive"
    sizes = np.abs(constants(rows, method))
    if len(sizes):
        interval = c.mean_interval(sizes)
        verdict = c.verdict_within(interval, *wanted, len(sizes))
        measured = (
            f"mean |C| of {label(method)} {c.nats(float(sizes.mean()))},"
            f" {c.interval_words(interval, len(sizes))}, over {c.counted(len(sizes), 'seed')}"
        )
    return c.Claim(
        f"drift-{name}", "drift", PAPER, statement, measured, rule,
        verdict, FIGURE if len(rows) else "", interval,  # type: ignore[arg-type]
    )  # fmt: skip


def drifts(rows: pd.DataFrame) -> c.Claim:
    """Plain DV: the mean over seeds of |C| at the end is above .5 nats."""
    return size_claim(
        rows,
        "free",
        "dv",
        (STILL, math.inf),
        "Trained on DV alone, the critic's constant drifts.",
        "mean |C| of plain DV at the end above 0.5 nats (0.721 bits)",
    )


def stays(rows: pd.DataFrame) -> c.Claim:
    """ReMINE: the mean over seeds of |C| at the end is at most .5 nats."""
    return size_claim(
        rows,
        "held",
        REMINE,
        (0.0, STILL),
        "With ReMINE's regulariser the constant stays.",
        "mean |C| of ReMINE at the end at most 0.5 nats (0.721 bits)",
    )


def unharmed(rows: pd.DataFrame) -> c.Claim:
    """ReMINE's mean estimate less MINE's lies within +-5 % of the truth."""
    own = rows[rows["role"] == ESTIMATE]
    sides = [c.errors(own[own["method"] == method]) for method in (REMINE, "mine")]
    limit = 0.05 * float(own["truth"].iloc[0]) if len(own) else 0.2
    checks = (
        [c.difference("ReMINE − MINE", sides[0], sides[1], limit)] if all(map(len, sides)) else []
    )
    compared = own[own["method"].isin((REMINE, "mine"))]
    measured, verdict, interval = c.conclusion(checks, compared, "comparisons")
    return c.Claim(
        "drift-unharmed",
        "drift",
        PAPER,
        "The regulariser costs no accuracy.",
        measured,
        "ReMINE's mean estimate − MINE's within ±5 % of the truth",
        verdict,
        FIGURE if len(rows) else "",
        interval,
    )


# Figures


def figures(rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """The value and the constant through training, side by side."""
    return {FIGURE: draw(table(rows), c.points(table(rows), curves))}


def draw(rows: pd.DataFrame, points: pd.DataFrame) -> Figure:
    steps = int(rows["steps"].max())
    with titled_figure(
        8.6,
        4.2,
        title=f"Drift of the critic's constant: X and Y each {dim_of(rows)}-D normal",
        caption="DV's value and the critic's constant through training.",
        rows=rows,
        notes=[
            f"{sample_note(rows)} {c.counted(rows['seed'].nunique(), 'seed')}.",
            f"{CURVE_NOTE} Shaded: |C| of at most {STILL} nats.",
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
    ax.set_ylabel("constant C = log E_q[e^T], nats")
    return ax
