"""Figures of whole lists of tasks: errors as a heat map, where methods are off, and one method.

All take rows as `task_tables.table` gives them.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.intervals import share_interval
from experiments.suite.claims.wording import number as three_decimals
from experiments.suite.figures import style as marks
from experiments.suite.task_tables import tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINEAR, LARGEST = 0.1, 3.0
"""Errors in nats up to which the heat map's colours are linear, and from which they are alike."""
SHORT = 8
"""Tasks up to which the colour bar has room for three ticks alone."""
LOST_NOTE = "* without cells that diverged or failed; × none is left."


def errors(rows: pd.DataFrame, title: str, notes: Sequence[str]) -> Figure:
    """The heat map of mean errors, tasks x methods."""
    with marks.style():
        lines, methods = tables.places(rows), list(tables.per_method(rows)["method"])
        figure = marks.new_figure(3.9 + 0.5 * len(methods), 1.75 + 0.185 * max(len(lines), 4))
        ax = figure.subplots()
        mesh = plot_errors(rows, ax, lines, methods)
        bar = figure.colorbar(mesh, ax=ax, shrink=min(1.0, 8 / max(len(lines), 1)), pad=0.02)
        ticks = [-3.0, -1.0, -0.3, -0.1, 0.0, 0.1, 0.3, 1.0, 3.0]
        ticks = ticks[:: 1 if len(lines) > SHORT else 4]
        bar.set_ticks(ticks, labels=[marks.signed(tick) for tick in ticks])
        bar.ax.minorticks_off()
        bar.set_label("estimate less truth, nats")
        bar.outline.set_visible(False)
        seeds = f"{marks.seed_note(rows).partition(' with')[0]}. Methods by mean |error|."
        beside = f"truth in nats{'' if lines['n'].nunique() < 2 else ', rows'}"
        headed(figure, title, [*notes, f"{seeds} Beside a name: {beside}. {LOST_NOTE}"])
        figure.set_label(f"{title}: a heat map with the number in each cell, nats.")
        return figure


def plot_errors(rows: pd.DataFrame, ax: Axes, lines: pd.DataFrame, methods: Sequence[str]) -> Any:
    """Mean errors with their numbers; returns what the colours are of."""
    from matplotlib.colors import SymLogNorm

    found = tables.per_task(rows).to_dict("index")
    grid = np.full((len(lines), len(methods)), np.nan)
    texts = {}
    for i, name in enumerate(lines["name"]):
        for j, method in enumerate(methods):
            if one := found.get((name, method)):
                grid[i, j] = one["error"]
                texts[i, j] = number(float(one["error"]), one["lost"] > 0)
    norm = SymLogNorm(LINEAR, vmin=-LARGEST, vmax=LARGEST, base=10)
    mesh = ax.pcolormesh(grid, cmap="PuOr", norm=norm, edgecolors="white", linewidth=0.5)
    for (i, j), text in texts.items():
        value = grid[i, j]
        colour = marks.text_colour(mesh, value) if math.isfinite(value) else marks.INK
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=6.5, color=colour)
    alike = lines["n"].nunique() < 2
    names = [
        f"{line['name']}   {three_decimals(line['truth'])}"
        + ("" if alike else f"   {line['n']:>6,}")
        for line in lines.to_dict("records")
    ]
    ax.set_yticks(np.arange(len(lines)) + 0.5, names, fontsize=7)
    name_methods(ax, methods)
    group(ax, list(lines["family"]), len(methods))
    ax.invert_yaxis()
    return mesh


def number(value: float, lost: bool) -> str:
    """'+.02', '−1.3', '+12'; with a star where some cells were lost, a cross where all were."""
    if not math.isfinite(value):
        return "×"
    digits = 2 if abs(value) < 0.995 else 1 if abs(value) < 9.95 else 0
    plain = f"{value:+.{digits}f}" if abs(value) < 9999.5 else f"{value:+.0e}"
    text = plain if any(digit in plain for digit in "123456789") else "0"
    return marks.short(text.replace("+0.", "+.").replace("-0.", "-.")) + "*" * lost


def name_methods(ax: Axes, methods: Sequence[str]) -> None:
    """The methods' names above the columns."""
    ax.set_xticks(np.arange(len(methods)) + 0.5, [marks.label(m) for m in methods], fontsize=7.5)
    ax.tick_params(axis="x", labeltop=True, labelbottom=False, labelrotation=40)
    for text in ax.get_xticklabels():
        text.set_horizontalalignment("left")
        text.set_rotation_mode("anchor")
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def group(ax: Axes, families: Sequence[str], width: float) -> None:
    """A line between families, and their names at the right."""
    start = 0
    for i, family in enumerate(families):
        if i + 1 == len(families) or families[i + 1] != family:
            middle = (start + i + 1) / 2
            ax.text(width + 0.15, middle, family, ha="left", va="center", fontsize=7)
            if i + 1 < len(families):
                ax.axhline(i + 1, color=marks.INK, lw=0.6)
            start = i + 1


def failures(rows: pd.DataFrame, title: str, notes: Sequence[str]) -> Figure:
    """Cells that are off, families x methods."""
    with marks.style():
        methods = list(tables.per_method(rows)["method"])
        families = list(dict.fromkeys(tables.places(rows)["family"]))
        figure = marks.new_figure(3.4 + 0.75 * len(methods), 1.9 + 0.26 * len(families))
        ax = figure.subplots()
        plot_failures(rows, ax, families, methods)
        off = f"Off: farther from the truth than {tables.WHAT_IS_OFF}; lost cells are off, too."
        headed(figure, title, [*notes, f"Cells (tasks x seeds) that are off, of all. {off}"])
        figure.set_label(f"{title}: cells that are off, of all, by family of tasks and method.")
        return figure


def plot_failures(
    rows: pd.DataFrame, ax: Axes, families: Sequence[str], methods: Sequence[str]
) -> Axes:
    """'3 of 9' on the colour of the share."""
    parts = [(name, rows[rows["family"] == name]) for name in families] + [("all", rows)]
    grid = np.full((len(parts), len(methods)), np.nan)
    counts = {}
    for i, (_, part) in enumerate(parts):
        for j, method in enumerate(methods):
            off = part.loc[part["method"] == method, "off"]
            if len(off):
                grid[i, j], counts[i, j] = off.mean(), f"{int(off.sum())} of {len(off)}"
    mesh = ax.pcolormesh(
        grid, cmap="cividis_r", vmin=0.0, vmax=1.0, edgecolors="white", linewidth=0.5
    )
    for (i, j), text in counts.items():
        colour = marks.text_colour(mesh, grid[i, j])
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=7, color=colour)
    ax.axhline(len(families), color=marks.INK, lw=0.6)
    ax.set_yticks(np.arange(len(parts)) + 0.5, [name for name, _ in parts])
    name_methods(ax, methods)
    ax.invert_yaxis()
    return ax


def own(
    rows: pd.DataFrame,
    method: str,
    coverable: pd.DataFrame,
    independent: pd.DataFrame,
    coverage: tuple[float, float],
    false: float,
) -> Figure:
    """All methods' mean |error|; one method's errors against the truth; its shares by family."""
    with marks.style():
        figure = marks.new_figure(12.0, 5.6)
        left, middle, right = figure.subplots(1, 3)
        plot_methods(rows, left, method)
        mine = rows[rows["method"] == method]
        plot_truths(mine, middle)
        plot_shares(coverable, independent, right, coverage, false)
        name = marks.label(method)
        middle.set_title(f"{name}: error of each cell", loc="left")
        right.set_title(f"{name}: cells covered, and found where there is nothing", loc="left")
        off = int(mine["off"].sum())
        told = int((mine["off"] & mine["said"]).sum())
        bars = f"{marks.seed_note(rows)}; right: Wilson's intervals; grey: what is wanted."
        band = f"Off: beyond {tables.WHAT_IS_OFF}, outside the band."
        of_off = f"{told} of the {off} cells of {name} that are off came with a warning."
        lost = "∞: a cell diverged or failed, and gave no estimate."
        notes = [f"{bars} {lost}", f"{band} {of_off}"]
        headed(figure, f"Development tasks: {name} beside the other methods", notes)
        figure.set_label(
            f"Mean |error| of each method; errors of {name} with and without a warning; coverage"
            " of its interval by family, and false positives."
        )
        return figure


def plot_methods(rows: pd.DataFrame, ax: Axes, method: str) -> Axes:
    """Mean |error| over all cells with interval, on a log scale, the least on top."""
    lines = tables.per_method(rows)
    finite = lines["mean"][np.isfinite(lines["mean"]) & (lines["mean"] > 0)]
    top = 1.6 * float(max(finite.max(), 0.2)) if len(finite) else 1.0
    for i, line in enumerate(lines.to_dict("records")):
        colour = marks.SETTINGS[0] if line["method"] == method else marks.INK
        ax.plot([line["median"]], [i], "|", color=colour, ms=8)
        if math.isfinite(line["mean"]):
            ax.plot([max(line["low"], 1e-3), min(line["high"], top)], [i, i], color=colour, lw=1.3)
            ax.plot([line["mean"]], [i], "o", color=colour, ms=4.5)
        else:
            ax.plot([top], [i], ">", color=colour, ms=5)
            text = f"∞: {line['diverged'] + line['failed']} lost"
            ax.text(top * 1.2, i, text, ha="left", va="center", fontsize=7)
    ax.set_yticks(range(len(lines)), [marks.label(m) for m in lines["method"]])
    ax.set_xscale("log")
    ax.set_xlim(right=top * 1.1)
    marks.plain_log_ticks(ax.xaxis)
    ax.invert_yaxis()
    ax.set_xlabel("mean |error|, nats (|: median)")
    ax.set_title("all methods", loc="left")
    return ax


def plot_truths(rows: pd.DataFrame, ax: Axes) -> Axes:
    """Error of each cell against the truth; hollow where it came with a warning."""
    ok = rows[np.isfinite(rows["error"])]
    top = float(max(rows["truth"].max(), 1.0)) if len(rows) else 1.0
    at = np.linspace(-0.2, 1.05 * top, 200)
    band = np.maximum(tables.NATS, tables.SHARE * at)
    ax.fill_between(at, -band, band, color=marks.SHADE, lw=0, zorder=0)
    for said, look in ((False, marks.SETTINGS[0]), (True, marks.SETTINGS[5])):
        some = ok[ok["said"] == said]
        ax.scatter(
            some["truth"],
            some["error"],
            s=16,
            marker="^" if said else "o",
            facecolors="none" if said else look,
            edgecolors=look,
            linewidths=0.9,
            label="with a warning" if said else "without",
            zorder=4 - said,
        )
    limit = float(max(1.15 * ok["size"].max(), 0.3)) if len(ok) else 1.0
    ax.set_ylim(-limit, limit)
    ax.set_xlim(at[0], at[-1])
    marks.truth_line(ax, [at[0], at[-1]], [0.0, 0.0])
    ax.legend(loc="lower left")
    ax.set_xlabel("truth, nats")
    ax.set_ylabel("estimate less truth, nats")
    return ax


def plot_shares(
    coverable: pd.DataFrame,
    independent: pd.DataFrame,
    ax: Axes,
    coverage: tuple[float, float],
    false: float,
) -> Axes:
    """Coverage by family and over all, and the share found at truth 0."""
    parts = [
        (str(name), part, "covered") for name, part in coverable.groupby("family", sort=False)
    ]
    parts += [("all", coverable, "covered"), ("found at truth 0", independent, "found")]
    for i, (_, part, column) in enumerate(parts):
        kept = part[part["status"] != "failed"]
        hits, n = int(kept[column].sum()), len(kept)
        wanted = coverage if column == "covered" else (0.0, false)
        ax.fill_betweenx([i - 0.4, i + 0.4], *wanted, color=marks.GRID, lw=0, zorder=0)
        if n:
            colour = marks.SETTINGS[0] if column == "covered" else marks.SETTINGS[5]
            ax.plot(share_interval(hits, n), [i, i], color=colour, lw=1.3)
            ax.plot([hits / n], [i], "o", color=colour, ms=4.5)
        ax.text(1.03, i, f"{hits} of {n}", fontsize=7, va="center", ha="left")
    ax.axhline(len(parts) - 1.5, color=marks.INK, lw=0.6)
    ax.set_yticks(range(len(parts)), [name for name, _, _ in parts])
    ax.set_xlim(-0.02, 1.02)
    ax.invert_yaxis()
    ax.set_xlabel("share of cells")
    return ax


def headed(figure: Figure, title: str, notes: Sequence[str]) -> None:
    """Title above and notes below, in lines as wide as the figure."""
    wide = int(15.5 * figure.get_figwidth())
    lines = [line for note in notes for line in textwrap.wrap(note, wide)]
    figure.suptitle(title, x=0.005, ha="left", fontsize=10, fontweight="bold")
    figure.supxlabel("\n".join(lines), x=0.005, ha="left", fontsize=7.5)
