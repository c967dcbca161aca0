"""The figure: held-out error against seconds of a core, one panel a setting, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.resuming import Row
from benchmarks.time_to_accuracy.curves import AUTO
from benchmarks.time_to_accuracy.loops import CAREFUL, NOTEBOOK, STACKED
from benchmarks.time_to_accuracy.measuring import looks_of
from benchmarks.time_to_accuracy.settings import Setting
from experiments.suite.figures.palette import GRID, INK, SETTING_MARKERS, SETTINGS
from experiments.suite.figures.style import new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {
    STACKED: "stacked core",
    CAREFUL: "careful loop",
    NOTEBOOK: "notebook's settings",
    AUTO: "auto",
    "torch-mist": "torch-mist, MINE",
    "benchmark-mi": "benchmark-mi, MINE",
}
ACROSS = 4
CAPTION = "Held-out error against seconds of a core for each network. Dashed: the tolerance."


def figure(rows: Sequence[Row], settings: Sequence[Setting]) -> Figure:
    """A panel for each setting; one without rows is empty."""
    with style():
        down = -(-len(settings) // ACROSS)
        drawn = new_figure(10.0, 2.9 * down)
        grid = drawn.subplots(down, ACROSS, squeeze=False).flatten()
        for ax in grid[len(settings) :]:
            ax.set_visible(False)
        for i, (ax, setting) in enumerate(zip(grid, settings, strict=False)):
            draw([row for row in rows if row["case"] == setting.name], setting, ax)
            if i % ACROSS == 0:
                ax.set_ylabel("mean |error|, nats")
            if i >= len(settings) - ACROSS:
                ax.set_xlabel("seconds of a core")
        handles = {label: line for ax in grid for line, label in zip(*_legend(ax), strict=True)}
        drawn.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles)
        )
        drawn.set_label(CAPTION)
    return drawn


def draw(rows: Sequence[Row], setting: Setting, ax: Axes) -> Axes:
    """One panel, log-log; what is no curve is one point."""
    for row in rows:
        looks, place = looks_of(row), list(NAMES).index(row["method"])
        ax.plot(
            [look.seconds for look in looks],
            [look.error for look in looks],
            color=SETTINGS[place],
            marker=SETTING_MARKERS[place],
            ms=5 if len(looks) == 1 else 2.5,
            lw=1.2,
            label=NAMES[row["method"]],
        )
    ax.axhline(setting.tolerance, color=INK, lw=0.8, ls="--")
    ax.set(xscale="log", yscale="log", title=f"{setting.name}\nI = {setting.task.mi:.2f} nats")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.10g}")
        axis.set_minor_formatter(lambda value, _: "")
    ax.grid(color=GRID, lw=0.5)
    return ax


def _legend(ax: Axes) -> tuple[list[object], list[str]]:
    handles, labels = ax.get_legend_handles_labels()
    return list(handles), list(labels)
