"""Series: each method's or setting's means with intervals, its curves, and what was lost.

What gave no estimate is drawn too: a cross for a diverged cell, a square for a failed one. So is
what the axis does not reach: a triangle with its value for a mean or for the end of a curve, an
arrow head on the frame for an interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.rows import summary
from experiments.suite.figures.labels import signed
from experiments.suite.figures.palette import looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LOST = {"diverged": "x", "failed": "s"}
"""Status of a lost cell -> its marker."""
LOST_HEIGHTS = {"diverged": 0.955, "failed": 0.88}
"""Status of a lost cell -> where its marker stands, as a share of the axis' height."""
MOST_ASIDE = 0.11
"""The most between two series that stand side by side, as a share of the way to the next x."""
ARROW_SIZE = 5.0
"""Of the heads of cut intervals, in points."""


def with_error(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the column `error`: estimate - truth in nats."""
    return rows.assign(error=rows["nats"] - rows["truth"])


# Means over seeds


def method_series(
    rows: pd.DataFrame,
    ax: Axes,
    x: str,
    positions: Sequence[float],
    value: str,
    apart: bool = False,
    by: str = "method",
    joined: bool = True,
) -> Axes:
    """Each method's mean with its interval, and its single seeds.

    Args:
        rows: with the columns `x` and `value` beside those of a row.
        ax: with its y limits set; a value outside is drawn as a triangle at the edge.
        x: the column whose sorted values `positions` lists; drawn at 0, 1, 2, ...
        value: the column to draw: "nats" or "error".
        apart: whether the methods stand side by side at each position. Otherwise they stand on
            each other, and the markers are nested.
        by: the column that tells the series apart.
        joined: whether a line joins the means.
    """
    series = looks(rows, by)
    step = min(MOST_ASIDE, 0.7 / max(len(series), 1))
    shown = rows.assign(nats=rows[value], truth=0.0)
    place: dict[float, float] = {position: i for i, position in enumerate(positions)}
    for i, (name, look) in enumerate(series.items()):
        offset = (i - (len(series) - 1) / 2) * step
        aside = {position: index + offset for position, index in place.items()}
        group = shown[shown[by] == name]
        means = summary(group[group["status"] == "ok"], [x])
        line = {"ms": 3.6 if apart else 3.2 + 0.8 * i, "lw": 0.9 if joined else 0.0}
        seed_points(group, ax, x, aside if apart else place, look, zorder=3 - i / 100)
        at = [(aside if apart else place)[p] for p in means[x]]
        mean_points(ax, at, means, **look, **line, elinewidth=1.3, zorder=4 - i / 100)
        beside = np.array([aside[p] for p in means[x]])
        edge_marks(ax, beside, means["mean"].to_numpy(dtype=float), look["color"])
        lost_cells(ax, group, x, aside, look["color"])
    return ax


def seed_points(
    rows: pd.DataFrame,
    ax: Axes,
    x: str,
    place: Mapping[float, float],
    look: Mapping[str, Any],
    zorder: float,
) -> None:
    """A faint point for each row that gave an estimate."""
    ok = rows[rows["status"] == "ok"]
    at = [place[p] for p in ok[x]]
    colour, marker = look["color"], look["marker"]
    ax.scatter(at, ok["nats"], s=7, color=colour, marker=marker, alpha=0.35, lw=0, zorder=zorder)


def mean_points(ax: Axes, x: Sequence[float], means: pd.DataFrame, **style: Any) -> None:
    """The means of a `summary` with their intervals, as far as the y limits show them.

    Where an interval is cut, an arrow head says so.
    """
    inside = means["mean"].between(*ax.get_ylim()).to_numpy()
    bars = np.where(inside, intervals(means), 0.0)
    ax.errorbar(np.array(x), means["mean"].where(inside), yerr=bars, **style)
    arrow_heads(ax, np.array(x)[inside], means[inside], style["color"])


def arrow_heads(ax: Axes, x: np.ndarray, means: pd.DataFrame, colour: str) -> None:
    """Heads on the frame, whole, where an interval goes on outside the y limits."""
    bottom, top = ax.get_ylim()
    low, high = (means[name].to_numpy(dtype=float) for name in ("low", "high"))
    for cut, edge, marker in ((low < bottom, 0.0, "v"), (high > top, 1.0, "^")):
        if not cut.any():
            continue
        ax.plot(
            x[cut],
            np.full(cut.sum(), edge),
            marker=marker,
            color=colour,
            ms=ARROW_SIZE,
            mew=0.0,
            ls="none",
            zorder=11,
            clip_on=False,
            transform=ax.get_xaxis_transform(),
        )


def intervals(means: pd.DataFrame, suffix: str = "") -> np.ndarray:
    """A summary's intervals as matplotlib's error bars, shape (2, N); 0 where there is none."""
    mean, low, high = (
        means[f"{name}{suffix}"].to_numpy(dtype=float) for name in ("mean", "low", "high")
    )
    return np.nan_to_num(np.vstack([mean - low, high - mean]))


# Training curves


def learning_curves(points: pd.DataFrame, ax: Axes, by: str = "method") -> Axes:
    """Training value in nats against steps: the mean over seeds, and a band from least to most.

    Args:
        points: of `curve_points`, of one task; a point of a diverged training is left out.
        ax: to draw on; its y limits stay.
        by: the column that tells the series apart.
    """
    limits = ax.get_ylim()
    for value, look in looks(points, by).items():
        curve = mean_curve(points[points[by] == value])
        draw_curve(ax, curve.index, curve, look, lw=1.2, label=look["label"], zorder=4)
    ax.set_ylim(limits)
    return ax


def mean_curve(points: pd.DataFrame) -> pd.DataFrame:
    """The finite training values at each step over seeds: the columns mean, min and max."""
    finite = points[np.isfinite(points["train_nats"])]
    return finite.groupby("step")["train_nats"].agg(["mean", "min", "max"])


def draw_curve(
    ax: Axes,
    x: Any,
    curve: pd.DataFrame,
    look: Mapping[str, Any],
    alpha: float = 0.18,
    **line: Any,
) -> None:
    """A `mean_curve` at x, with its band; where it leaves the y limits, its farthest value."""
    colour = look["color"]
    mark_farthest(ax, np.asarray(x, dtype=float), curve["mean"].to_numpy(dtype=float), colour)
    ax.fill_between(x, curve["min"], curve["max"], color=colour, alpha=alpha, lw=0, zorder=2)
    ax.plot(x, curve["mean"], color=colour, **line)


# What the axes do not show


def edge_marks(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Triangles at the edge, with the value, for what lies outside the y limits of `ax`."""
    low, high = ax.get_ylim()
    for outside, edge, marker in ((y > high, 0.93, "^"), (y < low, 0.045, "v")):
        for at, value in zip(x[outside], y[outside], strict=True):
            mark_at(ax, at, edge, marker, colour, _edge_text(float(value)), filled=True)


def mark_farthest(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """`edge_marks` for the least and the greatest of a curve's values alone."""
    if len(y):
        ends = [int(np.argmin(y)), int(np.argmax(y))]
        edge_marks(ax, x[ends], y[ends], colour)


def _edge_text(value: float) -> str:
    """'163k' for 163,200; '−.25' for −.2468."""
    from matplotlib.ticker import EngFormatter

    return EngFormatter(sep="", places=0)(value) if abs(value) >= 1 else signed(round(value, 2))


def lost_cells(
    ax: Axes, rows: pd.DataFrame, x: str, place: Mapping[float, float], colour: str
) -> None:
    """Crosses for diverged and squares for failed cells along the top, with their number."""
    for status, marker in LOST.items():
        counts = rows.loc[rows["status"] == status, x].value_counts()
        for position, count in counts.items():
            text = str(count) if count > 1 else ""
            at, height = place[float(str(position))], LOST_HEIGHTS[status]
            mark_at(ax, at, height, marker, colour, text, label=sign_of(status))


def sign_of(status: str) -> str:
    """What the markers of a lost cell's status are labelled with, which no legend shows."""
    return f"_{status}"


def signs(ax: Axes) -> set[str]:
    """The statuses of lost cells that axes have markers of."""
    return {status for status in LOST for line in ax.lines if line.get_label() == sign_of(status)}


def mark_at(
    ax: Axes,
    x: float,
    height: float,
    marker: str,
    colour: str,
    text: str,
    filled: bool = False,
    label: str = "_mark",
) -> None:
    """A marker at data x and a fraction of the axis' height, a small text at its right."""
    transform = ax.get_xaxis_transform()
    ax.plot(
        [x],
        [height],
        marker=marker,
        color=colour,
        ms=4.6,
        mew=1.3,
        mfc=colour if filled else "none",
        ls="none",
        zorder=11,
        transform=transform,
        clip_on=False,
        label=label,
    )
    ax.annotate(
        text,
        (x, height),
        xycoords=transform,
        xytext=(4.5, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=6,
        zorder=11,
    )
