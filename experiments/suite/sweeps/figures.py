"""A sweep's figures: its error against the truth, spread over seeds, lost cells and seconds.

The number of axes decides what is drawn: one, lines with intervals; two, heat maps with the number
in each cell; more, heat maps side by side and a line for each axis with the others averaged out.
Rows come from `Sweep.table`, which adds a column for each axis: the position of the run's value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.wording import counted
from experiments.suite.figures import style as marks
from experiments.suite.sweeps.sweep import (
    Axis,
    Sweep,
    choose,
    error_interval,
    measures,
    moved,
    parts,
    show,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS, MOST_NUMBERS, MOST_TICKS, MOST_INTERVALS = 12, 150, 9, 60
"""Heat maps side by side, numbers in one, ticks on an axis, intervals on a line."""
SELECTED = "#d55e00"


@dataclass(frozen=True)
class Measure:
    """A column of `measures` as it is drawn."""

    name: str
    label: str
    unit: str

    @property
    def title(self) -> str:
        return f"{self.label}, {self.unit}" if self.unit else self.label


MEASURES = (
    Measure("error", "mean |error|", "nats"),
    Measure("spread", "spread over seeds", "nats"),
    Measure("lost", "lost cells", "%"),
    Measure("seconds", "seconds a cell", ""),
)


def figures(sweep: Sweep, rows: pd.DataFrame, name: str) -> dict[str, Figure]:
    """For each role: lines, heat maps or small multiples with marginals, as the axes ask for.

    Args:
        sweep: the runs and their axes.
        rows: the rows of these runs, and of others perhaps.
        name: what the figures' names begin with.
    """
    table = sweep.table(rows)
    drawn: dict[str, Figure] = {}
    with marks.style():
        for role in table["role"].unique():
            group = table[table["role"] == role]
            base = "_".join(filter(None, (name, str(role))))
            if len(sweep.axes) == 1:
                drawn[base] = draw_lines(sweep, group)
            elif len(sweep.axes) == 2:
                drawn[base] = draw_maps(sweep, group)
            else:
                drawn[f"{base}_marginals"] = draw_marginals(sweep, group)
                drawn |= {
                    f"{base}_{method}": draw_multiples(sweep, part)
                    for (_, method), part in parts(group)
                    if moved(part) and panels(sweep) <= MOST_PANELS
                }
    return drawn


def line_measures(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """`measures`, with the share of lost cells in percent."""
    lines = measures(table, by)
    return lines.assign(lost=100.0 * (lines["diverged"] + lines["failed"]) / lines["cells"])


def plot_lines(
    rows: pd.DataFrame, ax: Axes, axis: Axis, measure: Measure, others: Sequence[str] = ()
) -> Axes:
    """A line for each method over one axis, the mean |error| with its 95 % interval.

    Args:
        rows: of one role, as `Sweep.table` gives them.
        ax: to draw on.
        axis: whose values are on the x axis.
        measure: what is on the y axis.
        others: the columns of further axes, which are averaged out.
    """
    methods = marks.order({str(one) for one in rows["method"].unique()})
    colours = marks.palette(methods)
    scale_x(ax, axis)
    for i, method in enumerate(methods):
        group = rows[rows["method"] == method]
        lines = line_measures(group, [axis.key])
        x = np.array([axis.places[at] for at in lines[axis.key]])
        if measure.name == "error" and len(lines) <= MOST_INTERVALS:
            low, high = np.transpose(
                [error_interval(group[group[axis.key] == at], others) for at in lines[axis.key]]
            )
            if axis.numeric:
                ax.fill_between(x, low, high, color=colours[method], alpha=0.18, lw=0)
            else:
                ax.vlines(x, low, high, color=colours[method], lw=1.3)
        ax.plot(
            x,
            lines[measure.name],
            color=colours[method],
            marker=marks.MARKERS.get(method, "o"),
            ms=3.2 + 0.5 * (len(methods) - 1 - i),
            lw=1.2,
            ls="-" if axis.numeric else "none",
            zorder=3 + i,
            label=marks.label(method),
        )
    scale_y(ax, measure)
    ax.grid(axis="y", color=marks.GRID, lw=0.6)
    ax.set_title(measure.title, loc="left")
    return ax


def ring(ax: Axes, axis: Axis, rows: pd.DataFrame, measure: Measure) -> None:
    """Rings around what the held-out value chooses, for each method that the settings move."""
    for _, part in parts(rows):
        chosen = choose(part, [axis.key], "value").setting if moved(part) else None
        if chosen is not None:
            lines = line_measures(part, [axis.key]).set_index(axis.key)
            place = axis.places[chosen[0]], lines[measure.name][chosen[0]]
            ax.plot(*place, "o", ms=9, mfc="none", mec=SELECTED, mew=1.2, zorder=12)


def scale_x(ax: Axes, axis: Axis) -> None:
    """A tick for each value, on a log scale where they call for it."""
    from matplotlib.ticker import NullLocator

    if axis.logarithmic:
        ax.set_xscale("log")
    if axis.size <= MOST_TICKS or not axis.numeric:
        ax.set_xticks(axis.places, axis.labels)
        ax.xaxis.set_minor_locator(NullLocator())
    if max(map(len, axis.labels)) * axis.size > 24:
        ax.tick_params(axis="x", labelrotation=30)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")
    ax.set_xlabel(axis.key)


def scale_y(ax: Axes, measure: Measure) -> None:
    """From 0, or a log scale where the values span more than one would see from 0."""
    lines = [line.get_ydata() for line in ax.lines]
    found = np.concatenate([np.zeros(0), *(np.asarray(one, dtype=float) for one in lines)])
    values = found[np.isfinite(found) & (found > 0)]
    if measure.name != "lost" and len(values) and values.max() > 60 * values.min():
        ax.set_yscale("log")
        if values.max() < 1000 * values.min():
            marks.plain_log_ticks(ax.yaxis)
        return
    ax.set_ylim(0.0, None if len(values) else (100.0 if measure.name == "lost" else 1.0))
    if not np.isfinite(found).any():
        ax.text(0.5, 0.5, "no value", transform=ax.transAxes, ha="center", va="center")
    elif measure.name == "error":
        low, high = ax.get_xlim()
        marks.truth_line(ax, [low, high], [0.0, 0.0])
        ax.set_xlim(low, high)


def plot_map(rows: pd.DataFrame, ax: Axes, axes: tuple[Axis, Axis], measure: Measure) -> Axes:
    """A heat map over two axes, with the number in each cell; '×' where nothing was left.

    Args:
        rows: of one role and method, as `Sweep.table` gives them.
        ax: to draw on.
        axes: down and across.
        measure: what is shown.
    """
    from matplotlib.colors import LogNorm, Normalize

    down, across = axes
    lines = line_measures(rows, [down.key, across.key])
    grid = np.full((down.size, across.size), np.nan)
    lost = np.zeros_like(grid, dtype=bool)
    for line in lines.to_dict("records"):
        grid[line[down.key], line[across.key]] = line[measure.name]
        lost[line[down.key], line[across.key]] = line["ok"] < line["cells"]
    seen = grid[np.isfinite(grid)]
    positive = seen[seen > 0]
    wide = len(positive) == len(seen) > 0 and positive.max() > 20 * positive.min()
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    if measure.name == "lost":
        low, high = 0.0, 100.0
    high = high if high > low else low + (abs(low) or 1.0)
    norm = LogNorm(low, high) if wide else Normalize(low, high)
    mesh = ax.pcolormesh(grid, cmap="cividis", norm=norm, edgecolors="white", linewidth=0.6)
    if grid.size <= MOST_NUMBERS:
        for (i, j), value in np.ndenumerate(grid):
            there = bool(((lines[down.key] == i) & (lines[across.key] == j)).any())
            _write_number(ax, (j, i), value, measure, bool(lost[i, j]), there, mesh)
    ax.set_xticks(np.arange(across.size) + 0.5, across.labels)
    ax.set_yticks(np.arange(down.size) + 0.5, down.labels)
    ax.tick_params(length=0)
    if max(map(len, across.labels)) * across.size > 30:
        ax.tick_params(axis="x", labelrotation=30)
    ax.set_xlabel(across.key)
    ax.set_ylabel(down.key)
    ax.set_title(measure.title, loc="left")
    return ax


def _write_number(
    ax: Axes,
    place: tuple[int, int],
    value: float,
    measure: Measure,
    lost: bool,
    there: bool,
    mapped: Any,
) -> None:
    x, y = place[0] + 0.5, place[1] + 0.5
    colour = marks.text_colour(mapped, value) if math.isfinite(value) else marks.INK
    if not there:
        text = ""
    elif not math.isfinite(value):
        text = "×" if lost else "–"
    else:
        star = "*" if lost and measure.name in ("error", "spread") else ""
        text = f"{compact(value)}{star}"
    ax.text(x, y, text, ha="center", va="center", fontsize=7.5, color=colour)


def compact(value: float) -> str:
    """Three significant digits, without the zero before the point: '.0123', '1.2', '45'."""
    if value == 0 or 0.001 <= abs(value) < 9999.5:
        digits = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
        return marks.short(digits)
    return marks.short(f"{value:.1e}").replace("e+0", "e").replace("e−0", "e−").replace("e+", "e")


def frame(ax: Axes, axes: tuple[Axis, Axis], keys: Sequence[str], setting: Sequence[int]) -> None:
    """A frame around the setting that the held-out value chooses."""
    from matplotlib.patches import Rectangle

    place = dict(zip(keys, setting, strict=True))
    x, y = place[axes[1].key], place[axes[0].key]
    ax.add_patch(Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, fill=False, ec=SELECTED, lw=2.0))


def draw_lines(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """One axis: each measure over it, a line for each method."""
    figure = marks.new_figure(11.0, 3.1)
    for ax, measure in zip(figure.subplots(1, len(MEASURES)), MEASURES, strict=True):
        plot_lines(rows, ax, sweep.axes[0], measure)
        if measure.name == "error":
            ring(ax, sweep.axes[0], rows, measure)
    note = f"{note_of(rows, bands=True)} Ringed: the setting that the held-out value chooses."
    _legend(figure, title_of(sweep, rows), rows, note)
    figure.set_label(
        f"{title_of(sweep, rows)}: error against the truth, spread over seeds, losses, seconds."
    )
    return figure


def draw_maps(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """Two axes: a row of heat maps for each method that the settings move."""
    axes = laid(sweep.axes[0], sweep.axes[1])
    found = [(m, part) for (_, m), part in parts(rows) if moved(part)]
    height = 0.62 + 0.27 * axes[0].size
    figure = marks.new_figure(11.0, 1.15 + max(1, len(found)) * (height + 0.35))
    grid = figure.subplots(max(1, len(found)), len(MEASURES), squeeze=False)
    for at, (line, (method, part)) in enumerate(zip(grid, found, strict=False)):
        chosen = choose(part, sweep.keys, "value")
        for ax, measure in zip(line, MEASURES, strict=True):
            plot_map(part, ax, axes, measure)
            if measure.name == "error" and chosen.setting is not None:
                frame(ax, axes, sweep.keys, chosen.setting)
            if ax is not line[0]:
                ax.set_ylabel("")
                ax.set_yticklabels([])
            if at < len(found) - 1:
                ax.set_xlabel("")
        line[0].set_title(f"{marks.label(method)}: {MEASURES[0].title}", loc="left")
    notes = [f"{note_of(rows)} {FRAMED}", *still_of(sweep, rows)]
    _headed(figure, title_of(sweep, rows), notes)
    return figure


FRAMED = (
    "Dark is the least of each map. Framed: the setting that the held-out value chooses."
    " * without its lost cells; × none is left."
)


def draw_multiples(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """More axes: mean |error| of one method over the two longest, for each value of the others."""
    axes, others = two_and_others(sweep)
    several = list(product(*(range(axis.size) for axis in others)))
    across = min(4, len(several))
    down = math.ceil(len(several) / across)
    figure = marks.new_figure(11.0, 1.1 + down * (0.95 + 0.27 * axes[0].size))
    grid = figure.subplots(down, across, squeeze=False)
    chosen = choose(rows, sweep.keys, "value").setting
    for ax in grid.flat[len(several) :]:
        ax.set_visible(False)
    for at, (ax, setting) in enumerate(zip(grid.flat, several, strict=False)):
        here = np.ones(len(rows), dtype=bool)
        for axis, place in zip(others, setting, strict=True):
            here &= (rows[axis.key] == place).to_numpy()
        plot_map(rows[here], ax, axes, MEASURES[0])
        fixed = dict(zip((axis.key for axis in others), setting, strict=True))
        if chosen and fixed.items() <= dict(zip(sweep.keys, chosen, strict=True)).items():
            frame(ax, axes, sweep.keys, chosen)
        pairs = zip(others, setting, strict=True)
        ax.set_title(", ".join(f"{a.short} {show(a.values[p])}" for a, p in pairs), loc="left")
        if at % across:
            ax.set_ylabel("")
            ax.set_yticklabels([])
        if at < len(several) - across:
            ax.set_xlabel("")
    method = marks.label(str(rows["method"].iloc[0]))
    title = f"{title_of(sweep, rows)}: mean |error| of {method}, nats"
    _headed(figure, title, [f"{note_of(rows)} {FRAMED}"])
    return figure


def draw_marginals(sweep: Sweep, rows: pd.DataFrame) -> Figure:
    """More axes: for each of them the mean |error| over all values of the others."""
    across = min(4, len(sweep.axes))
    down = math.ceil(len(sweep.axes) / across)
    figure = marks.new_figure(11.0, 0.9 + 2.2 * down)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for ax in grid.flat[len(sweep.axes) :]:
        ax.set_visible(False)
    for ax, axis in zip(grid.flat, sweep.axes, strict=False):
        plot_lines(rows, ax, axis, MEASURES[0], [key for key in sweep.keys if key != axis.key])
        ax.set_title("", loc="left")
    for line in grid:
        line[0].set_ylabel(MEASURES[0].title)
    note = f"{note_of(rows, bands=True)} Averaged over all values of the other axes."
    _legend(figure, title_of(sweep, rows), rows, note)
    figure.set_label(f"{title_of(sweep, rows)}: the mean |error| over each axis alone.")
    return figure


def two_and_others(sweep: Sweep) -> tuple[tuple[Axis, Axis], list[Axis]]:
    """The two longest axes, laid down and across, and the others."""
    longest = sorted(sweep.axes, key=lambda axis: -axis.size)[:2]
    others = [axis for axis in sweep.axes if axis not in longest]
    return laid(*longest), others


def laid(one: Axis, other: Axis) -> tuple[Axis, Axis]:
    """(down, across): the longer one goes across."""
    return (one, other) if other.size >= one.size else (other, one)


def panels(sweep: Sweep) -> int:
    """How many heat maps `draw_multiples` would draw."""
    return math.prod(axis.size for axis in two_and_others(sweep)[1])


def title_of(sweep: Sweep, rows: pd.DataFrame) -> str:
    role = str(rows["role"].iloc[0]) if len(rows) else ""
    where = f"{sweep.experiment}, {role}" if role else sweep.experiment
    return f"{where}: {counted(len(set(sweep.settings.values())), 'setting')} of {sweep.title}"


def note_of(rows: pd.DataFrame, bands: bool = False) -> str:
    """What a number averages over, and what the bands are."""
    tasks = len(rows[["role", "task", "params"]].drop_duplicates())
    seeds = int(rows["seed"].nunique())
    over = f"Over {counted(tasks, 'task')} and {counted(seeds, 'seed')}."
    infinite = " Infinite truths are left out." if np.isinf(rows["truth"]).any() else ""
    if len(rows) and rows["truth"].isna().all():
        infinite = " No truth is known, and so no error."
    if not bands:
        return over + infinite
    band = "no interval" if seeds < 2 else "shaded: 95 % bootstrap interval over seeds"
    return f"{over[:-1]}; {band}.{infinite}"


def still_of(sweep: Sweep, rows: pd.DataFrame) -> list[str]:
    """A note on the methods whose estimates no setting changes, with their error."""
    errors = [
        (method, float(measures(part, ["method"])["error"].iloc[0]))
        for (_, method), part in parts(rows)
        if not moved(part)
    ]
    still = [f"{marks.label(method)} {compact(e)}" for method, e in errors if not math.isnan(e)]
    return [f"Mean |error| of what these settings do not touch: {', '.join(still)} nats."] * bool(
        still
    )


def _legend(figure: Figure, title: str, rows: pd.DataFrame, note: str) -> None:
    """The title and the methods' names; lost cells have a panel, and no marks to explain."""
    kept = rows[rows["status"] == "ok"]
    marks.entitle(figure, title, kept.assign(status="ok"), [note])


def _headed(figure: Figure, title: str, notes: Sequence[str]) -> None:
    figure.suptitle(title, x=0.005, ha="left", fontsize=10, fontweight="bold")
    figure.supxlabel("\n".join(notes), x=0.005, ha="left", fontsize=7.5)
    figure.set_label(f"{title}: heat maps with the number in each cell.")
