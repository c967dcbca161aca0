"""Heat maps over f and sigma: estimate, truth and error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.noisy_functions.functions import function_label, functions, setting
from experiments.suite.claims.rows import summary
from experiments.suite.claims.wording import lost
from experiments.suite.figures.axes import nats_range
from experiments.suite.figures.heatmap import Place, heat_map, inner_axes, name_cells
from experiments.suite.figures.labels import short, signed
from experiments.suite.figures.notes import head, sample_note, seed_note
from experiments.suite.figures.style import new_figure, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_maps(rows: pd.DataFrame) -> Figure:
    """Estimate, truth and error side by side: one colour scale for the first two."""
    with style():
        figure = new_figure(11.0, 1.85 + 0.36 * len(functions(rows)))
        axes = figure.subplots(1, 3)
        estimate, _, error = (
            plot_map(rows, ax, value).collections[0]
            for ax, value in zip(axes, ("mean", "truth", "error"), strict=True)
        )
        inner_axes(axes)
        colour_bar(figure, estimate, axes[:2], 80)
        colour_bar(figure, error, axes[2:], 38)
        title = f"Noisy functions Y = f(X) + σε: {setting(rows)}"
        caption = f"{setting(rows)}: heat maps of the estimates, the true values, the errors."
        head(figure, title, map_notes(rows), caption)
    return figure


def colour_bar(figure: Figure, mesh: Any, axes: Iterable[Axes], aspect: float) -> None:
    """A bar below the axes that have these colours."""
    from matplotlib.ticker import MaxNLocator

    figure.colorbar(
        mesh,
        ax=list(axes),
        orientation="horizontal",
        pad=0.03,
        aspect=aspect,
        shrink=0.9,
        ticks=MaxNLocator(6),
    )


def map_notes(rows: pd.DataFrame) -> list[str]:
    """Samples, seeds and units; and what was lost."""
    note = (
        f"{sample_note(rows)} {seed_note(rows, bars=False)}."
        " In nats (1 nat = 1.443 bits). Hatched: the truth is infinite at σ = 0, a finite estimate"
        " there is an artefact."
    )
    lost_note = f"Lost: {lost(rows)[2:]}. * without some seeds; × diverged, □ failed."
    return [note, lost_note] if (rows["status"] != "ok").any() else [note]


def plot_map(rows: pd.DataFrame, ax: Axes, value: str) -> Axes:
    """A heat map over f (rows) and sigma (columns), with the number in each cell, in nats.

    Args:
        rows: the map's rows of one method, with their function and sigma.
        ax: to draw on.
        value: "mean" (the estimate), "truth" or "error".
    """
    lines = summary(rows, ["function", "sigma"])
    names, sigmas = functions(rows), sorted(set(lines["sigma"]))
    grid = np.full((len(names), len(sigmas)), np.nan)
    texts: dict[Place, str] = {}
    for line in lines.to_dict("records"):
        place = names.index(line["function"]), sigmas.index(line["sigma"])
        grid[place] = line[value] if math.isfinite(line[value]) else math.nan
        texts[place] = cell_text(line, value)
    heat_map(
        ax,
        grid,
        texts,
        fontsize=6.6 if value == "error" else 7,
        hatched=[
            place for place, truth in zip(texts, lines["truth"], strict=True) if math.isinf(truth)
        ],
        gap=0.6,
        **(error_scale(lines) if value == "error" else value_scale(rows)),
    )
    name_cells(
        ax, [function_label(name) for name in names], [signed(s) for s in sigmas], va="center"
    )
    ax.set(xlabel="noise σ", ylabel="f")
    titles = {"mean": "estimate", "truth": "truth", "error": "error = estimate − truth"}
    ax.set_title(titles[value])
    return ax


def value_scale(rows: pd.DataFrame) -> dict[str, Any]:
    """From 0 to the largest finite truth."""
    from matplotlib.colors import Normalize

    return {"cmap": "cividis", "norm": Normalize(0.0, nats_range(rows)[1])}


def error_scale(lines: pd.DataFrame) -> dict[str, Any]:
    """A diverging scale around 0 that reaches the largest finite error, at least .05 nats."""
    from matplotlib.colors import Normalize

    size = np.abs(lines["error"].to_numpy(dtype=float))
    top = max(float(size[np.isfinite(size)].max(initial=0.0)), 0.05)
    return {"cmap": "RdBu_r", "norm": Normalize(-top, top)}


def cell_text(line: Mapping[Any, Any], value: str) -> str:
    """The number of one cell, with a star where some seeds were lost; a sign where all were."""
    text = number_text(float(line[value]), value == "error")
    if value == "truth" or not line["diverged"] + line["failed"]:
        return text
    return f"{text}*" if line["ok"] else ("×" if line["diverged"] else "□")


def number_text(value: float, is_error: bool) -> str:
    """'1.06', '+.021', '∞'; short, because thirty of them stand side by side."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if is_error:
        return short(f"{value:+.3f}" if abs(value) < 1 else f"{value:+.1f}")
    return f"{value:.2f}".replace("-", "−")
