"""A sweep's figures: its error against the truth, spread over seeds, lost cells and seconds.

The number of axes decides what is drawn: one, lines with intervals; two, heat maps with the number
in each cell; more, heat maps side by side and a line for each axis with the others averaged out.
Rows come from `Sweep.table`, which adds a column for each axis: the position of the run's value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.wording import counted
from experiments.suite.figures.heatmap import inner_axes
from experiments.suite.figures.labels import compact, label
from experiments.suite.figures.notes import entitle, head
from experiments.suite.figures.style import new_figure, style
from experiments.suite.sweeps.axes import Axis, show
from experiments.suite.sweeps.choices import choose
from experiments.suite.sweeps.lines import ERROR, MEASURES, plot_lines, ring
from experiments.suite.sweeps.maps import frame, plot_map
from experiments.suite.sweeps.measures import measures, moved, moved_parts, parts
from experiments.suite.sweeps.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 11.0
MOST_PANELS = 12
"""The most heat maps side by side."""
FRAMED = (
    "Dark is the least of each map. Framed: the setting that the held-out value chooses."
    " * without its lost cells; × none is left."
)


def sweep_figures(sweep: Sweep, rows: pd.DataFrame, name: str) -> dict[str, Figure]:
    """For each role: lines, heat maps or small multiples with marginals, by the number of axes.

    Args:
        sweep: the runs and their axes.
        rows: the rows of these runs; rows of others are left out.
        name: what the figures' names begin with.
    """
    table = sweep.table(rows)
    drawn: dict[str, Figure] = {}
    with style():
        for role in table["role"].unique():
            base = "_".join(filter(None, (name, str(role))))
            drawn |= _of_role(sweep, table[table["role"] == role], base)
    return drawn


def _of_role(sweep: Sweep, rows: pd.DataFrame, base: str) -> dict[str, Figure]:
    if len(sweep.axes) == 1:
        return {base: draw_lines(sweep, rows)}
    if len(sweep.axes) == 2:
        return {base: draw_maps(sweep, rows)}
    return {f"{base}_marginals": draw_marginals(sweep, rows)} | {
        f"{base}_{method}": draw_multiples(sweep, part)
        for method, part in moved_parts(rows)
        if panels(sweep) <= MOST_PANELS
    }


# One axis


def draw_lines(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """Each measure over the axis, a line for each method."""
    (axis,) = sweep.axes
    figure = new_figure(WIDTH, 3.1)
    axes = figure.subplots(1, len(MEASURES))
    for ax, measure in zip(axes, MEASURES, strict=True):
        plot_lines(rows, ax, axis, measure)
    ring(axes[MEASURES.index(ERROR)], axis, rows)
    note = f"{note_of(rows, bands=True)} Ringed: the setting that the held-out value chooses."
    caption = "error against the truth, spread over seeds, losses, seconds."
    _entitle(figure, sweep, rows, note, caption)
    return figure


# Two axes


def draw_maps(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """A row of heat maps for each method that the settings move."""
    axes = laid(sweep.axes[0], sweep.axes[1])
    found = moved_parts(rows)
    height = 0.62 + 0.27 * axes[0].size
    figure = new_figure(WIDTH, 1.15 + max(1, len(found)) * (height + 0.35))
    grid = figure.subplots(max(1, len(found)), len(MEASURES), squeeze=False)
    for line, (method, part) in zip(grid, found, strict=False):
        plot_maps(sweep, part, line, axes)
        line[0].set_title(f"{label(method)}: {MEASURES[0].title}")
    for ax in grid[: max(0, len(found) - 1)].flat:
        ax.set_xlabel("")
    notes = [f"{note_of(rows)} {FRAMED}", *still_of(sweep, rows)]
    _head(figure, title_of(sweep, rows), notes)
    return figure


def plot_maps(
    sweep: Sweep, rows: pd.DataFrame, line: Sequence[Axes], axes: tuple[Axis, Axis]
) -> None:
    """One method's heat maps of all measures, with the choice framed on that of the errors."""
    for ax, measure in zip(line, MEASURES, strict=True):
        plot_map(rows, ax, axes, measure)
    chosen = choose(rows, sweep.keys, "value").setting
    if chosen is not None:
        frame(line[MEASURES.index(ERROR)], axes, sweep.keys, chosen)
    inner_axes(line)


def laid(one: Axis, other: Axis) -> tuple[Axis, Axis]:
    """(down, across): the longer one goes across."""
    return (one, other) if other.size >= one.size else (other, one)


# More axes


def draw_multiples(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """Mean |error| of one method over the two longest axes, for each value of the others."""
    axes, others = two_and_others(sweep)
    several = list(product(*(range(axis.size) for axis in others)))
    across, down = _layout(len(several))
    figure = new_figure(WIDTH, 1.1 + down * (0.95 + 0.27 * axes[0].size))
    grid = figure.subplots(down, across, squeeze=False)
    chosen = choose(rows, sweep.keys, "value").setting
    for ax, setting in zip(grid.flat, several, strict=False):
        fixed = dict(zip((axis.key for axis in others), setting, strict=True))
        here = np.all([rows[key] == place for key, place in fixed.items()], axis=0)
        plot_map(rows[here], ax, axes, ERROR)
        if chosen and fixed.items() <= dict(zip(sweep.keys, chosen, strict=True)).items():
            frame(ax, axes, sweep.keys, chosen)
        pairs = zip(others, setting, strict=True)
        ax.set_title(", ".join(f"{a.short} {show(a.values[p])}" for a, p in pairs))
    for line in grid:
        inner_axes(line)
    for ax in grid.flat[: max(0, len(several) - across)]:
        ax.set_xlabel("")
    _hide(grid.flat[len(several) :])
    method = label(str(rows["method"].iloc[0]))
    title = f"{title_of(sweep, rows)}: mean |error| of {method}, nats"
    _head(figure, title, [f"{note_of(rows)} {FRAMED}"])
    return figure


def draw_marginals(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """For each axis the mean |error| over all values of the others."""
    across, down = _layout(len(sweep.axes))
    figure = new_figure(WIDTH, 0.9 + 2.2 * down)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for ax, axis in zip(grid.flat, sweep.axes, strict=False):
        plot_lines(rows, ax, axis, ERROR, [key for key in sweep.keys if key != axis.key])
        ax.set_title("")
    for ax in grid[:, 0]:
        ax.set_ylabel(ERROR.title)
    _hide(grid.flat[len(sweep.axes) :])
    note = f"{note_of(rows, bands=True)} Averaged over all values of the other axes."
    _entitle(figure, sweep, rows, note, "the mean |error| over each axis alone.")
    return figure


def two_and_others(sweep: Sweep) -> tuple[tuple[Axis, Axis], list[Axis]]:
    """The two longest axes, laid down and across, and the others."""
    longest = sorted(sweep.axes, key=lambda axis: -axis.size)[:2]
    others = [axis for axis in sweep.axes if axis not in longest]
    return laid(*longest), others


def panels(sweep: Sweep) -> int:
    """How many heat maps `draw_multiples` would draw."""
    return math.prod(axis.size for axis in two_and_others(sweep)[1])


def _layout(count: int) -> tuple[int, int]:
    """(across, down) of so many panels."""
    across = min(4, count)
    return across, math.ceil(count / across)


def _hide(axes: Any) -> None:
    for ax in axes:
        ax.set_visible(False)


# Words


def title_of(sweep: Sweep, rows: pd.DataFrame) -> str:
    """'gaussian, scalar: 3 settings of train.learning_rate'."""
    role = str(rows["role"].iloc[0]) if len(rows) else ""
    where = f"{sweep.experiment}, {role}" if role else sweep.experiment
    return f"{where}: {counted(sweep.size, 'setting')} of {sweep.title}"


def note_of(rows: pd.DataFrame, bands: bool = False) -> str:
    """What a number averages over, and what the bands are."""
    # of one run: where the axis is a field of the task, each setting has tasks of its own
    each = rows[["run_id", "role", "task", "params"]].drop_duplicates().groupby("run_id").size()
    tasks = int(each.max()) if len(each) else 0
    seeds = int(rows["seed"].nunique())
    over = f"Over {counted(tasks, 'task')} and {counted(seeds, 'seed')}"
    band = "no interval" if seeds < 2 else "shaded: 95 % bootstrap interval over seeds"
    return f"{over}; {band}.{_truths(rows)}" if bands else f"{over}.{_truths(rows)}"


def _truths(rows: pd.DataFrame) -> str:
    """What the errors say nothing of."""
    if len(rows) and rows["truth"].isna().all():
        return " No truth is known, and so no error."
    return " Infinite truths are left out." if np.isinf(rows["truth"]).any() else ""


def still_of(sweep: Sweep, rows: pd.DataFrame) -> list[str]:
    """A note on the methods whose estimates no setting changes, with their error."""
    errors = [
        (method, float(measures(part, ["method"])["error"].iloc[0]))
        for (_, method), part in parts(rows)
        if not moved(part)
    ]
    still = ", ".join(f"{label(method)} {compact(e)}" for method, e in errors if not math.isnan(e))
    return [f"Mean |error| of what these settings do not touch: {still} nats."] if still else []


def _entitle(figure: Figure, sweep: Sweep, rows: pd.DataFrame, note: str, caption: str) -> None:
    """The title and the methods' names; lost cells have a panel, and need no explanation."""
    title = title_of(sweep, rows)
    entitle(figure, title, rows[rows["status"] == "ok"].assign(status="ok"), [note])
    figure.set_label(f"{title}: {caption}")


def _head(figure: Figure, title: str, notes: Sequence[str]) -> None:
    head(figure, title, notes, f"{title}: heat maps with the number in each cell.")
