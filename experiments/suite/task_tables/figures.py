"""Figures of whole lists of tasks: errors as a heat map, where methods are off, and one method.

All take rows as `task_tables.table` gives them.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.suite.claims.wording import number as three_decimals
from experiments.suite.figures.heatmap import Place, heat_map, name_cells
from experiments.suite.figures.labels import label, short, signed
from experiments.suite.figures.notes import head, seed_note
from experiments.suite.figures.palette import INK
from experiments.suite.figures.style import new_figure, style
from experiments.suite.task_tables import tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.figure import Figure

LINEAR, LARGEST = 0.1, 3.0
"""Errors in nats up to which the colours are linear, and from which they no longer change."""
TICKS = (-3.0, -1.0, -0.3, -0.1, 0.0, 0.1, 0.3, 1.0, 3.0)
SHORT = 8
"""With so many tasks or fewer, the colour bar has room for three ticks alone."""
LOST_NOTE = "* without cells that diverged or failed; × none is left."


def errors(rows: pd.DataFrame, title: str, notes: Sequence[str]) -> Figure:
    """The heat map of mean errors, tasks x methods."""
    with style():
        lines, methods = tables.places(rows), list(tables.per_method(rows)["method"])
        figure = new_figure(3.9 + 0.5 * len(methods), 1.75 + 0.185 * max(len(lines), 4))
        ax = figure.subplots()
        colour_bar(figure, plot_errors(rows, ax, lines, methods), ax, len(lines))
        seeds = f"{seed_note(rows, bars=False)}. Methods by mean |error|."
        beside = f"truth in nats{'' if lines['n'].nunique() < 2 else ', rows'}"
        about = f"{seeds} Beside a name: {beside}. {LOST_NOTE}"
        caption = f"{title}: a heat map with the number in each cell, nats."
        head(figure, title, wrapped(figure, [*notes, about]), caption)
        return figure


def colour_bar(figure: Figure, mesh: Collection, ax: Axes, tasks: int) -> None:
    """The bar of the errors' colours."""
    bar = figure.colorbar(mesh, ax=ax, shrink=min(1.0, 8 / max(tasks, 1)), pad=0.02)
    ticks = TICKS[:: 1 if tasks > SHORT else 4]
    bar.set_ticks(ticks, labels=[signed(tick) for tick in ticks])
    bar.ax.minorticks_off()
    bar.set_label("estimate less truth, nats")
    bar.outline.set_visible(False)


def plot_errors(
    rows: pd.DataFrame, ax: Axes, lines: pd.DataFrame, methods: Sequence[str]
) -> Collection:
    """Mean errors with their numbers; returns what the colours belong to."""
    from matplotlib.colors import SymLogNorm

    found = tables.per_task(rows).to_dict("index")
    grid = np.full((len(lines), len(methods)), np.nan)
    texts: dict[Place, str] = {}
    for i, name in enumerate(lines["name"]):
        for j, method in enumerate(methods):
            if one := found.get((name, method)):
                grid[i, j] = one["error"]
                texts[i, j] = number(float(one["error"]), one["lost"] > 0)
    norm = SymLogNorm(LINEAR, vmin=-LARGEST, vmax=LARGEST, base=10)
    mesh = heat_map(ax, grid, texts, fontsize=6.5, cmap="PuOr", norm=norm)
    name_axes(ax, task_names(lines), methods, fontsize=7)
    part_families(ax, list(lines["family"]), len(methods))
    return mesh


def task_names(lines: pd.DataFrame) -> list[str]:
    """A task's name with its truth, and with its n where the tasks differ in it."""
    differ = lines["n"].nunique() > 1
    return [
        f"{line['name']}   {three_decimals(line['truth'])}"
        + (f"   {line['n']:>6,}" if differ else "")
        for line in lines.to_dict("records")
    ]


def number(value: float, lost: bool) -> str:
    """'+.02', '−1.3', '+12'; with a star where some cells were lost, a cross where all were."""
    if not math.isfinite(value):
        return "×"
    digits = 2 if abs(value) < 0.995 else 1 if abs(value) < 9.95 else 0
    plain = f"{value:+.{digits}f}" if abs(value) < 9999.5 else f"{value:+.0e}"
    text = plain if any(digit in plain for digit in "123456789") else "0"
    return short(text.replace("+0.", "+.").replace("-0.", "-.")) + "*" * lost


def name_axes(ax: Axes, names: Sequence[str], methods: Sequence[str], **text: float) -> None:
    """The rows' names, the first on top, and the methods' names above the columns."""
    name_cells(ax, names, [label(m) for m in methods], **text)
    ax.tick_params(axis="x", labeltop=True, labelbottom=False, labelrotation=40)
    for name in ax.get_xticklabels():
        name.set(fontsize=7.5, horizontalalignment="left", rotation_mode="anchor")


def part_families(ax: Axes, families: Sequence[str], width: float) -> None:
    """A line between families, and their names at the right."""
    start = 0
    for i, family in enumerate(families):
        if i + 1 == len(families) or families[i + 1] != family:
            middle = (start + i + 1) / 2
            ax.text(width + 0.15, middle, family, ha="left", va="center", fontsize=7)
            if i + 1 < len(families):
                ax.axhline(i + 1, color=INK, lw=0.6)
            start = i + 1


def failures(rows: pd.DataFrame, title: str, notes: Sequence[str]) -> Figure:
    """Cells that are off, families x methods."""
    with style():
        methods = list(tables.per_method(rows)["method"])
        families = list(dict.fromkeys(tables.places(rows)["family"]))
        figure = new_figure(3.4 + 0.75 * len(methods), 1.9 + 0.26 * len(families))
        plot_failures(rows, figure.subplots(), families, methods)
        off = f"Off: farther from the truth than {tables.WHAT_IS_OFF}; lost cells are off, too."
        about = f"Cells (tasks x seeds) that are off, of all. {off}"
        caption = f"{title}: cells that are off, of all, by family of tasks and method."
        head(figure, title, wrapped(figure, [*notes, about]), caption)
        return figure


def plot_failures(
    rows: pd.DataFrame, ax: Axes, families: Sequence[str], methods: Sequence[str]
) -> Axes:
    """'3 of 9' on the colour of the share."""
    from matplotlib.colors import Normalize

    parts = [(name, rows[rows["family"] == name]) for name in families] + [("all", rows)]
    grid = np.full((len(parts), len(methods)), np.nan)
    counts: dict[Place, str] = {}
    for i, (_, part) in enumerate(parts):
        for j, method in enumerate(methods):
            off = part.loc[part["method"] == method, "off"]
            if len(off):
                grid[i, j], counts[i, j] = off.mean(), f"{int(off.sum())} of {len(off)}"
    heat_map(ax, grid, counts, fontsize=7, cmap="cividis_r", norm=Normalize(0.0, 1.0))
    ax.axhline(len(families), color=INK, lw=0.6)
    name_axes(ax, [name for name, _ in parts], methods)
    return ax


def wrapped(figure: Figure, notes: Iterable[str]) -> list[str]:
    """The notes in lines as wide as the figure."""
    wide = int(15.5 * figure.get_figwidth())
    return [line for note in notes for line in textwrap.wrap(note, wide)]
