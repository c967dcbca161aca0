"""The figure of one method on a list of tasks, beside the other methods.

Rows are as `task_tables.table` gives them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.intervals import share_interval
from experiments.suite.figures.axes import plain_log_ticks, truth_line
from experiments.suite.figures.labels import label
from experiments.suite.figures.notes import head, seed_note
from experiments.suite.figures.palette import GRID, INK, SETTINGS, SHADE
from experiments.suite.figures.style import new_figure, style
from experiments.suite.task_tables import tables
from experiments.suite.task_tables.figures import wrapped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LEFT_EDGE = 1e-3
"""The least end of an interval that is drawn, in nats."""
OFF_LOOKS = ((False, "o", SETTINGS[0], "without"), (True, "^", SETTINGS[5], "with a warning"))
"""Whether a cell came with a warning, and its marker, colour and label."""


def own(
    rows: pd.DataFrame,
    method: str,
    coverable: pd.DataFrame,
    independent: pd.DataFrame,
    coverage: tuple[float, float],
    false: float,
) -> Figure:
    """All methods' mean |error|; one method's errors against the truth; its shares by family.

    Args:
        rows: of all methods.
        method: the one that is looked at.
        coverable: its rows whose intervals are counted.
        independent: its rows at truth 0.
        coverage: what the share of covered cells may be.
        false: the most that may be found at truth 0.
    """
    with style():
        figure = new_figure(12.0, 5.6)
        left, middle, right = figure.subplots(1, 3)
        plot_methods(rows, left, method)
        of_method = rows[rows["method"] == method]
        plot_truths(of_method, middle)
        plot_shares(coverable, independent, right, coverage, false)
        name = label(method)
        middle.set_title(f"{name}: error of each cell")
        right.set_title(f"{name}: cells covered, and found where there is nothing")
        title = f"Development tasks: {name} beside the other methods"
        caption = (
            f"Mean |error| of each method; errors of {name} with and without a warning; coverage"
            " of its interval by family, and false positives."
        )
        head(figure, title, wrapped(figure, notes_of(rows, of_method, name)), caption)
        return figure


def notes_of(rows: pd.DataFrame, of_method: pd.DataFrame, name: str) -> list[str]:
    off = int(of_method["off"].sum())
    told = int((of_method["off"] & of_method["said"]).sum())
    bars = f"{seed_note(rows)}; right: Wilson's intervals; grey: what is wanted."
    band = f"Off: beyond {tables.WHAT_IS_OFF}, outside the band."
    of_off = f"{told} of the {off} cells of {name} that are off came with a warning."
    lost = "∞: a cell diverged or failed, and gave no estimate."
    return [f"{bars} {lost}", f"{band} {of_off}"]


def plot_methods(rows: pd.DataFrame, ax: Axes, method: str) -> Axes:
    """Mean |error| over all cells with interval, on a log scale, the least on top."""
    lines = tables.per_method(rows)
    finite = lines["mean"][np.isfinite(lines["mean"]) & (lines["mean"] > 0)]
    top = 1.6 * float(max(finite.max(), 0.2)) if len(finite) else 1.0
    for i, line in enumerate(lines.to_dict("records")):
        plot_method(ax, i, line, SETTINGS[0] if line["method"] == method else INK, top)
    ax.set_yticks(range(len(lines)), [label(m) for m in lines["method"]])
    ax.set_xscale("log")
    ax.set_xlim(right=top * 1.1)
    plain_log_ticks(ax.xaxis)
    ax.invert_yaxis()
    ax.set_xlabel("mean |error|, nats (|: median)")
    ax.set_title("all methods")
    return ax


def plot_method(ax: Axes, y: int, line: Mapping[Any, Any], colour: str, top: float) -> None:
    """Median, mean and interval of one method; an arrow at the edge where the mean is infinite."""
    ax.plot([line["median"]], [y], "|", color=colour, ms=8)
    if math.isfinite(line["mean"]):
        ends = [max(line["low"], LEFT_EDGE), min(line["high"], top)]
        ax.plot(ends, [y, y], color=colour, lw=1.3)
        ax.plot([line["mean"]], [y], "o", color=colour, ms=4.5)
    else:
        ax.plot([top], [y], ">", color=colour, ms=5)
        text = f"∞: {line['diverged'] + line['failed']} lost"
        ax.text(top * 1.2, y, text, ha="left", va="center", fontsize=7)


def plot_truths(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Error of each cell against the truth; hollow where it came with a warning."""
    ok = rows[np.isfinite(rows["error"])]
    top = float(max(rows["truth"].max(), 1.0)) if len(rows) else 1.0
    at = np.linspace(-0.2, 1.05 * top, 200)
    band = np.maximum(tables.NATS, tables.SHARE * at)
    ax.fill_between(at, -band, band, color=SHADE, lw=0, zorder=0)
    for said, marker, colour, text in OFF_LOOKS:
        some = ok[ok["said"] == said]
        ax.scatter(
            some["truth"],
            some["error"],
            s=16,
            marker=marker,
            facecolors="none" if said else colour,
            edgecolors=colour,
            linewidths=0.9,
            label=text,
            zorder=4 - said,
        )
    limit = float(max(1.15 * ok["size"].max(), 0.3)) if len(ok) else 1.0
    ax.set(ylim=(-limit, limit), xlim=(at[0], at[-1]))
    truth_line(ax, [at[0], at[-1]], [0.0, 0.0])
    ax.legend(loc="lower left")
    ax.set(xlabel="truth, nats", ylabel="estimate less truth, nats")
    return ax


def plot_shares(
    coverable: pd.DataFrame,
    independent: pd.DataFrame,
    ax: Axes,
    coverage: tuple[float, float],
    false: float,
) -> Axes:
    """Coverage by family and over all, and the share found at truth 0."""
    families = [(str(name), part) for name, part in coverable.groupby("family", sort=False)]
    covered = [*families, ("all", coverable)]
    for i, (_, part) in enumerate(covered):
        plot_share(ax, i, part, "covered", coverage, SETTINGS[0])
    plot_share(ax, len(covered), independent, "found", (0.0, false), SETTINGS[5])
    ax.axhline(len(covered) - 0.5, color=INK, lw=0.6)
    names = [*(name for name, _ in covered), "found at truth 0"]
    ax.set_yticks(range(len(names)), names)
    ax.set_xlim(-0.02, 1.02)
    ax.invert_yaxis()
    ax.set_xlabel("share of cells")
    return ax


def plot_share(
    ax: Axes, y: int, rows: pd.DataFrame, column: str, wanted: tuple[float, float], colour: str
) -> None:
    """The share of the rows where a column is true, with its interval, on what is wanted."""
    kept = rows[rows["status"] != "failed"]
    hits, n = int(kept[column].sum()), len(kept)
    ax.fill_betweenx([y - 0.4, y + 0.4], *wanted, color=GRID, lw=0, zorder=0)
    if n:
        ax.plot(share_interval(hits, n), [y, y], color=colour, lw=1.3)
        ax.plot([hits / n], [y], "o", color=colour, ms=4.5)
    ax.text(1.03, y, f"{hits} of {n}", fontsize=7, va="center", ha="left")
