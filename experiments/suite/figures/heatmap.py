"""A heat map with the number in each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.figures.palette import INK, ON_COLOUR, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.colors import Normalize

Place = tuple[int, int]
"""(row, column) of a cell."""
HATCHED = "#f4f4f4"


def heat_map(
    ax: Axes,
    grid: np.ndarray,
    texts: Mapping[Place, str],
    *,
    fontsize: float,
    hatched: Sequence[Place] = (),
    cmap: str,
    norm: Normalize,
    gap: float = 0.5,
) -> Collection:
    """Cells coloured by their values, with texts that can be read on the colours.

    Args:
        ax: to draw on, without a frame; row 0 is at the top.
        grid: values, shape (rows, columns); nan for a cell without a colour.
        texts: what is written into a cell.
        fontsize: of the texts.
        hatched: cells that are hatched in place of a colour.
        cmap: name of the colour map.
        norm: maps values to the colour map.
        gap: width of the white lines between cells, in points.

    Returns:
        What the colours belong to, for a colour bar.
    """
    import seaborn

    seaborn.heatmap(
        grid,
        ax=ax,
        cbar=False,
        linewidths=gap,
        linecolor="white",
        xticklabels=False,
        yticklabels=False,
        cmap=cmap,
        norm=norm,
        vmin=norm.vmin,  # otherwise seaborn looks for them in the grid, which may have no number
        vmax=norm.vmax,
    )
    (mesh,) = ax.collections
    for place in hatched:
        _hatch(ax, place)
    for (i, j), text in texts.items():
        if (i, j) in hatched:
            look: dict[str, Any] = {"color": ON_COLOUR, "bbox": _BOX}
        else:
            value = grid[i, j]
            look = {"color": text_colour(mesh, value) if math.isfinite(value) else INK}
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=fontsize, **look)
    return mesh


_BOX = {"fc": HATCHED, "ec": "none", "pad": 0.8}


def _hatch(ax: Axes, place: Place) -> None:
    from matplotlib.patches import Rectangle

    corner = place[1], place[0]
    box = Rectangle(corner, 1, 1, fc=HATCHED, ec="#b5b5b5", hatch="////", lw=0.0, zorder=2)
    ax.add_patch(box)


def frame_cell(ax: Axes, place: Place, colour: str) -> None:
    """A frame around one cell."""
    from matplotlib.patches import Rectangle

    corner = place[1] + 0.04, place[0] + 0.04
    ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, ec=colour, lw=2.0))


def name_cells(ax: Axes, down: Sequence[str], across: Sequence[str], **text: Any) -> None:
    """The names of the rows and of the columns, without tick marks; `text` is the rows' look."""
    ax.set_xticks(np.arange(len(across)) + 0.5, across)
    ax.set_yticks(np.arange(len(down)) + 0.5, down, **text)
    ax.tick_params(length=0)


def inner_axes(line: Sequence[Axes]) -> None:
    """Takes the y axis' names away from all but the first of a line of heat maps."""
    for ax in line[1:]:
        ax.set_ylabel("")
        ax.set_yticklabels([])
