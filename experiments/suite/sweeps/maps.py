"""A sweep over two axes: a heat map of one measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.figures.heatmap import Place, frame_cell, heat_map, name_cells
from experiments.suite.figures.labels import compact
from experiments.suite.sweeps.axes import Axis
from experiments.suite.sweeps.lines import SELECTED, Measure, line_measures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST_NUMBERS = 150
"""The most cells of a map with numbers in them."""


def plot_map(rows: pd.DataFrame, ax: Axes, axes: tuple[Axis, Axis], measure: Measure) -> Axes:
    """A heat map over two axes, with the number in each cell; '×' where nothing was left.

    Args:
        rows: of one role and method, as `Sweep.table` gives them.
        ax: to draw on.
        axes: down and across.
        measure: what is shown.
    """
    down, across = axes
    grid = np.full((down.size, across.size), np.nan)
    texts: dict[Place, str] = {}
    for line in line_measures(rows, [down.key, across.key]).to_dict("records"):
        place = line[down.key], line[across.key]
        grid[place] = line[measure.name]
        texts[place] = cell_text(line, measure)
    shown = texts if grid.size <= MOST_NUMBERS else {}
    norm = colour_norm(grid[np.isfinite(grid)], measure)
    heat_map(ax, grid, dict(sorted(shown.items())), fontsize=7.5, gap=0.6, cmap="cividis",
             norm=norm)  # fmt: skip
    ax.invert_yaxis()
    ax.spines[["left", "bottom"]].set_visible(True)
    name_cells(ax, down.labels, across.labels)
    if max(map(len, across.labels)) * across.size > 30:
        ax.tick_params(axis="x", labelrotation=30)
    ax.set(xlabel=across.key, ylabel=down.key)
    ax.set_title(measure.title)
    return ax


def cell_text(line: dict[Any, Any], measure: Measure) -> str:
    """'.05'; '.05*' without its lost cells; '×' where none is left, '–' for no value."""
    lost, value = line["ok"] < line["cells"], line[measure.name]
    if not math.isfinite(value):
        return "×" if lost else "–"
    return compact(value) + "*" * (lost and measure.name in ("error", "spread"))


def colour_norm(seen: np.ndarray, measure: Measure) -> Any:
    """From the least value seen to the greatest, logarithmic where they span a factor of 20."""
    from matplotlib.colors import LogNorm, Normalize

    if measure.name == "lost":
        return Normalize(0.0, 100.0)
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    wide = low > 0 and high > 20 * low and len(seen) > 0
    high = high if high > low else low + (abs(low) or 1.0)
    return LogNorm(low, high) if wide else Normalize(low, high)


def frame(ax: Axes, axes: tuple[Axis, Axis], keys: Sequence[str], setting: Sequence[int]) -> None:
    """A frame around the setting that the held-out value chooses."""
    place = dict(zip(keys, setting, strict=True))
    frame_cell(ax, (place[axes[0].key], place[axes[1].key]), SELECTED)
