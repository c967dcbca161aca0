"""Poole et al. 2019, Fig. 2: five steps of mutual information, plain and cubic, all objectives.

X and Y are normal in R^20 with I = 2, 4, 6, 8, 10 nats; the cubic variant shows Y through y^3,
which keeps I. Poole et al. train one critic and raise I every 4,000 steps; here each step has a
critic of its own, trained from its start, so that every value has a truth and a test of its own,
and the five trainings stand side by side. InfoNCE meets all pairs of a batch of B, in training
and in the test, and cannot exceed ln B.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import Finding, compare, growth, less_than, measure, more_than
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import Array, pooled_mean
from experiments.suite.claims.rows import curve_points, errors, summary
from experiments.suite.claims.wording import nats, number
from experiments.suite.figures.axes import truth_line
from experiments.suite.figures.labels import dim_of, label
from experiments.suite.figures.notes import (
    RUNNING,
    curve_note,
    sample_note,
    seed_note,
    titled_figure,
)
from experiments.suite.figures.palette import INK, looks, order
from experiments.suite.figures.series import (
    draw_curve,
    edge_marks,
    lost_cells,
    mean_curve,
    mean_points,
)
from experiments.suite.grid.cells import Cell, gaussian_task, panel_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = "Poole et al. 2019, Fig. 2"
FIGURE = "staircase"
PLAIN, CUBIC, CONTRAST = "plain", "cubic", "contrast"


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Levels x objectives x seeds, plain and cubic; and InfoNCE with all pairs of a batch."""
    experiment = config["experiment"]
    batch = int(experiment["batch_size"])
    plain = [gaussian_task(int(experiment["dim"]), nats) for nats in experiment["nats"]]
    cubic = [{"_target_": "mine.tasks.Warped", "base": one, "map_y": "cube"} for one in plain]
    tasks = {PLAIN: plain, CUBIC: cubic, CONTRAST: plain}
    each: dict[str, dict[str, Any]] = {"train": {"batch_size": batch}}
    all_pairs: dict[str, dict[str, Any]] = {
        "train": {"batch_size": batch, "marginal": "derangement", "marginal_samples": batch - 1},
        "estimator": {"partners": batch - 1},
    }
    return [
        cell
        for role in experiment["panels"]
        for cell in panel_cells(role, tasks[role], config, all_pairs if role == CONTRAST else each)
    ]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their level (the truth, to the third digit) and variant as columns."""
    return rows.assign(
        level=rows["truth"].round(3),
        variant=rows["role"].where(rows["role"] == CUBIC, PLAIN),
    )


def log_batch(rows: pd.DataFrame) -> float:
    """ln B of the contrastive cells; nan without any."""
    own = rows.loc[rows["role"] == CONTRAST, "params"]
    return math.log(json.loads(own.iloc[0])["train"]["batch_size"]) if len(own) else math.nan


# Claims. Measures and tolerances were written down before any run.


def at_the_top(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the highest level among them."""
    return rows[rows["level"] == rows["level"].max()]


@claim(
    "staircase-ceiling",
    paper=PAPER,
    figure=FIGURE,
    rule="InfoNCE − ln B within [−1, 0] nats at the highest level",
    missing="this run has no rows of InfoNCE",
)
def ceiling(rows: pd.DataFrame) -> Finding | None:
    """InfoNCE stops at the log of the batch.

    It cannot be above, up to rounding; 1 nat is what an unfinished critic may still lack.
    """
    top = at_the_top(rows[rows["method"] == "infonce"])
    if not len(top):
        return None
    values = errors(top) + top.loc[top["status"] != "failed", "truth"].to_numpy(float)
    return measure(
        [values - log_batch(rows)],
        pooled_mean,
        (-1.0, 1e-3),
        f"at {number(float(top['truth'].iloc[0]))} nats InfoNCE less ln B:"
        " {value}, {interval}, over {seeds}",
        top,
    )


@claim(
    "staircase-smile",
    paper="Song and Ermon 2020",
    figure=FIGURE,
    rule="|error| of InfoNCE − |error| of SMILE at the highest level above 0",
    missing="this run has no pairs of both",
)
def beyond(rows: pd.DataFrame) -> Finding | None:
    """Beyond InfoNCE's ceiling SMILE is nearer to the truth.

    The errors are paired by seed.
    """
    top = at_the_top(rows[(rows["variant"] == PLAIN) & (rows["status"] != "failed")])
    smile = top["method"].str.startswith("smile")
    sides = [top[chosen].set_index("seed") for chosen in (top["method"] == "infonce", smile)]
    seeds = sides[0].index.intersection(sides[1].index)
    if not len(seeds):
        return None
    one, two = (np.abs(errors(side.loc[seeds])) for side in sides)
    with np.errstate(invalid="ignore"):
        gaps = np.where(np.isinf(two), -np.inf, one - two)
    return measure(
        [gaps],
        pooled_mean,
        more_than(0.0),
        f"|error| of InfoNCE {nats(float(one.mean()))}, of SMILE {nats(float(two.mean()))}:"
        " less by {value}, {interval}, over {seeds}",
        rows=None,
    )


@claim(
    "staircase-cubic",
    paper=PAPER,
    figure=FIGURE,
    rule="MINE's cubic − plain, mean over levels, below 0",
    missing="this run has not both variants",
)
def cube_costs(rows: pd.DataFrame) -> Finding | None:
    """Seen through y³ the mutual information is the same, and the estimates fall.

    The two variants have samples of their own: a level's difference is that of two independent
    means. A diverged cell gives no estimate and widens the interval to the whole line.
    """
    own = rows[rows["method"] == "mine"]
    cubic, plain = (
        [errors(group) for _, group in own[own["variant"] == variant].groupby("level")]
        for variant in (CUBIC, PLAIN)
    )
    words = "cubic less plain, mean over levels: {value}, {interval}, over {seeds} a level"
    found = compare(cubic, plain, pooled_mean, operator.sub, less_than(0.0), words, own)
    if found and found.interval and not np.isfinite(found.interval).all():
        return replace(found, verdict="inconclusive")
    return found


def late_spread(points: pd.DataFrame) -> Array:
    """Standard deviation of a training curve over its last half, one a seed: (S,)."""
    late = points[points["step"] > 0.5 * points["steps"]]
    found = []
    for _, curve in late.groupby("seed"):
        values = curve["train_nats"].to_numpy(float)
        lost = (curve["status"] == "diverged").any() or not np.isfinite(values).all()
        found.append(math.inf if lost else float(values.std()))
    return np.array(found)


@claim(
    "staircase-variance",
    paper=PAPER,
    figure=FIGURE,
    rule="std of the training curve's last half, highest level over lowest, at least 2",
    missing="this run has no two levels of MINE-f",
)
def variance_grows(rows: pd.DataFrame, curves: pd.DataFrame) -> Finding | None:
    """The variance of NWJ (MINE-f) grows with the mutual information.

    Measured: the standard deviation of the smoothed curve over the last half of its steps. Two is
    this suite's reading of "grows"; a training that diverged has an infinite spread.
    """
    own = rows[rows["method"] == "mine_f"]
    plain = own[(own["variant"] == PLAIN) & (own["status"] != "failed")]
    points = curve_points(plain, curves)
    low, high = points["level"].min(), points["level"].max()
    if not low < high:
        return None
    sides = [late_spread(points[points["level"] == level]) for level in (low, high)]
    return compare(
        [sides[0]],
        [sides[1]],
        pooled_mean,
        growth,
        (2.0, math.inf),
        f"spread of the curve {{one}} at {low:g} nats, {{two}} at {high:g}:"
        " ratio {value}, {interval}, over {seeds}",
        own,
        unit=False,
        signed=False,
    )


claims = [ceiling, beyond, cube_costs, variance_grows]


# Figures


def figures(rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """The five steps, a panel for each objective."""
    return {FIGURE: draw(table(rows), curve_points(table(rows), curves))}


def draw(rows: pd.DataFrame, points: pd.DataFrame) -> Figure:
    methods = order(set(rows["method"]))
    columns = min(4, len(methods))
    lines = -(-len(methods) // columns)
    with titled_figure(
        2.7 * columns + 0.5,
        2.35 * lines + 1.0,
        title=f"Five steps of mutual information: X and Y each {dim_of(rows)}-D normal,"
        " and y seen through y³",
        caption="Training curves at five levels of mutual information, for each objective.",
        rows=rows,
        notes=[
            f"{sample_note(rows)} {seed_note(rows)} (marks).",
            f"{curve_note(rows, RUNNING)} A critic of its own for each step.",
        ],
    ) as figure:
        axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for ax, method in zip(axes.flat, methods, strict=False):
            own = rows[rows["method"] == method]
            plot_stairs(own, points[points["method"] == method], ax)
            ax.set_title(label(method))
        for ax in list(axes.flat)[len(methods) :]:
            ax.remove()
        for ax in axes[:, 0]:
            ax.set_ylabel("nats")
    return figure


def plot_stairs(rows: pd.DataFrame, points: pd.DataFrame, ax: Axes) -> Axes:
    """Training curves of one objective, level beside level, with the test values (marks)."""
    levels = sorted(set(rows["level"]))
    ax.set_ylim(-0.5, 1.35 * max(levels))
    place = {level: float(i) for i, level in enumerate(levels)}
    most = max(float(rows["steps"].max()), 1.0)
    ordered = rows.sort_values("variant", ascending=False)
    for variant, look in looks(ordered, "variant").items():
        own = points[points["variant"] == variant]
        for level, start in place.items():
            curve = mean_curve(own[own["level"] == level])
            x = start + curve.index.to_numpy() / most
            draw_curve(ax, x, curve, look, alpha=0.2, lw=1.1, zorder=3)
        plot_ends(rows[rows["variant"] == variant], ax, place, look)
    stairs = [value for level in levels for value in (level, level)]
    truth_line(ax, [x for i in range(len(levels)) for x in (i, i + 1)], stairs)
    mark_ceiling(ax, log_batch(rows))
    ax.set_xticks([i + 0.5 for i in range(len(levels))], [f"{level:g}" for level in levels])
    ax.set(xlim=(0, len(levels)), xlabel="true nats; in each, the training")
    return ax


def plot_ends(
    rows: pd.DataFrame, ax: Axes, place: Mapping[float, float], look: Mapping[str, Any]
) -> None:
    """The test values of one variant near the end of each step, and what was lost."""
    ends = summary(rows[rows["status"] == "ok"], ["level"])
    at = [place[level] + 0.93 for level in ends["level"]]
    mean_points(ax, at, ends, ls="none", ms=3.2, zorder=4, **look)
    edge_marks(ax, np.array(at), ends["mean"].to_numpy(float), look["color"])
    middle = {level: start + 0.5 for level, start in place.items()}
    lost_cells(ax, rows, "level", middle, look["color"])


def mark_ceiling(ax: Axes, nats: float) -> None:
    """The log of the batch size, where it is a ceiling."""
    if math.isfinite(nats):
        ax.axhline(nats, color=INK, ls=":", lw=0.9, zorder=2)
        ax.text(0.02, nats + 0.15, f"ln B = {nats:.2f}", fontsize=7, va="bottom")
