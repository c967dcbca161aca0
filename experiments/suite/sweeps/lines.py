"""A sweep over one axis: a line for each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.suite.figures.axes import plain_log_ticks, ticks_at, truth_line
from experiments.suite.figures.labels import label
from experiments.suite.figures.palette import GRID, MARKERS, order, palette
from experiments.suite.sweeps.axes import Axis
from experiments.suite.sweeps.choices import choose
from experiments.suite.sweeps.measures import error_interval, measures, moved_parts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST_TICKS, MOST_INTERVALS = 9, 60
"""Ticks on an axis, intervals on a line."""
SELECTED = "#d55e00"
"""The colour of what the held-out value chooses."""


@dataclass(frozen=True)
class Measure:
    """A column of `line_measures`, with its printed name."""

    name: str
    label: str
    unit: str

    @property
    def title(self) -> str:
        return f"{self.label}, {self.unit}" if self.unit else self.label


ERROR = Measure("error", "mean |error|", "nats")
MEASURES = (
    ERROR,
    Measure("spread", "spread over seeds", "nats"),
    Measure("lost", "lost cells", "%"),
    Measure("seconds", "seconds a cell", ""),
)


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
    methods = order({str(one) for one in rows["method"].unique()})
    colours = palette(methods)
    scale_x(ax, axis)
    for i, method in enumerate(methods):
        group = rows[rows["method"] == method]
        lines = line_measures(group, [axis.key])
        if measure == ERROR and len(lines) <= MOST_INTERVALS:
            plot_intervals(group, ax, axis, others, colours[method])
        ax.plot(
            _places(axis, lines),
            lines[measure.name],
            color=colours[method],
            marker=MARKERS.get(method, "o"),
            ms=3.2 + 0.5 * (len(methods) - 1 - i),
            lw=1.2,
            ls="-" if axis.numeric else "none",
            zorder=3 + i,
            label=label(method),
        )
    scale_y(ax, measure)
    ax.grid(axis="y", color=GRID, lw=0.6)
    ax.set_title(measure.title)
    return ax


def plot_intervals(
    rows: pd.DataFrame, ax: Axes, axis: Axis, others: Sequence[str], colour: str
) -> None:
    """The intervals of one method's mean |error|: a band over numbers, else a bar for each."""
    lines = line_measures(rows, [axis.key])
    x = _places(axis, lines)
    of_each = [error_interval(rows[rows[axis.key] == at], others) for at in lines[axis.key]]
    low, high = np.transpose(of_each)
    if axis.numeric:
        ax.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
    else:
        ax.vlines(x, low, high, color=colour, lw=1.3)


def _places(axis: Axis, lines: pd.DataFrame) -> np.ndarray:
    return np.array([axis.places[at] for at in lines[axis.key]])


def ring(ax: Axes, axis: Axis, rows: pd.DataFrame) -> None:
    """Rings around the errors of what the held-out value chooses, for each method that moves."""
    for _, part in moved_parts(rows):
        chosen = choose(part, [axis.key], "value").setting
        if chosen is not None:
            errors = line_measures(part, [axis.key]).set_index(axis.key)["error"]
            place = axis.places[chosen[0]], errors[chosen[0]]
            ax.plot(*place, "o", ms=9, mfc="none", mec=SELECTED, mew=1.2, zorder=12)


def scale_x(ax: Axes, axis: Axis) -> None:
    """A tick for each value, on a log scale where the values ask for one."""
    if axis.logarithmic:
        ax.set_xscale("log")
    # a panel without values has the limits of the others
    ax.update_datalim([(place, 0.0) for place in axis.places], updatey=False)
    if axis.size <= MOST_TICKS or not axis.numeric:
        ticks_at(ax.xaxis, axis.places, axis.labels)
    if max(map(len, axis.labels)) * axis.size > 24:
        ax.tick_params(axis="x", labelrotation=30)
        for text in ax.get_xticklabels():
            text.set_horizontalalignment("right")
    ax.set_xlabel(axis.key)


def _top(ax: Axes) -> float:
    """Above all that is drawn, in axes that share the scale, too: the first one has set it."""
    drawn = [one.dataLim.ymax for one in ax.get_shared_y_axes().get_siblings(ax)]
    return 1.05 * max(one for one in drawn if np.isfinite(one))


def scale_y(ax: Axes, measure: Measure) -> None:
    """From 0, or a log scale where the values span too much to be seen from 0."""
    lines = [line.get_ydata() for line in ax.lines]
    found = np.concatenate([np.zeros(0), *(np.asarray(one, dtype=float) for one in lines)])
    values = found[np.isfinite(found) & (found > 0)]
    if measure.name != "lost" and len(values) and values.max() > 60 * values.min():
        ax.set_yscale("log")
        if values.max() < 1000 * values.min():
            plain_log_ticks(ax.yaxis)
        return
    for line in ax.lines:  # whole markers at the ends of the axis, which reaches all values
        line.set_clip_on(False)
    ax.set_ylim(0.0, _top(ax) if len(values) else (100.0 if measure.name == "lost" else 1.0))
    if not np.isfinite(found).any():
        ax.text(0.5, 0.5, "no value", transform=ax.transAxes, ha="center", va="center")
    elif measure == ERROR:
        low, high = ax.get_xlim()
        truth_line(ax, [low, high], [0.0, 0.0])
        ax.set_xlim(low, high)
