"""ICLR version, Fig. 2: the estimate against training steps, at d = 2, 20 and 50.

The paper shows curves at d = 2 and d = 50 and prints no numbers. Here all dimensions have one
true value, so that the curves differ by the dimension alone: X and Y normal in R^d with
correlations rho = sqrt(1 - exp(-2 I / d)). The curves are running means of the bound on training
batches, fresh samples in every batch; the marks at the end are values on test samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims import claim as c
from experiments.suite.figures.axes import truth_line
from experiments.suite.figures.notes import CURVE_NOTE, sample_note, seed_note, titled_figure
from experiments.suite.figures.palette import looks
from experiments.suite.figures.series import learning_curves, lost_cells, mean_points
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "ICLR version, Fig. 2"
FIGURE = "convergence"
REACHED = 0.8
"""The share of the truth whose first crossing is counted in steps."""


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Dimensions x methods x seeds."""
    experiment = config["experiment"]
    tasks = [gaussian_task(int(dim), experiment["nats"]) for dim in experiment["dims"]]
    return [cell for role in experiment["panels"] for cell in panel_cells(role, tasks, config)]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are: the dimension is a column."""
    return rows


# Claims. Measures and tolerances were written down before any run.


def claims(rows: pd.DataFrame, curves: pd.DataFrame) -> list[c.Claim]:
    """That MINE arrives, that dimension costs steps, and that DV is tighter on the way."""
    points = c.points(rows, curves)
    return [arrives(rows), slower(rows, points), tighter(rows, points)]


def arrives(rows: pd.DataFrame) -> c.Claim:
    """MINE's mean error on test samples lies within 10 % of the truth at each dimension."""
    own = rows[rows["method"] == "mine"]
    checks = [
        c.check(f"d = {dim}", c.errors(group), 0.1 * float(group["truth"].iloc[0]))
        for dim, group in own.groupby("dim")
    ]
    measured, verdict, interval = c.conclusion(checks, own, "dimensions")
    return c.Claim(
        "convergence-arrives",
        "convergence",
        PAPER,
        "MINE converges to the true value at low and at high dimension.",
        measured,
        "mean error on test samples within ±10 % of the truth at each dimension",
        verdict,
        FIGURE if len(rows) else "",
        interval,
    )


def steps_to(points: pd.DataFrame, share: float = REACHED) -> c.Array:
    """The first step whose value is `share` of the truth, infinite if none; one a seed, (S,)."""
    found = []
    for _, curve in points.groupby("seed"):
        above = curve[curve["train_nats"] >= share * curve["truth"]]
        found.append(float(above["step"].min()) if len(above) else math.inf)
    return np.array(found)


def slower(rows: pd.DataFrame, points: pd.DataFrame) -> c.Claim:
    """Mean steps of MINE to 80 % of the truth, largest dimension over smallest, is above 1."""
    measured, interval, verdict = "this run has no two dimensions", None, "inconclusive"
    own = points[(points["method"] == "mine") & (points["status"] != "failed")]
    low, high = own["dim"].min(), own["dim"].max()
    if low < high:
        groups = [steps_to(own[own["dim"] == dim]) for dim in (low, high)]

        def ratio(drawn: Sequence[c.Array]) -> c.Array:
            with np.errstate(invalid="ignore"):
                return np.asarray(drawn[1].mean(-1) / drawn[0].mean(-1))

        interval, seeds = c.bootstrap_interval(groups, ratio), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, math.nextafter(1.0, 2.0), math.inf, seeds)
        steps = [c.number(float(group.mean())).removesuffix(".000") for group in groups]
        measured = (
            f"80 % of the truth after {steps[0]} steps at d = {low}, {steps[1]} at d = {high}"
            f" (mean over seeds): ratio {c.number(float(ratio(groups)))},"
            f" {c.interval_words(interval, seeds, unit=False)}, over {c.counted(seeds, 'seed')}"
            + c.lost(rows[rows["method"] == "mine"])
        )
    return c.Claim(
        "convergence-dimension",
        "convergence",
        PAPER,
        "Convergence takes more steps at high dimension than at low, the true value being equal.",
        measured,
        "MINE's steps to 80 % of the truth: largest d over smallest above 1",
        verdict,  # type: ignore[arg-type]
        FIGURE if len(rows) else "",
        interval,
    )


def later_mean(points: pd.DataFrame) -> pd.Series:
    """(dim, seed) -> mean training value over the second half of the steps."""
    half = points[points["step"] > 0.5 * points["steps"]]
    return half.groupby(["dim", "seed"])["train_nats"].mean()


def tighter(rows: pd.DataFrame, points: pd.DataFrame) -> c.Claim:
    """Mean over the second half of the steps of MINE's value less MINE-f's, paired: above 0.

    Both are lower bounds of one truth. A method that diverged loses by an infinite margin.
    """
    measured, interval, verdict = "this run has no pairs of both", None, "inconclusive"
    fine = np.where(points["status"] == "diverged", -math.inf, points["train_nats"])
    kept = points.assign(train_nats=fine)[points["status"] != "failed"]
    one, two = (later_mean(kept[kept["method"] == method]) for method in ("mine", "mine_f"))
    shared = one.index.intersection(two.index)
    if len(shared):
        both = np.isinf(one[shared]) & np.isinf(two[shared])
        with np.errstate(invalid="ignore"):
            gaps = (one[shared] - two[shared]).where(~both, 0.0)
        groups = [group.to_numpy(float) for _, group in gaps.groupby("dim")]
        interval, seeds = c.bootstrap_interval(groups, c.pooled_mean), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, math.nextafter(0.0, 1.0), math.inf, seeds)
        means = ", ".join(
            f"{c.number(float(group.mean()), signed=True)} at d = {dim}"
            for dim, group in gaps.groupby("dim")
        )
        measured = (
            f"MINE less MINE-f over the second half of the steps: {means};"
            f" all {c.nats(float(c.pooled_mean(groups)), signed=True)},"
            f" {c.interval_words(interval, seeds, signed=True)}, over {c.counted(seeds, 'seed')}"
            + c.lost(rows[rows["method"].isin(("mine", "mine_f"))])
        )
    return c.Claim(
        "convergence-tighter",
        "convergence",
        f"{PAPER}; Sec. 3.1",
        "On the way, too, MINE's value is above MINE-f's.",
        measured,
        "mean over the second half of the steps of MINE − MINE-f, paired by seed, above 0",
        verdict,  # type: ignore[arg-type]
        FIGURE if len(rows) else "",
        interval,
    )


# Figures


def figures(rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """Curves above, their spread over seeds below, a column for each dimension."""
    return {FIGURE: draw(rows, c.points(rows, curves))}


def draw(rows: pd.DataFrame, points: pd.DataFrame) -> Figure:
    dims = sorted(set(rows["dim"]))
    with titled_figure(
        3.4 * len(dims) + 0.6,
        5.6,
        title=f"Convergence: correlated Gaussians of {float(rows['truth'].iloc[0]):.3g} nats",
        caption="Estimate against training steps at each dimension, and its spread.",
        rows=rows,
        notes=[f"{sample_note(rows)} {seed_note(rows)}, at the end.", CURVE_NOTE],
    ) as figure:
        axes = figure.subplots(
            2, len(dims), squeeze=False, sharex="col", sharey="row", height_ratios=(1.7, 1.0)
        )
        for (above, below), dim in zip(axes.T, dims, strict=True):
            plot_curves(rows[rows["dim"] == dim], points[points["dim"] == dim], above)
            plot_spread(points[points["dim"] == dim], below)
            above.set_title(f"X and Y each {dim}-D")
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
        means = c.summary(own[own["status"] == "ok"], ["dim"])
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
