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
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims import claim as c
from experiments.suite.figures.axes import truth_line
from experiments.suite.figures.labels import dim_of, label
from experiments.suite.figures.notes import CURVE_NOTE, sample_note, seed_note, titled_figure
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


def claims(rows: pd.DataFrame, curves: pd.DataFrame) -> list[c.Claim]:
    """InfoNCE's ceiling, who goes beyond it, what the cube costs, and NWJ's variance."""
    all_rows = table(rows)
    return [
        ceiling(all_rows),
        beyond(all_rows),
        cube_costs(all_rows),
        variance_grows(all_rows, c.points(all_rows, curves)),
    ]


def claim(
    name: str,
    paper: str,
    statement: str,
    measured: str,
    tolerance: str,
    verdict: str,
    rows: pd.DataFrame,
    interval: c.Interval | None,
) -> c.Claim:
    figure = FIGURE if len(rows) else ""
    return c.Claim(
        f"staircase-{name}", "staircase", paper, statement, measured, tolerance,
        verdict, figure, interval,  # type: ignore[arg-type]
    )  # fmt: skip


def ceiling(rows: pd.DataFrame) -> c.Claim:
    """At the highest level, InfoNCE less ln B lies within [-1, 0] nats.

    It cannot be above, up to rounding; 1 nat is what an unfinished critic may still lack.
    """
    measured, interval, verdict = "this run has no rows of InfoNCE", None, "inconclusive"
    own = rows[rows["method"] == "infonce"]
    top = own[own["level"] == own["level"].max()]
    values = c.errors(top) + top.loc[top["status"] != "failed", "truth"].to_numpy(float)
    if len(values):
        below = values - log_batch(rows)
        interval = c.mean_interval(below)
        verdict = c.verdict_within(interval, -1.0, 1e-3, len(values))
        measured = (
            f"at {c.number(float(top['truth'].iloc[0]))} nats InfoNCE less ln B:"
            f" {c.nats(float(below.mean()), signed=True)},"
            f" {c.interval_words(interval, len(values), signed=True)}, over"
            f" {c.counted(len(values), 'seed')}{c.lost(top)}"
        )
    return claim(
        "ceiling",
        PAPER,
        "InfoNCE stops at the log of the batch.",
        measured,
        "InfoNCE − ln B within [−1, 0] nats at the highest level",
        verdict,
        rows,
        interval,
    )


def beyond(rows: pd.DataFrame) -> c.Claim:
    """At the highest level, |error| of InfoNCE less |error| of SMILE, paired by seed, above 0."""
    measured, interval, verdict = "this run has no pairs of both", None, "inconclusive"
    plain = rows[(rows["variant"] == PLAIN) & (rows["status"] != "failed")]
    top = plain[plain["level"] == plain["level"].max()]
    smile = top["method"].str.startswith("smile")
    sides = [top[chosen].set_index("seed") for chosen in (top["method"] == "infonce", smile)]
    seeds = sides[0].index.intersection(sides[1].index)
    if len(seeds):
        one, two = (np.abs(c.errors(side.loc[seeds])) for side in sides)
        with np.errstate(invalid="ignore"):
            gaps = np.where(np.isinf(two), -np.inf, one - two)
        interval = c.mean_interval(gaps)
        verdict = c.verdict_within(interval, math.nextafter(0.0, 1.0), math.inf, len(gaps))
        measured = (
            f"|error| of InfoNCE {c.nats(float(one.mean()))}, of SMILE"
            f" {c.nats(float(two.mean()))}: less by {c.nats(float(gaps.mean()), signed=True)},"
            f" {c.interval_words(interval, len(gaps), signed=True)}, over"
            f" {c.counted(len(gaps), 'seed')}"
        )
    return claim(
        "smile",
        "Song and Ermon 2020",
        "Beyond InfoNCE's ceiling SMILE is nearer to the truth.",
        measured,
        "|error| of InfoNCE − |error| of SMILE at the highest level above 0",
        verdict,
        rows,
        interval,
    )


def cube_costs(rows: pd.DataFrame) -> c.Claim:
    """MINE's cubic less plain estimates, the mean over levels and seeds, is below 0.

    The two have samples of their own: a level's difference is that of two independent means. A
    diverged cell gives no estimate and widens the interval to the whole line.
    """
    measured, interval, verdict = "this run has not both variants", None, "inconclusive"
    own = rows[rows["method"] == "mine"]
    sides = [
        [c.errors(group) for _, group in own[own["variant"] == variant].groupby("level")]
        for variant in (CUBIC, PLAIN)
    ]
    if all(sides) and all(len(one) for side in sides for one in side):
        cut = len(sides[0])

        def gap(drawn: Sequence[c.Array]) -> c.Array:
            with np.errstate(invalid="ignore"):
                return c.pooled_mean(drawn[:cut]) - c.pooled_mean(drawn[cut:])

        both = [*sides[0], *sides[1]]
        interval, seeds = c.bootstrap_interval(both, gap), c.fewest_seeds(both)
        verdict = c.verdict_within(interval, -math.inf, math.nextafter(0.0, -1.0), seeds)
        if not np.isfinite(interval).all():
            verdict = "inconclusive"
        measured = (
            f"cubic less plain, mean over levels: {c.nats(float(gap(both)), signed=True)},"
            f" {c.interval_words(interval, seeds, signed=True)}, over"
            f" {c.counted(seeds, 'seed')} a level{c.lost(own)}"
        )
    return claim(
        "cubic",
        PAPER,
        "Seen through y³ the mutual information is the same, and the estimates fall.",
        measured,
        "MINE's cubic − plain, mean over levels, below 0",
        verdict,
        rows,
        interval,
    )


def late_spread(points: pd.DataFrame) -> c.Array:
    """Standard deviation of a training curve over its last half, one a seed: (S,)."""
    late = points[points["step"] > 0.5 * points["steps"]]
    found = []
    for _, curve in late.groupby("seed"):
        values = curve["train_nats"].to_numpy(float)
        lost = (curve["status"] == "diverged").any() or not np.isfinite(values).all()
        found.append(math.inf if lost else float(values.std()))
    return np.array(found)


def variance_grows(rows: pd.DataFrame, points: pd.DataFrame) -> c.Claim:
    """MINE-f (NWJ): spread of the training curve, highest level over lowest, is above 2.

    Spread: the standard deviation of the smoothed curve over the last half of its steps. Two is
    this suite's reading of "grows"; a training that diverged has an infinite spread.
    """
    measured, interval, verdict = "this run has no two levels of MINE-f", None, "inconclusive"
    own = points[
        (points["method"] == "mine_f")
        & (points["variant"] == PLAIN)
        & (points["status"] != "failed")
    ]
    low, high = own["level"].min(), own["level"].max()
    if low < high:
        groups = [late_spread(own[own["level"] == level]) for level in (low, high)]

        def ratio(drawn: Sequence[c.Array]) -> c.Array:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(drawn[1].mean(-1) / drawn[0].mean(-1))

        interval, seeds = c.bootstrap_interval(groups, ratio), c.fewest_seeds(groups)
        verdict = c.verdict_within(interval, 2.0, math.inf, seeds)
        measured = (
            f"spread of the curve {c.nats(float(groups[0].mean()))} at {low:g} nats,"
            f" {c.nats(float(groups[1].mean()))} at {high:g}: ratio"
            f" {c.number(float(ratio(groups)))}, {c.interval_words(interval, seeds, unit=False)},"
            f" over {c.counted(seeds, 'seed')}{c.lost(rows[rows['method'] == 'mine_f'])}"
        )
    return claim(
        "variance",
        PAPER,
        "The variance of NWJ (MINE-f) grows with the mutual information.",
        measured,
        "std of the training curve's last half, highest level over lowest, at least 2",
        verdict,
        rows,
        interval,
    )


# Figures


def figures(rows: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Figure]:
    """The five steps, a panel for each objective."""
    return {FIGURE: draw(table(rows), c.points(table(rows), curves))}


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
            f"{CURVE_NOTE} A critic of its own for each step.",
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
    ax.set(xlim=(0, len(levels)), xlabel="steps, at true nats")
    return ax


def plot_ends(
    rows: pd.DataFrame, ax: Axes, place: Mapping[float, float], look: Mapping[str, Any]
) -> None:
    """The test values of one variant near the end of each step, and what was lost."""
    ends = c.summary(rows[rows["status"] == "ok"], ["level"])
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
