"""The figure: held-out error against seconds of a core, one panel a setting, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.resuming import Row
from benchmarks.time_to_accuracy.curves import AUTO
from benchmarks.time_to_accuracy.loops import CAREFUL, NOTEBOOK, STACKED
from benchmarks.time_to_accuracy.measuring import looks_of
from benchmarks.time_to_accuracy.settings import Setting
from experiments.suite.figures.axes import plain_log_ticks
from experiments.suite.figures.notes import crown, handles_of
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
TITLE = "Time to accuracy: held-out error against the seconds of a core that a network takes"
CAPTION = "Held-out error against seconds of a core for each network. Dashed: the tolerance."
NOTE = "Both scales are logarithmic, and each panel has its own. A single mark: no curve is kept."
SIGNS = {"x^3": "x³", "rho": "ρ", "sigma": "σ"}
"""A setting's words -> what is printed in their place."""


def figure(rows: Sequence[Row], settings: Sequence[Setting]) -> Figure:
    """A panel for each setting; one without rows is empty."""
    with style():
        down = -(-len(settings) // ACROSS)
        drawn = new_figure(10.0, 2.9 * down + 0.7)
        grid = drawn.subplots(down, ACROSS, squeeze=False).flatten()
        for ax in grid[len(settings) :]:
            ax.set_visible(False)
        for i, (ax, setting) in enumerate(zip(grid, settings, strict=False)):
            draw([row for row in rows if row["case"] == setting.name], setting, ax)
            if i % ACROSS == 0:
                ax.set_ylabel("mean |error|, nats")
            if i >= len(settings) - ACROSS:
                ax.set_xlabel("seconds of a core")
        crown(drawn, TITLE, handles_of(drawn), [NOTE])
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
    ax.axhline(setting.tolerance, color=INK, lw=0.8, ls="--", label="tolerance")
    ax.set(xscale="log", yscale="log")
    ax.set_title(f"{printed(setting.name)}\nI = {setting.task.mi:.2f} nats")
    for axis in (ax.xaxis, ax.yaxis):
        plain_log_ticks(axis)
    ax.grid(color=GRID, lw=0.5)
    return ax


def printed(name: str) -> str:
    """A setting's name with the signs that its words stand for: '20-D, ρ 0.4'."""
    for word, sign in SIGNS.items():
        name = name.replace(word, sign)
    return name
