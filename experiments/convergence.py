"""ICLR version, Fig. 2: the estimate against training steps, at d = 2, 20 and 50.

The paper shows curves at d = 2 and d = 50 and prints no numbers. Here all dimensions have one
true value, so that the curves differ by the dimension alone: X and Y normal in R^d with
correlations rho = sqrt(1 - exp(-2 I / d)). The curves are running means of the bound on training
batches, fresh samples in every batch; the marks at the end are values on test samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import (
    Finding,
    all_hold,
    check,
    compare,
    growth,
    measure,
    more_than,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, pooled_mean
from experiments.suite.claims.rows import curve_points, errors, summary
from experiments.suite.claims.wording import number
from experiments.suite.figures.axes import truth_line
from experiments.suite.figures.notes import (
    RUNNING,
    curve_note,
    sample_note,
    seed_note,
    titled_figure,
)
from experiments.suite.figures.palette import looks
from experiments.suite.figures.series import learning_curves, lost_cells, mean_points
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "ICLR version, Fig. 2"
FIGURE = "convergence"
CURVES, ARRIVAL = "curves", "arrival"
"""The panels: equal steps at every dimension; and more, where a dimension needs them to arrive."""
REACHED = 0.8
"""The share of the truth whose first crossing is counted in steps."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Dimensions x methods x seeds, in each panel."""
    experiment = config["experiment"]
    return [
        cell
        for role in experiment["panels"]
        for cell in panel_cells(
            role,
            [gaussian_task(int(dim), experiment["nats"]) for dim in experiment["dims"][role]],
            config,
        )
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are: the dimension is a column."""
    return rows


def panel(rows: pd.DataFrame, role: str) -> pd.DataFrame:
    """The rows of one panel."""
    return rows[rows["role"] == role]


# Claims. Measures and tolerances were written down before any run.


@claim(
    "convergence-arrives",
    paper=PAPER,
    figure=FIGURE,
    rule="mean error on test samples within ±10 % of the truth at each dimension, after the"
    " longest training there",
)
def arrives(rows: pd.DataFrame) -> Finding | None:
    """MINE converges to the true value at low and at high dimension."""
    own = rows[rows["method"] == "mine"]
    checks = [
        check(
            f"d = {dim}",
            errors(group[group["steps"] == group["steps"].max()]),
            0.1 * float(group["truth"].iloc[0]),
        )
        for dim, group in own.groupby("dim")
    ]
    return all_hold(checks, "dimensions", own)


def steps_to(points: pd.DataFrame, share: float = REACHED) -> Array:
    """The first step whose value is `share` of the truth, infinite if none; one a seed, (S,)."""
    found = []
    for _, curve in points.groupby("seed"):
        reached = curve[curve["train_nats"] >= share * curve["truth"]]
        found.append(float(reached["step"].min()) if len(reached) else math.inf)
    return np.array(found)


@claim(
    "convergence-dimension",
    paper=PAPER,
    figure=FIGURE,
    rule="MINE's steps to 80 % of the truth: largest d over smallest above 1",
    missing="this run has no two dimensions",
)
def slower(rows: pd.DataFrame, curves: pd.DataFrame) -> Finding | None:
    """Convergence takes more steps at high dimension than at low, the true value being equal."""
    mine = panel(rows[rows["method"] == "mine"], CURVES)
    points = curve_points(mine[mine["status"] != "failed"], curves)
    low, high = points["dim"].min(), points["dim"].max()
    if not low < high:
        return None
    sides = [steps_to(points[points["dim"] == dim]) for dim in (low, high)]
    steps = [number(float(one.mean())).removesuffix(".000") for one in sides]
    return compare(
        [sides[0]],
        [sides[1]],
        pooled_mean,
        growth,
        more_than(1.0),
        f"80 % of the truth after {steps[0]} steps at d = {low}, {steps[1]} at d = {high}"
        " (mean over seeds): ratio {value}, {interval}, over {seeds}",
        mine,
        unit=False,
        signed=False,
    )


def later_mean(points: pd.DataFrame) -> pd.Series:
    """(dim, seed) -> mean training value over the second half of the steps."""
    half = points[points["step"] > 0.5 * points["steps"]]
    return half.groupby(["dim", "seed"])["train_nats"].mean()


@claim(
    "convergence-tighter",
    paper=f"{PAPER}; Sec. 3.1",
    figure=FIGURE,
    rule="mean over the second half of the steps of MINE − MINE-f, paired by seed, above 0",
    missing="this run has no pairs of both",
)
def tighter(rows: pd.DataFrame, curves: pd.DataFrame) -> Finding | None:
    """On the way, too, MINE's value is above MINE-f's.

    Both are lower bounds of one truth. A method that diverged loses by an infinite margin.
    """
    own = panel(rows[rows["method"].isin(("mine", "mine_f"))], CURVES)
    points = curve_points(own[own["status"] != "failed"], curves)
    known = points["train_nats"].mask(points["status"] == "diverged", -math.inf)
    points = points.assign(train_nats=known)
    one, two = (later_mean(points[points["method"] == method]) for method in ("mine", "mine_f"))
    shared = one.index.intersection(two.index)
    both = np.isinf(one[shared]) & np.isinf(two[shared])
    with np.errstate(invalid="ignore"):
        gaps = (one[shared] - two[shared]).where(~both, 0.0)
    groups = {dim: group.to_numpy(float) for dim, group in gaps.groupby("dim")}
    means = ", ".join(
        f"{number(float(group.mean()), signed=True)} at d = {dim}" for dim, group in groups.items()
    )
    return measure(
        list(groups.values()),
        pooled_mean,
        more_than(0.0),
        f"MINE less MINE-f over the second half of the steps: {means};"
        " all {value}, {interval}, over {seeds}",
        own,
    )


claims = [arrives, slower, tighter]


# Figures


def figures(rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """Curves above, their spread over seeds below, a column for each dimension."""
    return {FIGURE: draw(rows, curve_points(rows, curves))}


def draw(rows: pd.DataFrame, points: pd.DataFrame) -> Figure:
    places = sorted(
        {(role != CURVES, dim, role) for role, dim in rows.groupby(["role", "dim"]).groups}
    )
    with titled_figure(
        3.4 * len(places) + 0.6,
        5.6,
        title=f"Convergence: correlated Gaussians of {float(rows['truth'].iloc[0]):.3g} nats",
        caption="Estimate against training steps at each dimension, and its spread.",
        rows=rows,
        notes=[f"{sample_note(rows)} {seed_note(rows)}, at the end.", curve_note(rows, RUNNING)],
    ) as figure:
        axes = figure.subplots(
            2, len(places), squeeze=False, sharex="col", sharey="row", height_ratios=(1.7, 1.0)
        )
        for (above, below), (longer, dim, role) in zip(axes.T, places, strict=True):
            own, drawn = (panel(one[one["dim"] == dim], role) for one in (rows, points))
            plot_curves(own, drawn, above)
            plot_spread(drawn, below)
            above.set_title(f"X and Y each {dim}-D" + ", trained longer" * longer)
            below.set_xlabel("training steps")
        axes[0, 0].set_ylabel("mutual information, nats")
        axes[1, 0].set_ylabel("std over seeds, nats")
    return figure


def plot_curves(rows: pd.DataFrame, points: pd.DataFrame, ax: Axes) -> Axes:
    """Training curves of one dimension with the test values at their end, in nats."""
    truth, end = float(rows["truth"].iloc[0]), 1.02 * int(rows["steps"].max())
    ax.set_ylim(-0.15 * truth, 1.5 * truth)
    learning_curves(points, ax)
    for method, look in looks(rows).items():
        own = rows[rows["method"] == method]
        means = summary(own[own["status"] == "ok"], ["dim"])
        inside = means[means["mean"].between(*ax.get_ylim())]
        style = {"color": look["color"], "marker": look["marker"], "ms": 4, "ls": "none"}
        mean_points(ax, [end] * len(inside), inside, **style, zorder=5)
        lost_cells(ax, own.assign(end=end), "end", {end: end}, look["color"])
    truth_line(ax, [0, end], [truth, truth])
    return ax


def plot_spread(points: pd.DataFrame, ax: Axes) -> Axes:
    """Standard deviation over seeds of the training value against steps."""
    finite = points[np.isfinite(points["train_nats"])]
    for method, look in looks(points).items():
        spread = finite[finite["method"] == method].groupby("step")["train_nats"].std()
        ax.plot(spread.index, spread, color=look["color"], lw=1.1)
    ax.set_ylim(0.0, 0.3 * float(points["truth"].max()) if len(points) else 1.0)
    return ax
