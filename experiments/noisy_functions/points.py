"""Means of one function at places of sigma."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.suite.figures.series import edge_marks, intervals, lost_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_means(
    rows: pd.DataFrame,
    ax: Axes,
    lines: pd.DataFrame,
    value: str,
    place: Mapping[float, float],
    **style: Any,
) -> None:
    """One function's means at the places of sigma, those outside the axis, and what was lost.

    Args:
        rows: of the function.
        ax: to draw on.
        lines: their summary by sigma.
        value: "mean" or "error".
        place: sigma -> x.
        style: colour, marker and sizes.
    """
    x, y = lines["sigma"].map(place).to_numpy(dtype=float), lines[value].to_numpy(dtype=float)
    ax.errorbar(x, y, yerr=intervals(lines), ls="none", zorder=4, **style)
    edge_marks(ax, x, y, style["color"])
    lost_cells(ax, rows, "sigma", place, style["color"])
