"""The figure: seconds of a core above, peak memory below, one column a kind of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.growth.measuring import costs
from benchmarks.growth.points import PANELS
from benchmarks.resuming import Row
from experiments.suite.figures.labels import label
from experiments.suite.figures.notes import crown, handles_of
from experiments.suite.figures.palette import GRID, INK, MARKERS, palette
from experiments.suite.figures.style import new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "rows": "rows",
    "columns": "columns on each side",
    "networks": "networks, 100 steps each",
    "pairs": "pairs of columns, 100 steps each",
}
MEASURES = {"cpu": "seconds of a core", "mib": "peak memory, MiB"}
TITLE = "Growth: what an estimate costs as its work grows"
NOTE = (
    "All scales are logarithmic. The dashed lines go through the largest size of a method; of the"
    " memory, which has a floor, through the highest one."
)
CAPTION = "Cost against work. Dashed: in proportion to the work."


def figure(rows: Sequence[Row]) -> Figure:
    """All panels; a kind without rows has an empty one."""
    with style():
        drawn = new_figure(10.0, 5.9)
        colours = palette(list(dict.fromkeys(row["method"] for row in rows)))
        grid = drawn.subplots(len(MEASURES), len(PANELS), squeeze=False, sharex="col")
        for axes, (measure, unit) in zip(grid, MEASURES.items(), strict=True):
            for ax, kind in zip(axes, PANELS, strict=True):
                draw(rows, kind, measure, ax, colours)
            axes[0].set_ylabel(unit)
        for ax, kind in zip(grid[-1], PANELS, strict=True):
            ax.set_xlabel(TITLES[kind])
        crown(drawn, TITLE, handles_of(drawn), [NOTE])
        drawn.set_label(CAPTION)
    return drawn


def draw(
    rows: Sequence[Row], kind: str, measure: str, ax: Axes, colours: Mapping[str, str]
) -> Axes:
    """One panel: a line a method, log-log, and a dashed line of slope 1 through the end of each
    method's, or of the highest one for memory, which has a floor."""
    lines = {m: sorted(line.items()) for (k, m), line in costs(rows, measure).items() if k == kind}
    for method, line in lines.items():
        ax.plot(
            *zip(*line, strict=True),
            color=colours[method],
            marker=MARKERS.get(method, "o"),
            ms=4,
            lw=1.2,
            label=label(method),
        )
    ax.set(xscale="log", yscale="log")
    if lines:
        decades(ax)
    for end in _ends(lines, measure):
        in_proportion(ax, *end)
    ax.grid(color=GRID, lw=0.5)
    return ax


def decades(ax: Axes) -> None:
    """Limits around what is drawn, and few ticks in short numbers: 1, 10, 1k, 1M."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    for axis, limits in ((ax.xaxis, ax.set_xlim), (ax.yaxis, ax.set_ylim)):
        low, high = axis.get_data_interval()
        limits(low / 1.5, high * 1.5)
        subs = (1.0,) if high > 30 * low else (1.0, 2.0, 5.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=9))
        axis.set_minor_locator(NullLocator())
        large = EngFormatter(sep="")
        axis.set_major_formatter(lambda v, at, of=large: of(v, at) if v >= 1 else f"{v:g}")


def _ends(lines: dict[str, list[tuple[int, float]]], measure: str) -> list[tuple[int, float]]:
    """The last points that a line of slope 1 goes through."""
    ends = sorted((line[-1] for line in lines.values()), key=lambda end: end[1])
    return ends[-1:] if measure == "mib" else ends


def in_proportion(ax: Axes, size: float, cost: float) -> None:
    """A dashed line of slope 1 through a point, over the two decades before it."""
    ends = [size / 100, size], [cost / 100, cost]
    ax.plot(*ends, color=INK, lw=0.8, ls="--", zorder=1, label="in proportion to the work")
